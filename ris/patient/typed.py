"""What a person types to find a patient, taken apart: names in either order, dates of birth, numbers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ris.patient.keys import folded, phone_key

_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b|\b((?:18|19|20)\d\d)(\d\d)(\d\d)\b")
_WRITTEN = re.compile(r"\b(\d{1,2})([./-])(\d{1,2})\2(\d{4})\b")
_MOST_WORDS = 3
"""So many are parted into family and given names; of more the first and the last ones."""
_SHORTEST_PHONE = 6


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, read in one way; everything of it must fit a patient."""

    names: tuple[tuple[str, str], ...] = ()
    """Each way to part the words into family and given names, folded; one of the two may be empty."""
    born: frozenset[date] = frozenset()
    """The days that the date may mean: 05/04/1970 is one of two."""
    numbers: tuple[str, ...] = ()
    """Identifiers as they may be stored."""
    phone: str = ""
    """A telephone number's digits from the last to the first."""


def readings(text: str) -> Iterator[Typed]:
    """The ways to read a text, the likeliest first; a later one is for a text that nobody fits by the ones before."""
    whole = text.strip()
    yield Typed(numbers=_spellings(whole))
    born, rest = _dates(whole)
    words = rest.replace(",", " , ").split()
    numbers = [word for word in words if _has_digit(word)]
    if numbers:
        digits = phone_key("".join(numbers))
        phone = digits if len(digits) >= _SHORTEST_PHONE else ""
        yield Typed(_names([word for word in words if word not in numbers]), born, _spellings(*numbers), phone)
    names = _names([word for word in words if not _has_digit(word) or any(c.isalpha() for c in word)])
    if names or born:
        yield Typed(names, born)


def _has_digit(word: str) -> bool:
    return any(c.isdecimal() for c in word)


def _spellings(*numbers: str) -> tuple[str, ...]:
    return tuple({spelling: None for number in numbers for spelling in (number, number.upper(), number.lower())})


def _names(words: list[str]) -> tuple[tuple[str, str], ...]:
    """With a comma the family name stands before it; without one either may be first, and each may be of several words."""
    if "," in words:
        comma = words.index(",")
        family, given = (folded(" ".join(part)) for part in (words[:comma], words[comma + 1 :]))
        return ((family, given),) if family or given else ()
    names = [name for word in words if (name := folded(word))]
    if len(names) > _MOST_WORDS:
        names = [names[0], *names[1 - _MOST_WORDS :]]
    parted: dict[tuple[str, str], None] = {}
    for first in range(1, len(names) + 1):
        one, other = " ".join(names[:first]), " ".join(names[first:])
        parted |= {(one, other): None, (other, one): None}
    return tuple(parted)


def _dates(text: str) -> tuple[frozenset[date], str]:
    """The days that a date in the text may mean, and the text without it."""
    if match := _ISO.search(text):
        year, month, day = match.group(1, 2, 3) if match[1] else match.group(4, 5, 6)
        days = _days((year, month, day))
    elif match := _WRITTEN.search(text):
        one, other, year = match.group(1, 3, 4)
        days = _days((year, other, one), (year, one, other))
    else:
        return frozenset(), text
    return (days, f"{text[: match.start()]} {text[match.end() :]}") if days else (days, text)


def _days(*written: tuple[str, str, str]) -> frozenset[date]:
    days = set()
    for year, month, day in written:
        try:
            days.add(date(int(year), int(month), int(day)))
        except ValueError:
            continue
    return frozenset(days)
