"""The sections of a report text: a line that begins with one of the usual headings, in capital letters or with a colon behind."""

import re
from dataclasses import dataclass

_KNOWN = (
    "ADDENDUM", "ASSESSMENT", "CLINICAL", "COMMENT", "COMPARISON", "CONCLUSION", "CONTRAST", "DOSE", "EXAM", "FINDING", "HISTORY",
    "IMPRESSION", "INDICATION", "LABORATORY", "OPINION", "PRIOR", "PROCEDURE", "PROTOCOL", "REASON", "RECOMMENDATION", "STUDY",
    "SUMMARY", "TECHNIQUE",
)  # fmt: skip
"""What a heading begins with. Other words in capitals part a section (`LIVER:`) and do not end it."""
_BEGIN = "|".join(_KNOWN)
_HEADING = re.compile(
    rf"^[ \t]*((?:{_BEGIN})[A-Z/&() -]*(?=[ \t]*(?::|$))|(?i:(?:{_BEGIN})[A-Z]*(?:[ \t][A-Z/&-]+){{0,2}})(?=[ \t]*:))[ \t]*:?", re.MULTILINE
)


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
    heads = list(_HEADING.finditer(text))
    first = heads[0].start() if heads else len(text)
    ends = [*(head.start() for head in heads[1:]), len(text)]
    found = [Section(head[1].strip().upper(), head.start(), head.end(), end) for head, end in zip(heads, ends, strict=False)]
    return (Section("", 0, 0, first), *found)
