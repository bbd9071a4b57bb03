"""What a person wrote into a form, read field by field: an error stands beside its field, and nothing that was written is lost."""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from typing import TypeVar

Choice = TypeVar("Choice", bound=StrEnum)
LONGEST = 200


class Form:
    """The values as they were written, and what is wrong with them, by the name of the field."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = {name: value.strip() for name, value in (values or {}).items()}
        self.errors: dict[str, str] = {}

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def text(self, name: str, label: str, *, required: bool = False, longest: int = LONGEST) -> str:
        """A text of one or more lines."""
        text = self.value(name)
        if required and not text:
            self.errors[name] = f"{label} is needed."
        if len(text) > longest:
            self.errors[name] = f"{label} has at most {longest} characters."
        return text

    def day(self, name: str, label: str, *, required: bool = False, first: date | None = None, last: date | None = None) -> date | None:
        """A date of the calendar within the bounds; None where it is empty or wrong."""
        text = self.text(name, label, required=required)
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
        except ValueError:
            self.errors[name] = f"{label} is written like 1970-05-17."
            return None
        if first is not None and day < first:
            self.errors[name] = f"{label} is before {first}."
        if last is not None and day > last:
            self.errors[name] = f"{label} is after {last}."
        return day if name not in self.errors else None

    def number(self, name: str, label: str, *, least: int, most: int, required: bool = False) -> int | None:
        text = self.text(name, label, required=required)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            self.errors[name] = f"{label} is a whole number from {least} to {most}."
            return None
        return int(text)

    def choice(self, name: str, label: str, kind: type[Choice], *, default: Choice | None = None) -> Choice | None:
        """A member of an enumeration; `default` where nothing was chosen."""
        text = self.value(name)
        if text in {member.value for member in kind}:
            return kind(text)
        if text or default is None:
            self.errors[name] = f"{label}: choose one."
        return default

    def key(self, name: str, label: str, known: Collection[int], *, required: bool = True) -> int | None:
        """The key of a row that was chosen among those known."""
        text = self.value(name)
        if text.isascii() and text.isdigit() and int(text) in known:
            return int(text)
        if text or required:
            self.errors[name] = f"{label}: choose one."
        return None
