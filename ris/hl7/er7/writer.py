"""How segments are put together from values, each escaped once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    if min(fields, default=first) < first:
        raise ValueError(f"the fields of {name} are given from {first} on")
    written = [""] * (max(fields, default=first - 1) + 1 - first)
    for number, value in fields.items():
        if value:
            written[number - first] = value if value.__class__ is str and value.isalnum() else _field(value, delimiters)
    head = [name, delimiters.encoding] if name == "MSH" else [name]
    return _joined(head + written, delimiters.field)


def pattern(name: str, fields: Mapping[int, Value], gaps: Sequence[int]) -> Callable[[Sequence[str]], str]:
    """What writes one segment after the other that differ in the texts of these fields alone; the last field is not among them."""
    parts = segment(name, {**fields, **dict.fromkeys(gaps, "-")}).split(STANDARD.field)

    def filled(texts: Sequence[str]) -> str:
        for gap, text in zip(gaps, texts, strict=True):
            parts[gap] = escape(text, STANDARD)
        return STANDARD.field.join(parts)

    return filled


def join(segments: Iterable[str]) -> str:
    """The message: every segment ended by CR (HL7 v2.5.1 ch. 2.5.2)."""
    return "".join(f"{segment}\r" for segment in segments)


def _field(value: Value, delimiters: Delimiters) -> str:
    if isinstance(value, str):
        return escape(value, delimiters)
    if value is None or isinstance(value, Components):
        return _repetition(value, delimiters)
    return _joined([_repetition(each, delimiters) for each in value], delimiters.repetition)


def _repetition(value: Repetition, delimiters: Delimiters) -> str:
    if isinstance(value, Components):
        # A text of letters and digits alone is written as it is: most are, and a call for each costs more than all else.
        return _joined(
            ["" if not part else part if part.__class__ is str and part.isalnum() else _component(part, delimiters) for part in value],
            delimiters.component,
        )
    return escape(value or "", delimiters)


def _component(value: str | Subcomponents, delimiters: Delimiters) -> str:
    if isinstance(value, Subcomponents):
        return _joined([escape(part or "", delimiters) for part in value], delimiters.subcomponent)
    return escape(value, delimiters)


def _joined(parts: list[str], delimiter: str) -> str:
    return delimiter.join(parts).rstrip(delimiter)
