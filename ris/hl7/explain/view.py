"""A message field by field, each value at its place with the standard's name for it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ris.hl7.er7 import Delimiters, Field, Message, Segment, unescape
from ris.hl7.explain import tables
from ris.hl7.explain.tables import Value

MOST_CHARACTERS = 262_144
"""Of a longer message the beginning is shown."""
MOST_LINES = 5_000
LONGEST_VALUE = 1_000
"""Of a longer value, a PDF for one, the beginning is shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One value: a field, a repetition, a component or a subcomponent."""

    place: str
    """As `PID-3[2].4.1`."""
    name: str
    """Empty where the version does not know the place."""
    datatype: str
    table: str
    text: str
    depth: int
    """0 for a field or a repetition of it, 1 for its components, 2 for their subcomponents."""
    left_out: int = 0
    """So many characters more stand there."""


@dataclass(frozen=True, slots=True)
class SegmentView:
    """`place` is its name with its number among those of the name, from the second on."""

    place: str
    title: str
    is_known: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class View:
    version: str
    """Whose names are used."""
    segments: tuple[SegmentView, ...]
    left_out: str
    """What is not shown, in words; empty when all is."""


def view(message: Message) -> View:
    """Everything that fits within the bounds."""
    version = tables.version_of(message.value("MSH", 12))
    shown: list[SegmentView] = []
    characters = lines = 0
    for segment in message.segments:
        characters += len(segment.raw)
        if shown and (characters > MOST_CHARACTERS or lines >= MOST_LINES):
            left = len(message.segments) - len(shown)
            return View(
                version, tuple(shown), f"It is too long to be shown whole: {left} of {len(message.segments)} segments are left out."
            )
        shown.append(_segment(segment, message.delimiters, version))
        lines += len(shown[-1].lines)
    return View(version, tuple(shown), "")


def place_of(segment: Segment) -> str:
    return f"{segment.name}[{segment.sequence}]" if segment.sequence > 1 else segment.name


def _segment(segment: Segment, delimiters: Delimiters, version: str) -> SegmentView:
    known = tables.fields(version, segment.name)
    place = place_of(segment)
    lines: list[Line] = []
    for number in range(1, segment.raw.count(delimiters.field) + 2):
        field = segment.field(number)
        if not field.is_empty:
            lines += _field(field, delimiters, f"{place}-{number}", described(known, version, segment, number))
    return SegmentView(place, tables.SEGMENTS.get(segment.name, ""), known is not None, tuple(lines))


def described(known: tuple[Value, ...] | None, version: str, segment: Segment, number: int) -> Value | None:
    """What the version says of a field; OBX-5 is what OBX-2 says that it is."""
    value = known[number - 1] if known and number <= len(known) else None
    if value is not None and value.datatype == "varies":
        datatype = segment.value(2)
        return replace(value, datatype=datatype, parts=tables.components(version, datatype))
    return value


def _field(field: Field, delimiters: Delimiters, place: str, known: Value | None) -> Iterator[Line]:
    if place in ("MSH-1", "MSH-2"):
        yield _line(place, known, field.raw, 0)
        return
    repetitions = field.repetitions
    for position, repetition in enumerate(repetitions, start=1):
        if not repetition.is_empty:
            at = f"{place}[{position}]" if len(repetitions) > 1 else place
            yield from _cut(repetition.raw, at, known, 0, delimiters)


def _cut(raw: str, place: str, known: Value | None, depth: int, delimiters: Delimiters) -> Iterator[Line]:
    """The value, then each of its parts; what has no parts by its type is not cut, since its sender may not escape."""
    yield _line(place, known, unescape(raw, delimiters), depth)
    between = (delimiters.component, delimiters.subcomponent, "")[depth]
    if not between or between not in raw or (known is not None and not known.parts):
        return
    for number, part in enumerate(raw.split(between), start=1):
        if part:
            inner = known.parts[number - 1] if known and number <= len(known.parts) else None
            yield from _cut(part, f"{place}.{number}", inner, depth + 1, delimiters)


def _line(place: str, known: Value | None, text: str, depth: int) -> Line:
    shown = text[:LONGEST_VALUE]
    named = (known.name, known.datatype, known.table) if known else ("", "", "")
    return Line(place, *named, shown, depth, len(text) - len(shown))
