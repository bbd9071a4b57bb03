"""The fields of a kind of reference data: each reads what a person writes in a form or a file, and writes it again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""What no text of ours holds; a database refuses some of it."""
YES, NO = "yes", "no"
_SAID = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


class Wrong(Exception):
    """A value that cannot be taken: what is wrong with it, and what to write instead."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class Known:
    """Codes of reference data and their keys, each table read once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._ids: dict[type[Any], dict[str, int]] = {}
        self._codes: dict[type[Any], dict[int, str]] = {}

    def ids(self, model: type[Any]) -> Mapping[str, int]:
        if model not in self._ids:
            self._ids[model] = dict(self.session.execute(sa.select(model.code, model.id)).all())
        return self._ids[model]

    def codes(self, model: type[Any]) -> Mapping[int, str]:
        if model not in self._codes:
            self._codes[model] = {key: code for code, key in self.ids(model).items()}
        return self._codes[model]


@dataclass(frozen=True, slots=True)
class Field:
    """One line of text."""

    name: str
    """Of the column in a file and of the input in a form."""
    label: str
    help: str = ""
    required: bool = False
    default: str = ""
    """What a new one has where nothing is said."""
    longest: int = 200

    @property
    def attribute(self) -> str:
        """Of the row."""
        return self.name

    @property
    def told(self) -> str:
        """What may be written, for who fills in a file."""
        return f"at most {self.longest} characters"

    def take(self, known: Known, text: str) -> Any:
        """The value that a text means. Raises Wrong."""
        if self.required and not text:
            raise Wrong("is empty", f"write {self.told}")
        if len(text) > self.longest:
            raise Wrong(f"has {len(text)} characters", f"write {self.told}")
        if CONTROL.search(text):
            raise Wrong("holds a character that is no text", "type the value anew; save the file as CSV UTF-8")
        return self.read(known, text)

    def read(self, known: Known, text: str) -> Any:
        return text

    def write(self, known: Known, value: Any) -> str:
        return str(value)

    @property
    def control(self) -> str:
        """What a form has for it: text, lines or select."""
        return "text"

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Value and what a person reads for it, of a select."""
        return ()

    def shown(self, text: str) -> str:
        """As a person reads what `write` has written."""
        return dict(self.options).get(text, text)


@dataclass(frozen=True, slots=True)
class Lines(Field):
    """A text of several lines."""

    longest: int = 4000
    rows: int = 3

    @property
    def control(self) -> str:
        return "lines"

    def read(self, known: Known, text: str) -> Any:
        return text.replace("\r\n", "\n").replace("\r", "\n").strip()


@dataclass(frozen=True, slots=True)
class Code(Field):
    """What machines and files call it; in capitals, since whoever types one need not know how it was written."""

    required: bool = True
    longest: int = 16
    """(0008,0100) and most senders' fields take no more."""

    @property
    def told(self) -> str:
        return f"1 to {self.longest} capital letters, digits, - _ or ."

    def read(self, known: Known, text: str) -> Any:
        if not re.fullmatch(r"[A-Z0-9._-]+", text):
            raise Wrong("holds something else than capital letters, digits, - _ or .", f"write {self.told}")
        return text


@dataclass(frozen=True, slots=True)
class Language(Field):
    required: bool = True

    @property
    def told(self) -> str:
        return "two small letters (ISO 639-1), such as es or de"

    def read(self, known: Known, text: str) -> Any:
        if not re.fullmatch(r"[a-z]{2}", text):
            raise Wrong("is no language", f"write {self.told}")
        return text


@dataclass(frozen=True, slots=True)
class Number(Field):
    least: int = 0
    most: int = 1440

    @property
    def told(self) -> str:
        return f"a whole number from {self.least} to {self.most}{'' if self.required else ', or nothing'}"

    def read(self, known: Known, text: str) -> Any:
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and self.least <= int(text) <= self.most):
            raise Wrong(f"is not {self.told}", f"write {self.told}")
        return int(text)

    def write(self, known: Known, value: Any) -> str:
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Amount(Field):
    """Money in the currency of each site, kept as minor units."""

    @property
    def told(self) -> str:
        return "an amount like 120 or 120.50, or nothing"

    def read(self, known: Known, text: str) -> Any:
        if not text:
            return None
        if not (match := re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{2}))?", text)):
            raise Wrong(f"is not {self.told}", f"write {self.told}")
        return int(match[1]) * 100 + int(match[2] or 0)

    def write(self, known: Known, value: Any) -> str:
        return "" if value is None else f"{value // 100}.{value % 100:02d}"


@dataclass(frozen=True, slots=True)
class YesNo(Field):
    default: str = NO

    @property
    def control(self) -> str:
        return "select"

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        return (YES, YES), (NO, NO)

    @property
    def told(self) -> str:
        return "yes or no"

    def read(self, known: Known, text: str) -> Any:
        if text.lower() not in _SAID:
            raise Wrong("is neither yes nor no" if text else "is empty", "write yes or no")
        return _SAID[text.lower()]

    def write(self, known: Known, value: Any) -> str:
        return YES if value else NO


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of an enumeration."""

    required: bool = True
    of: type[StrEnum] = StrEnum
    labels: Iterable[tuple[str, str]] = ()
    """Value and what a person reads for it; without them the value is read."""

    @property
    def control(self) -> str:
        return "select"

    @property
    def told(self) -> str:
        return f"one of {', '.join(value for value, _ in self.options if value)}{'' if self.required else ', or nothing'}"

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        named = tuple(self.labels) or tuple((member.value, member.value.replace("_", " ")) for member in self.of)
        return named if self.required else (("", "any"), *named)

    def write(self, known: Known, value: Any) -> str:
        return "" if value is None else str(value)

    def read(self, known: Known, text: str) -> Any:
        if not text:
            return None
        if text not in {member.value for member in self.of}:
            raise Wrong("is none of those that there are", f"write {self.told}")
        return self.of(text)


@dataclass(frozen=True, slots=True)
class Reference(Field):
    """The code of something else of the catalogue; the row holds its key."""

    required: bool = True
    longest: int = 64
    to: type[Any] = object

    @property
    def attribute(self) -> str:
        return f"{self.name}_id"

    @property
    def told(self) -> str:
        return f"the code of a {self.name}{'' if self.required else ', or nothing'}"

    def read(self, known: Known, text: str) -> Any:
        if not text:
            return None
        if text not in known.ids(self.to):
            raise Wrong(f"{text} is no {self.name} of ours", f"write {self.told}, or add that {self.name} first")
        return known.ids(self.to)[text]

    def write(self, known: Known, value: Any) -> str:
        return "" if value is None else known.codes(self.to)[value]


@dataclass(frozen=True, slots=True)
class References(Field):
    """Codes of several others, in their order."""

    longest: int = 400
    to: type[Any] = object

    @property
    def told(self) -> str:
        return f"codes of {self.name}, parted by blanks"

    def read(self, known: Known, text: str) -> Any:
        codes = list(dict.fromkeys(text.split()))
        if unknown := [code for code in codes if code not in known.ids(self.to)]:
            raise Wrong(f"{' '.join(unknown)}: no {self.name} of ours", f"write {self.told}")
        return codes

    def write(self, known: Known, value: Any) -> str:
        return " ".join(value)
