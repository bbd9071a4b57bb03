"""The sections of a report text: a line in capital letters, with or without a colon, is a heading."""

import re
from dataclasses import dataclass

_HEADING = re.compile(r"^[ \t]*([A-Z][A-Z/&() -]*[A-Z)])[ \t]*(?::|$)", re.MULTILINE)
LONGEST_HEADING = 40
"""A longer line of capitals is something that somebody shouts."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where it stands in the text, as offsets; `start` is after the heading."""

    name: str
    """Empty for what stands before the first heading."""
    heading: int
    start: int
    end: int


def sections(text: str) -> tuple[Section, ...]:
    """In their order; together they hold the whole text."""
    heads = [match for match in _HEADING.finditer(text) if len(match[1]) <= LONGEST_HEADING]
    first = heads[0].start() if heads else len(text)
    ends = [*(head.start() for head in heads[1:]), len(text)]
    found = [Section(head[1], head.start(), head.end(), end) for head, end in zip(heads, ends, strict=False)]
    return (Section("", 0, 0, first), *found)
