"""The public holidays of a country or a part of it, by their names: which days, and what there is to choose from."""

import functools
from collections.abc import Mapping
from datetime import date

ENGLISH = "en_US"
OBSERVED = " (observed)"
"""What the calendar writes behind a holiday that is kept on a working day beside its own."""
A_CYCLE = range(2024, 2052)
"""After 28 years the days of the week fall on the same dates again."""


@functools.lru_cache(maxsize=256)
def of_year(country: str, subdivision: str, year: int) -> Mapping[date, tuple[str, ...]]:
    """Day to the names of what is kept on it, in English where there is such; nothing for no country."""
    if not country:
        return {}
    import holidays  # noqa: PLC0415 (most processes need none of it)

    language = ENGLISH if ENGLISH in holidays.list_localized_countries().get(country, ()) else None
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=year, expand=False, language=language)
    return {day: tuple(sorted(name.removesuffix(OBSERVED) for name in found.get_list(day))) for day in sorted(found)}


@functools.cache
def countries() -> Mapping[str, tuple[str, ...]]:
    """ISO 3166-1 alpha-2 to the parts (ISO 3166-2 without the country) that keep holidays of their own."""
    import holidays  # noqa: PLC0415 (most processes need none of it)

    known = holidays.list_supported_countries(include_aliases=False)
    return {country: tuple(parts) for country, parts in sorted(known.items())}


@functools.lru_cache(maxsize=64)
def names(country: str, subdivision: str) -> tuple[str, ...]:
    """Every holiday that comes in a cycle of the calendar, in the order in which they first come in a year."""
    days: dict[str, tuple[int, int]] = {}
    for year in A_CYCLE:
        for day, found in of_year(country, subdivision, year).items():
            for name in found:
                days.setdefault(name, (day.month, day.day))
    return tuple(sorted(days, key=lambda name: days[name]))
