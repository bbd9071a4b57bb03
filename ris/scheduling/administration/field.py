"""The fields of what is administered: each reads the text of a form or a file, and writes a stored value as such a text."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from ris.base.errors import Invalid

LONGEST = 200
YES, NO = "yes", "no"
DASHES = "\N{EN DASH}"
"""What people type between two times beside the hyphen."""


class Wrong(Invalid):
    """Values that cannot be kept: the name of each field with what is wrong with it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A line of text."""

    name: str
    label: str
    help: str = ""
    required: bool = False
    fixed: bool = False
    """Given when the thing is added, and never changed."""
    longest: int = LONGEST
    default: str = ""

    def read(self, text: str) -> Any:
        """The value of a text that is not empty. Raises ValueError saying what is wrong."""
        if len(text) > self.longest:
            raise ValueError(f"{self.label} has at most {self.longest} characters")
        return text

    def write(self, value: Any) -> str:
        return str(value)

    @property
    def nothing(self) -> Any:
        """What an empty text stands for."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code(Field):
    """A short name without blanks, by which files and messages know the thing."""

    longest: int = 16

    def read(self, text: str) -> Any:
        if not text.isascii() or any(char in "^|~\\&\"',;" or char.isspace() for char in text):
            raise ValueError(f"{self.label} has no blanks and none of ^ | ~ \\ & \" ' , ;")
        return Field.read(self, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Field):
    least: int
    most: int

    def read(self, text: str) -> Any:
        if not (text.isascii() and text.isdigit() and self.least <= int(text) <= self.most):
            raise ValueError(f"{self.label} is a whole number from {self.least} to {self.most}")
        return int(text)

    @property
    def nothing(self) -> Any:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNo(Field):
    default: str = YES

    def read(self, text: str) -> Any:
        if text.lower() not in (YES, NO):
            raise ValueError(f"{self.label} is yes or no")
        return text.lower() == YES

    def write(self, value: Any) -> str:
        return YES if value else NO

    @property
    def nothing(self) -> Any:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Field):
    """One of a few words, each with what a person reads."""

    choices: Mapping[str, str]
    kind: type[StrEnum] | None = None

    def read(self, text: str) -> Any:
        if text not in self.choices:
            raise ValueError(f"{self.label} is one of {', '.join(self.choices)}")
        return self.kind(text) if self.kind else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Field):
    """Words between blanks."""

    def read(self, text: str) -> Any:
        return sorted(set(Field.read(self, text).split()))

    def write(self, value: Any) -> str:
        return " ".join(value)

    @property
    def nothing(self) -> Any:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Field):
    """The code of another thing: which ones there are depends on the site and the person, so the sheet looks it up."""

    of: str
    """A key of `ris.scheduling.administration.sheet.NAMED`."""
    empty: str = ""
    """What none of them means; nothing where one has to be named."""

    @property
    def nothing(self) -> Any:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Field):
    """A time of the wall clock."""

    is_end: bool = False
    """Whether 00:00 is the midnight that ends the day."""

    def read(self, text: str) -> Any:
        return clock(text, self.label)

    def write(self, value: Any) -> str:
        return end_text(value) if self.is_end else f"{value:%H:%M}"

    @property
    def nothing(self) -> Any:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(Field):
    def read(self, text: str) -> Any:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{self.label} is written like 2026-12-24") from None

    def write(self, value: Any) -> str:
        return str(value.isoformat())

    @property
    def nothing(self) -> Any:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WallClock(Field):
    """A day and a time by the wall clock of the site; what is read has no zone yet."""

    def read(self, text: str) -> Any:
        try:
            return datetime.fromisoformat(text.replace(" ", "T")).replace(tzinfo=None, second=0, microsecond=0)
        except ValueError:
            raise ValueError(f"{self.label} is written like 2026-12-24T14:00") from None

    def write(self, value: Any) -> str:
        return f"{value:%Y-%m-%dT%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans(Field):
    """Times of one day in which something is open: `07:00-12:00 13:00-19:00`; empty: closed."""

    def read(self, text: str) -> Any:
        spans = [self._span(part) for part in text.replace(DASHES, "-").replace(",", " ").replace(" - ", "-").split()]
        spans.sort()
        for (_, ends), (begins, _) in itertools.pairwise(spans):
            if ends == time() or begins < ends:
                raise ValueError(f"{self.label}: two of the times overlap")
        return spans

    def write(self, value: Any) -> str:
        return " ".join(f"{opens:%H:%M}-{end_text(closes)}" for opens, closes in sorted(value))

    @property
    def nothing(self) -> Any:
        return []

    def _span(self, part: str) -> tuple[time, time]:
        opens, dash, closes = part.partition("-")
        if not dash:
            raise ValueError(f"{self.label} is written like 07:00-12:00 13:00-19:00, and empty for a day without hours")
        first, last = clock(opens, self.label), clock(closes, self.label)
        check_order(first, last, self.label)
        return first, last


def clock(text: str, label: str) -> time:
    """24:00 is the midnight that ends the day, as 00:00 is. Raises ValueError."""
    try:
        return time.fromisoformat("00:00" if text == "24:00" else text.zfill(5)).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise ValueError(f"{label}: a time is written like 07:30") from None


def end_text(closes: time) -> str:
    return "24:00" if closes == time() else f"{closes:%H:%M}"


def check_order(first: time, last: time, label: str) -> None:
    """Raises ValueError where the end is not after the beginning; an end of 00:00 is midnight."""
    if last != time() and first >= last:
        raise ValueError(f"{label}: {first:%H:%M} is not before {last:%H:%M}")


def read(fields: tuple[Field, ...], texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Name to value of every field that can be read, and name to what is wrong with the others."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields:
        text = texts.get(field.name, "").strip()
        if not text:
            if field.required:
                errors[field.name] = f"{field.label} is needed"
            else:
                values[field.name] = field.nothing
            continue
        try:
            values[field.name] = field.read(text)
        except ValueError as error:
            errors[field.name] = str(error)
    return values, errors
