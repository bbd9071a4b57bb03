"""ER7, the text form of HL7 v2 messages: where each value stands, and how text is escaped on the way in and out.

A message is cut into segments at once and into fields only where somebody looks. A value is cut at repetitions,
components and subcomponents in that order and unescaped last, so that an escaped delimiter never moves a neighbour.
Positions count from 1 as the standard counts them; a position that a message does not have reads as the empty string.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Self, TypeAlias

from ris.base.errors import Invalid, Location

NULL = '""'
"""The value that says *delete what you have*, while an empty field says nothing (HL7 v2.5.1 ch. 2.6)."""

_DEFAULTS = "^~\\&"
_SPARE = "^~\\&$%@!*"
_LINE_BREAKS = ("\r", "\n", "\v", "\f", "\x85", "\u2028", "\u2029")
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))


@dataclasses.dataclass(frozen=True, slots=True)
class Delimiters:
    """The characters that a message is cut at (HL7 v2.5.1 ch. 2.5.4), and the codec that its `\\Xdd..\\` bytes are in.

    All are different from each other and none is a letter or a digit. `truncation` is empty where the message names none
    (it came with version 2.7).
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    codec: str = "utf-8"
    sequences: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)
    """Matches every escape sequence that the standard knows, so that any other backslash is left alone."""
    unsafe: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)
    """Matches every character that may not go out as it is."""
    replacements: Mapping[str, str] = dataclasses.field(init=False, repr=False, compare=False)
    meanings: Mapping[str, str] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        mark = re.escape(self.escape)
        replacements = self._replacements()
        characters = "".join(re.escape(character) for character in replacements)
        known = rf"{mark}([FSTREPHN]|[XCM][0-9A-Fa-f]*|Z[0-9A-Za-z]*|\.[A-Za-z]{{2}}(?:[+-]?\d+)??){mark}"
        object.__setattr__(self, "sequences", re.compile(known, re.ASCII))
        object.__setattr__(self, "unsafe", re.compile(f"\r\n|[{characters}]"))
        object.__setattr__(self, "replacements", replacements)
        object.__setattr__(self, "meanings", self._meanings())

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation

    def _meanings(self) -> dict[str, str]:
        letters = zip("FSTRE", (self.field, self.component, self.subcomponent, self.repetition, self.escape), strict=True)
        meanings = {**dict(letters), ".br": "\n", ".BR": "\n"}
        return {**meanings, "P": self.truncation} if self.truncation else meanings

    def _replacements(self) -> dict[str, str]:
        # Where the full stop is a delimiter the sequence .br would be cut in two.
        line_break = "X0A" if "." in self.field + self.encoding else ".br"
        replacements = {chr(code): "" for code in _CONTROLS} | {"\t": " "}
        replacements |= dict.fromkeys(("\r\n", *_LINE_BREAKS), f"{self.escape}{line_break}{self.escape}")
        for letter, character in self._meanings().items():
            if character != "\n":
                replacements[character] = f"{self.escape}{letter}{self.escape}"
        return replacements


STANDARD = Delimiters()
"""The delimiters that the standard recommends, and that we write."""

_UNCUT = Delimiters("\x00", "\x01", "\x02", "\x03", "\x04")


def unescape(text: str, delimiters: Delimiters) -> str:
    r"""What `text` means, decoded exactly once (HL7 v2.5.1 ch. 2.7).

    `\F\ \S\ \T\ \R\ \E\` and, where declared, `\P\` become their delimiter, `\.br\` a newline, and `\Xdd..\` the text
    of these bytes. Highlighting, charset switches, local sequences, other formatting commands, unknown sequences and a
    backslash on its own stay as they are.
    """
    if delimiters.escape not in text:
        return text
    parts = text.split(delimiters.escape, 3)
    if len(parts) == 3 and parts[1] in delimiters.meanings:
        # One plain sequence is what most escaped values have, and this is twice as fast.
        return parts[0] + delimiters.meanings[parts[1]] + parts[2]
    return delimiters.sequences.sub(lambda match: _meaning(match, delimiters), text)


def _meaning(match: re.Match[str], delimiters: Delimiters) -> str:
    sequence = match[1]
    if sequence[0] == "X":
        return _decoded(sequence[1:], delimiters.codec) or match[0]
    return delimiters.meanings.get(sequence, match[0])


def _decoded(digits: str, codec: str) -> str:
    try:
        return bytes.fromhex(digits).decode(codec)
    except ValueError:
        return ""


def escape(text: str, delimiters: Delimiters) -> str:
    r"""`text` as it may stand in any field: it can neither end its field nor its segment nor its frame.

    Delimiters become their escape sequence and every kind of line break `\.br\`; a tab becomes a space, and other
    control characters are left out, since no field of HL7 v2 can hold them.
    """
    if delimiters.unsafe.search(text) is None:
        return text
    return delimiters.unsafe.sub(lambda match: delimiters.replacements[match[0]], text)


class Field:
    """A field, or one of its repetitions."""

    __slots__ = ("_delimiters", "raw")

    def __init__(self, raw: str, delimiters: Delimiters) -> None:
        self.raw = raw
        """As it stands in the message, still escaped."""
        self._delimiters = delimiters

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
        return _value(self.raw, self._delimiters, i, 1, sub)

    def component_text(self, i: int) -> str:
        """The whole of component `i` of the first repetition, with subcomponent delimiters left in place.

        It is the value of a component that has no subcomponents by its data type, of a sender who does not escape `&`.
        """
        first = self.raw.partition(self._delimiters.repetition)[0]
        return unescape(_part(first.split(self._delimiters.component), i), self._delimiters)


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
        return Field(raw, _UNCUT if n < 3 and self.name == "MSH" else self._delimiters)

    def repetitions(self, n: int) -> list[Field]:
        """The repetitions of field `n`, see `Field.repetitions`."""
        return self.field(n).repetitions

    def value(self, n: int, component: int = 1, repetition: int = 1, subcomponent: int = 1) -> str:
        """The unescaped value, empty where nothing stands; the null value is its two quote characters."""
        fields = self._fields or self._cut()
        if not 0 < n < len(fields):
            return ""
        raw = fields[n]
        # No delimiter is a letter or a digit, so there is nothing to cut and nothing to unescape.
        if raw.isalnum():
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

        Segments may end with CR, LF or CRLF; blank ones are dropped. `codec` is what the text was decoded with and
        serves `\Xdd..\` only.

        Raises:
            Invalid: there is no MSH, or its first characters cannot be delimiters. Everything else can be read.
        """
        if not text.startswith("MSH"):
            text = text.lstrip("\ufeff\x00 \t\r\n")
        if "\n" in text:
            text = text.replace("\r\n", "\r").replace("\n", "\r")
        delimiters = _declared(text, codec)
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


def _declared(text: str, codec: str) -> Delimiters:
    if not text.startswith("MSH"):
        raise Invalid("The message does not begin with an MSH segment", error_code="100", location=Location("MSH"))
    separator = text[3:4]
    if not _can_delimit(separator):
        raise Invalid("MSH-1 is not a field separator", location=Location("MSH", field=1))
    return _delimiters(separator, _encoding_characters(text, separator), codec)


def _encoding_characters(text: str, separator: str) -> str:
    return text[4:10].partition(separator)[0].partition("\r")[0][:5]


def _can_delimit(character: str) -> bool:
    return character.isprintable() and not character.isalnum() and character not in ("", " ", '"')


@lru_cache(maxsize=256)
def _delimiters(separator: str, encoding: str, codec: str) -> Delimiters:
    """The delimiters of MSH-2, each one that is missing, impossible or taken replaced by its default.

    Three characters of which `&` is the last are taken for `^~\\&` that lost its backslash in a string literal.
    """
    if len(encoding) == 3 and encoding[2] == "&":
        encoding = encoding[:2] + "\\&"
    chosen = [separator]
    for position, default in enumerate(_DEFAULTS):
        candidates = encoding[position : position + 1] + default + _SPARE
        chosen.append(next(each for each in candidates if _can_delimit(each) and each not in chosen))
    truncation = encoding[4:5]
    if not _can_delimit(truncation) or truncation in chosen:
        truncation = ""
    field, component, repetition, escape, subcomponent = chosen
    return Delimiters(field, component, repetition, escape, subcomponent, truncation, codec)


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
