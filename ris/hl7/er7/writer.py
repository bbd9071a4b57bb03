"""How segments are put together from values, each escaped once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ris.hl7.er7.delimiters import STANDARD, Delimiters, escape


class Subcomponents(tuple[str | None, ...]):
    """Subcomponents of one component, to be written."""

    __slots__ = ()


class Components(tuple[str | Subcomponents | None, ...]):
    """Components of one repetition, to be written."""

    __slots__ = ()


Repetition: TypeAlias = str | Components | None
Value: TypeAlias = Repetition | Sequence[Repetition]
"""What a field is filled with; a sequence other than `Components` holds its repetitions."""


def subcomponents(*parts: str | None) -> Subcomponents:
    return Subcomponents(parts)


def components(*parts: str | Subcomponents | None) -> Components:
    return Components(parts)


def segment(name: str, fields: Mapping[int, Value], delimiters: Delimiters = STANDARD) -> str:
    """The segment without its CR, every text in it escaped once, without empty fields or components at its end.

    MSH-1 and MSH-2 come from `delimiters` and are not given.

    Raises:
        ValueError: a field number below 1, or MSH-1 or MSH-2.
    """
    first = 3 if name == "MSH" else 1
    if any(n < first for n in fields):
        raise ValueError(f"the fields of {name} are given from {first} on")
    written = [_field(fields.get(n), delimiters) for n in range(first, max(fields, default=0) + 1)]
    head = [name, delimiters.encoding] if name == "MSH" else [name]
    return _joined(head + written, delimiters.field)


def join(segments: Iterable[str]) -> str:
    """The message: every segment ended by CR (HL7 v2.5.1 ch. 2.5.2)."""
    return "".join(f"{segment}\r" for segment in segments)


def _field(value: Value, delimiters: Delimiters) -> str:
    if value is None or isinstance(value, str | Components):
        return _repetition(value, delimiters)
    return _joined([_repetition(each, delimiters) for each in value], delimiters.repetition)


def _repetition(value: Repetition, delimiters: Delimiters) -> str:
    if isinstance(value, Components):
        return _joined([_component(part, delimiters) for part in value], delimiters.component)
    return escape(value or "", delimiters)


def _component(value: str | Subcomponents | None, delimiters: Delimiters) -> str:
    if isinstance(value, Subcomponents):
        return _joined([escape(part or "", delimiters) for part in value], delimiters.subcomponent)
    return escape(value or "", delimiters)


def _joined(parts: list[str], delimiter: str) -> str:
    return delimiter.join(parts).rstrip(delimiter)
