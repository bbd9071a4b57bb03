"""How well a patient fits what was typed: names, birth date and telephone number, each compared as people err."""

from collections.abc import Collection
from datetime import date

from rapidfuzz.distance import OSA

from ris.patient.keys import sound

ALSO = 0.97
"""Of a name that is not the record's own."""
SAME, BEGINS, PART, ONE_ERROR, SOUNDS = 1.0, 0.95, 0.9, 0.85, 0.75


def names(family: str, given: str, *, family_key: str, given_key: str) -> float:
    """From 0 (one of the names is another) to 1 (both are the same); an empty one makes no demand. All are folded."""
    return name(family, family_key) * name(given, given_key)


def name(typed: str, known: str) -> float:
    """Of one name, family or given: the same, its beginning, a word of it, one error, the same sound; 0 for another name."""
    if not typed or typed == known:
        return SAME
    if not known:
        return 0.0
    if known.startswith(typed):
        return BEGINS
    words = known.split(" ")
    if typed in words:
        return PART
    if has_one_error(typed, known):
        return ONE_ERROR
    if len(words) > 1 and any(has_one_error(typed, word) for word in words):
        return ONE_ERROR * PART
    spoken = sound(typed) if " " not in typed else ""
    return SOUNDS if spoken and spoken == sound(known) else 0.0


def has_one_error(typed: str, known: str) -> bool:
    """Whether one letter was left out, added, replaced or exchanged with its neighbour, in a name that is long enough for it."""
    return len(typed) > 2 and OSA.distance(typed, known, score_cutoff=1) <= 1


def birth_date(days: Collection[date], known: date | None) -> float:
    """1 for one of the days, 0.8 for one error in writing or day and month exchanged, 0.7 where it is not known, 0.5 for another."""
    if not days or known in days:
        return 1.0
    if known is None:
        return 0.7
    return 0.8 if any(_is_near(day, known) for day in days) else 0.5


def _is_near(day: date, known: date) -> bool:
    is_exchanged = (day.year, day.month, day.day) == (known.year, known.day, known.month)
    return is_exchanged or OSA.distance(f"{day:%Y%m%d}", f"{known:%Y%m%d}", score_cutoff=1) <= 1
