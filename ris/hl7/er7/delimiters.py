"""The delimiters of ER7, and how text is escaped so that none of it is taken for one."""

import dataclasses
import re
from collections.abc import Mapping
from functools import lru_cache

from ris.base.errors import Invalid, Location

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

UNCUT = Delimiters("\x00", "\x01", "\x02", "\x03", "\x04")
"""For the values that hold the delimiters themselves."""


def unescape(text: str, delimiters: Delimiters) -> str:
    r"""What `text` means, decoded exactly once (HL7 v2.5.1 ch. 2.7).

    `\F\ \S\ \T\ \R\ \E\` and, where declared, `\P\` become their delimiter, `\.br\` a newline, and `\Xdd..\` the text
    of these bytes without NUL. Highlighting, charset switches, local sequences, other formatting commands, unknown sequences and a
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
        return bytes.fromhex(digits).decode(codec).replace("\x00", "")
    except ValueError:
        return ""


def escape(text: str, delimiters: Delimiters) -> str:
    r"""`text` as it may stand in any field: it can neither end its field nor its segment nor its frame.

    Delimiters become their escape sequence and every kind of line break `\.br\`; a tab becomes a space, and other
    control characters are left out, since no field of HL7 v2 can hold them.
    """
    if text.isalnum() or delimiters.unsafe.search(text) is None:
        return text
    return delimiters.unsafe.sub(lambda match: delimiters.replacements[match[0]], text)


def declared(text: str, codec: str) -> Delimiters:
    """The delimiters that a message names, whose text begins with its MSH segment.

    Raises:
        Invalid: there is no MSH, or its first characters cannot be delimiters.
    """
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
