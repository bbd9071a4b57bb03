"""How a conformance profile is drawn: a table of fields with the names of the standard and what each means here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ris.hl7.explain import tables

VERSION = "2.5.1"


@dataclass(frozen=True)
class Line:
    segment: str
    field: int
    filled: str = ""
    example: str = ""

    @property
    def place(self) -> str:
        return f"{self.segment}-{self.field}"


def meaning(meanings: Mapping[str, str], message: str, place: str) -> str:
    """What a message itself says of the place, else what all say. Raises KeyError for a place of which nobody has said anything."""
    return meanings.get(f"{message} {place}") or meanings[place]


def named(place: str) -> tuple[str, str]:
    """Name and data type of a field, by the newest of the versions that we write and then by the older one."""
    segment, _, number = place.partition("-")
    for version in (VERSION, "2.3.1"):
        known = tables.fields(version, segment) or ()
        if int(number) <= len(known) and known[int(number) - 1] != tables.WITHDRAWN:
            return known[int(number) - 1].name, known[int(number) - 1].datatype
    return ("Study Instance UID", "RP") if place == "ZDS-1" else ("A value of earlier versions", "")


def drawn(lines: Iterable[Line], meanings: Mapping[str, str], message: str, *, with_examples: bool) -> list[str]:
    """A table for each segment, in the order of the lines."""
    text: list[str] = []
    segment = ""
    for line in lines:
        if line.segment != segment:
            segment = line.segment
            head = ("| field | name | type | filled | example | content |", "|---|---|---|---|---|---|")
            plain = ("| field | name | type | use |", "|---|---|---|---|")
            text += ["", f"### {segment}: {tables.SEGMENTS.get(segment, segment)}", "", *(head if with_examples else plain)]
        name, datatype = named(line.place)
        middle = [line.filled, f"`{_cell(line.example)}`"] if with_examples else []
        text.append("| " + " | ".join([line.place, name, datatype, *middle, meaning(meanings, message, line.place)]) + " |")
    return text


def _cell(value: str) -> str:
    """Without what a table of Markdown would take for its own."""
    return value.replace("|", "\\|")
