"""What the standard says against a message: structure, cardinality, types, lengths and codes. Advice, never a gate."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ris.hl7.er7 import NULL, Delimiters, Message, Segment, unescape
from ris.hl7.explain import tables
from ris.hl7.explain.grammar import misplaced
from ris.hl7.explain.tables import Value
from ris.hl7.explain.view import MOST_CHARACTERS, described, place_of

BUDGET_S = 0.25
MOST = 200
"""Of more remarks the first are shown."""

LENGTHS = {"ST": 199, "IS": 20, "NM": 16, "SI": 4, "FT": 65_536, "TX": 65_536}
"""The longest value of a data type (HL7 v2.5.1 ch. 2.A)."""
_MONTH, _DAY, _CLOCK, _OFFSET = (
    r"(0[1-9]|1[0-2])",
    r"(0[1-9]|[12]\d|3[01])",
    r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,4})?)?)?",
    r"([+-]\d{4})?",
)
_MOMENT = re.compile(rf"\d{{4}}({_MONTH}({_DAY}({_CLOCK})?)?)?{_OFFSET}").fullmatch
FORMS: dict[str, Callable[[str], object]] = {
    "NM": re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+").fullmatch,
    "SI": re.compile(r"\d{1,4}").fullmatch,
    "DT": re.compile(rf"\d{{4}}({_MONTH}({_DAY})?)?").fullmatch,
    "TM": re.compile(_CLOCK + _OFFSET).fullmatch,
    "DTM": _MOMENT,
    "TS": _MOMENT,
}
"""How a value of a data type is written (HL7 v2.5.1 ch. 2.A)."""


@dataclass(frozen=True, slots=True)
class Remark:
    place: str
    """A segment, or a place in one as `PID-3.4`."""
    text: str


@dataclass(frozen=True, slots=True)
class Advice:
    structure: str
    """What it was held against, as `ORM_O01 of 2.5.1`."""
    remarks: tuple[Remark, ...]
    left_out: str
    """What was not looked at, in words; empty when all was."""


def advice(message: Message, *, budget_s: float = BUDGET_S) -> Advice:
    """Looks at as much as its bounds allow; never raises for what a sender wrote."""
    version = tables.version_of(message.value("MSH", 12))
    found = _structure(message, version)
    held_against = f"{found[0]} of {found[1]}" if found else version
    if sum(len(segment.raw) for segment in message.segments) > MOST_CHARACTERS:
        return Advice(held_against, (), f"It is longer than {MOST_CHARACTERS // 1024} KB: it is not held against the standard.")
    deadline = time.monotonic() + budget_s
    remarks: list[Remark] = []
    for remark in _remarks(message, version, found):
        remarks.append(remark)
        if len(remarks) == MOST:
            return Advice(held_against, tuple(remarks), f"Only the first {MOST} remarks are shown.")
        if time.monotonic() > deadline:
            return Advice(held_against, tuple(remarks), "It takes too long: the rest was not looked at.")
    return Advice(held_against, tuple(remarks), "")


def _structure(message: Message, version: str) -> tuple[str, str, tables.Part] | None:
    """Name, version and tree; where the version has none of that type, that of the version that has them all."""
    code, event = message.value("MSH", 9, 1), message.value("MSH", 9, 2)
    for candidate in (version, tables.NEWEST_WITH_ALL):
        if known := tables.structure(candidate, code, event):
            return known[0], candidate, known[1]
    return None


def _remarks(message: Message, version: str, found: tuple[str, str, tables.Part] | None) -> Iterator[Remark]:
    if found is None:
        yield Remark("MSH-9", "the standard has no structure for this type of message")
    else:
        standard = [segment for segment in message.segments if not segment.name.startswith("Z")]
        for one in misplaced(found[2], [segment.name for segment in standard]):
            yield Remark(place_of(standard[one.position]) if one.position is not None else one.segment, one.problem)
    for segment in message.segments:
        if not segment.name.startswith("Z"):
            yield from _segment(segment, message.delimiters, version)


def _segment(segment: Segment, delimiters: Delimiters, version: str) -> Iterator[Remark]:
    known = tables.fields(version, segment.name)
    place = place_of(segment)
    if known is None:
        yield Remark(place, f"is no segment of {version}")
        return
    for number in range(1, len(known) + 1):
        # MSH-1 and MSH-2 are the delimiters themselves.
        if segment.name != "MSH" or number > 2:
            value = described(known, version, segment, number)
            if value is not None:
                yield from _field(segment, number, value, delimiters, version)
    surplus = [n for n in range(len(known) + 1, segment.raw.count(delimiters.field) + 2) if not segment.field(n).is_empty]
    if surplus:
        yield Remark(f"{place}-{surplus[0]}", f"{version} has no field beyond {segment.name}-{len(known)}")


def _field(segment: Segment, number: int, known: Value, delimiters: Delimiters, version: str) -> Iterator[Remark]:
    field, place = segment.field(number), f"{place_of(segment)}-{number}"
    if field.is_empty:
        if known.least:
            yield Remark(place, f"{known.name} is required")
        return
    repetitions = field.repetitions
    if known.most != -1 and len(repetitions) > known.most:
        bound = f"may stand {known.most} times at the most" if known.most else f"is withdrawn in {version}"
        yield Remark(place, f"{known.name} {'may not repeat' if known.most == 1 else bound}")
    for position, repetition in enumerate(repetitions, start=1):
        at = f"{place}[{position}]" if len(repetitions) > 1 else place
        yield from _value(repetition.raw, at, known, 0, delimiters, version)


def _value(raw: str, place: str, known: Value, depth: int, delimiters: Delimiters, version: str) -> Iterator[Remark]:
    if not raw or raw == NULL:
        return
    if known.parts and depth < 2:
        parts = raw.split((delimiters.component, delimiters.subcomponent)[depth])
        for number, inner in enumerate(known.parts, start=1):
            part = parts[number - 1] if number <= len(parts) else ""
            if not part and inner.least:
                yield Remark(f"{place}.{number}", f"{inner.name} is required")
            yield from _value(part, f"{place}.{number}", inner, depth + 1, delimiters, version)
        if any(parts[len(known.parts) :]):
            yield Remark(place, f"{known.datatype} has {len(known.parts)} parts, not {len(parts)}")
        return
    yield from _leaf(unescape(raw, delimiters), place, known, version)


def _leaf(text: str, place: str, known: Value, version: str) -> Iterator[Remark]:
    form, longest = FORMS.get(known.datatype), LENGTHS.get(known.datatype)
    if form is not None and not form(text):
        yield Remark(place, f"{known.name}: not written as data type {known.datatype}")
    elif longest is not None and len(text) > longest:
        yield Remark(place, f"{known.name}: {len(text)} characters, data type {known.datatype} has at most {longest}")
    # IS has tables of the user's own; of an ID the standard names every code.
    elif known.datatype == "ID" and known.table and (codes := tables.values(version, known.table)) and text not in codes:
        yield Remark(place, f"{known.name}: the code is not in table {known.table}")
