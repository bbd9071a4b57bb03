"""Where each value of an ER7 message stands.

A message is cut into segments at once and into fields only where somebody looks. A value is cut at repetitions,
components and subcomponents in that order and unescaped last, so that an escaped delimiter never moves a neighbour.
Positions count from 1 as the standard counts them; a position that a message does not have reads as the empty string.
"""

from collections.abc import Iterator, Sequence
from typing import Self

from ris.base.errors import Location
from ris.hl7.er7.delimiters import UNCUT, Delimiters, declared, unescape

NULL = '""'
"""The value that says *delete what you have*, while an empty field says nothing (HL7 v2.5.1 ch. 2.6)."""


class Field:
    """A field, or one of its repetitions."""

    __slots__ = ("_components", "_delimiters", "raw")

    def __init__(self, raw: str, delimiters: Delimiters) -> None:
        self.raw = raw
        """As it stands in the message, still escaped."""
        self._delimiters = delimiters
        self._components: list[str] | None = None

    def __repr__(self) -> str:
        return f"<Field of {len(self.raw)} characters>"

    @property
    def is_empty(self) -> bool:
        return not self.raw

    @property
    def is_null(self) -> bool:
        return self.raw == NULL

    @property
    def text(self) -> str:
        """Everything that stands here, unescaped, with repetition, component and subcomponent delimiters left in place.

        It is the value of a TX or FT field of a sender who does not escape.
        """
        return unescape(self.raw, self._delimiters)

    @property
    def repetitions(self) -> "list[Field]":
        """Every repetition in its place, also the empty ones; none at all when the field is empty."""
        if not self.raw:
            return []
        return [Field(raw, self._delimiters) for raw in self.raw.split(self._delimiters.repetition)]

    def component(self, i: int, sub: int = 1) -> str:
        """Subcomponent `sub` of component `i`, of the first repetition."""
        components = self._components or self._cut()
        raw = components[i - 1] if 0 < i <= len(components) else ""
        # As in Segment.value: nothing to cut, nothing to unescape.
        if not raw or raw.isalnum():
            return raw if sub == 1 else ""
        return _value(raw, self._delimiters, 1, 1, sub)

    def component_text(self, i: int) -> str:
        """The whole of component `i` of the first repetition, with subcomponent delimiters left in place.

        It is the value of a component that has no subcomponents by its data type, of a sender who does not escape `&`.
        """
        return unescape(_part(self._components or self._cut(), i), self._delimiters)

    def _cut(self) -> list[str]:
        self._components = self.raw.partition(self._delimiters.repetition)[0].split(self._delimiters.component)
        return self._components


def _value(raw: str, delimiters: Delimiters, component: int, repetition: int, subcomponent: int) -> str:
    if delimiters.repetition in raw:
        raw = _part(raw.split(delimiters.repetition), repetition)
    elif repetition != 1:
        return ""
    if delimiters.component in raw:
        raw = _part(raw.split(delimiters.component), component)
    elif component != 1:
        return ""
    if delimiters.subcomponent in raw:
        raw = _part(raw.split(delimiters.subcomponent), subcomponent)
    elif subcomponent != 1:
        return ""
    return unescape(raw, delimiters)


def _part(parts: list[str], position: int) -> str:
    return parts[position - 1] if 0 < position <= len(parts) else ""


class Segment:
    """A segment of a message, cut into fields when the first of them is asked for."""

    __slots__ = ("_delimiters", "_fields", "name", "raw", "sequence")

    def __init__(self, name: str, raw: str, delimiters: Delimiters, sequence: int) -> None:
        self.name = name
        self.raw = raw
        self.sequence = sequence
        """Its number among the segments of this name in the message, from 1: ERL.2 (HL7 v2.5.1 ch. 2.A.28)."""
        self._delimiters = delimiters
        self._fields: list[str] | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.name[:3]} {self.sequence}>"

    def field(self, n: int) -> Field:
        """Field `n`; in MSH, field 1 is the field separator itself and field 2 the other delimiters, which are never cut."""
        fields = self._fields or self._cut()
        raw = fields[n] if 0 < n < len(fields) else ""
        return Field(raw, UNCUT if n < 3 and self.name == "MSH" else self._delimiters)

    def repetitions(self, n: int) -> list[Field]:
        """The repetitions of field `n`, see `Field.repetitions`."""
        return self.field(n).repetitions

    def value(self, n: int, component: int = 1, repetition: int = 1, subcomponent: int = 1) -> str:
        """The unescaped value, empty where nothing stands; the null value is its two quote characters."""
        fields = self._fields or self._cut()
        raw = fields[n] if 0 < n < len(fields) else ""
        # No delimiter is a letter or a digit, so there is nothing to cut and nothing to unescape.
        if not raw or raw.isalnum():
            return raw if component == repetition == subcomponent == 1 else ""
        if n < 3 and self.name == "MSH":
            return raw
        return _value(raw, self._delimiters, component, repetition, subcomponent)

    def location(self, n: int | None = None, *, repetition: int | None = None, component: int | None = None) -> Location:
        """Where field `n` stands, for an error that names it."""
        return Location(self.name, self.sequence, n, repetition, component)

    def _cut(self) -> list[str]:
        separator = self._delimiters.field
        fields = self.raw.split(separator)
        if self.name == "MSH":
            fields.insert(1, separator)
        self._fields = fields
        return fields


class Message:
    """A message as it was sent: every segment in its place, known or not."""

    __slots__ = ("_by_name", "delimiters", "segments")

    def __init__(self, delimiters: Delimiters, segments: list[Segment], by_name: dict[str, list[Segment]]) -> None:
        self.delimiters = delimiters
        self.segments = segments
        self._by_name = by_name

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"

    @classmethod
    def parse(cls, text: str, codec: str = "utf-8") -> Self:
        r"""The message in `text`, which begins with MSH after blanks and a byte order mark.

        Segments may end with CR, LF or CRLF; blank ones are dropped, and so is NUL, which no field can hold. `codec` is
        what the text was decoded with and serves `\Xdd..\` only.

        Raises:
            Invalid: there is no MSH, or its first characters cannot be delimiters. Everything else can be read.
        """
        if "\x00" in text:
            text = text.replace("\x00", "")
        if not text.startswith("MSH"):
            text = text.lstrip("\ufeff \t\r\n")
        if "\n" in text:
            text = text.replace("\r\n", "\r").replace("\n", "\r")
        delimiters = declared(text, codec)
        segments: list[Segment] = []
        by_name: dict[str, list[Segment]] = {}
        separator = delimiters.field
        for raw in text.split("\r"):
            if not raw or raw.isspace():
                continue
            name = raw[:3] if raw[3:4] == separator else raw.partition(separator)[0]
            same = by_name.get(name)
            if same is None:
                same = by_name[name] = []
            segment = Segment(name, raw, delimiters, len(same) + 1)
            same.append(segment)
            segments.append(segment)
        return cls(delimiters, segments, by_name)

    @property
    def msh(self) -> Segment:
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        same = self._by_name.get(name)
        return same[0] if same else None

    def all(self, name: str) -> list[Segment]:
        return list(self._by_name.get(name, ()))

    def value(self, name: str, n: int, component: int = 1, repetition: int = 1, subcomponent: int = 1) -> str:
        """The unescaped value in the first segment of that name, empty where nothing stands; see `Segment.value`."""
        same = self._by_name.get(name)
        return same[0].value(n, component, repetition, subcomponent) if same else ""

    def groups(self, start_names: Sequence[str]) -> Iterator[list[Segment]]:
        """The segments from each start to the next one; what stands before the first start is left out.

        `start_names` are given outermost first. A segment of one of these names opens a group, except inside a group
        that an outer name has opened: with `("ORC", "OBR")` an ORC keeps all its OBR, while a message without ORC has
        one group per OBR (HL7 v2.5.1 ch. 4.4.1, segment group ORDER).
        """
        rank = {name: position for position, name in enumerate(start_names)}
        group: list[Segment] = []
        for segment in self.segments:
            inner = rank.get(segment.name)
            if inner is not None and (not group or inner <= rank[group[0].name]):
                if group:
                    yield group
                group = [segment]
            elif group:
                group.append(segment)
        if group:
            yield group
