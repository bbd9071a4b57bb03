"""What can be set of a kind of rule: name, meaning, what it begins with and what it may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ris.base.errors import Invalid
from ris.scheduling.rules import selector

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Number:
    name: str
    label: str
    default: int
    lowest: int
    highest: int
    help: str = ""

    def read(self, text: str) -> int:
        """Raises Invalid, naming the value, for what is no whole number of the range."""
        if not text.strip().isdecimal() or not self.lowest <= int(text) <= self.highest:
            raise Invalid(f"{self.label}: a whole number from {self.lowest} to {self.highest}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Exams:
    name: str
    label: str
    default: str
    help: str = selector.HOW

    def read(self, text: str) -> str:
        """Raises Invalid for what names no exam."""
        return selector.check(text)


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    label: str
    default: str
    choices: tuple[str, ...]
    help: str = ""

    def read(self, text: str) -> str:
        """Raises Invalid for none of the choices."""
        if text not in self.choices:
            raise Invalid(f"{self.label}: one of {', '.join(self.choices)}")
        return text


@dataclass(frozen=True, slots=True)
class Text:
    name: str
    label: str
    default: str
    longest: int = 200
    help: str = ""

    def read(self, text: str) -> str:
        """Raises Invalid for an empty text and for one beyond the longest."""
        if not 0 < len(text.strip()) <= self.longest:
            raise Invalid(f"{self.label}: from 1 to {self.longest} characters")
        return text.strip()


Parameter = Number | Exams | Choice | Text
