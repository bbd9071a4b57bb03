"""The words of a report by section, and what a person asks for; both folded in one way, so that every engine finds the same."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ris.base.errors import Invalid
from ris.patient.keys import folded
from ris.report.writing.sections import sections

MOST_WORDS = 12_000
"""Of a report; what stands behind them is not found. PostgreSQL counts positions to 16,383."""
LONGEST_WORD = 48
MOST_ASKED = 20
_WORD = re.compile(r"[^\W_]+")
_ASKED = re.compile(r'(?P<no>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>\S+))')


class Part(StrEnum):
    """Where in a report a word stands."""

    impression = "impression"
    findings = "findings"
    other = "other"


PART_OF = {"IMPRESSION": Part.impression, "CONCLUSION": Part.impression, "OPINION": Part.impression,
           "FINDINGS": Part.findings, "FINDING": Part.findings}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is compared, and where it stands in the text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand one behind the other; of the last one perhaps only the beginning."""

    words: tuple[str, ...]
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Every one of `wanted` must be in a report, none of `unwanted`."""

    wanted: tuple[Phrase, ...]
    unwanted: tuple[Phrase, ...]


def composed(text: str) -> str:
    """Letters and their accents as one sign each, so that a word is not cut at an accent."""
    return unicodedata.normalize("NFC", text)


def words_of(text: str) -> Iterator[Word]:
    """Of a composed text, in their order."""
    for match in _WORD.finditer(text):
        yield Word(folded(match[0])[:LONGEST_WORD], match.start(), match.end())


def parts_of(text: str) -> dict[Part, list[Word]]:
    """The words of each part of a composed text, as far as MOST_WORDS go."""
    found: dict[Part, list[Word]] = {part: [] for part in Part}
    left = MOST_WORDS
    for section in sections(text):
        own = found[PART_OF.get(section.name, Part.other)]
        for word in words_of(text[section.heading : section.end]):
            if left == 0:
                return found
            own.append(Word(word.text, word.start + section.heading, word.end + section.heading))
            left -= 1
    return found


def question(text: str) -> Question:
    """What a person has typed: words, "words in a phrase", -without, begun*. A word with a hyphen or an apostrophe is a phrase.

    Raises Invalid when nothing is wanted, or too much.
    """
    wanted: list[Phrase] = []
    unwanted: list[Phrase] = []
    for match in _ASKED.finditer(composed(text)):
        said = match["phrase"] if match["phrase"] is not None else match["word"]
        if words := tuple(word.text for word in words_of(said)):
            (unwanted if match["no"] else wanted).append(Phrase(words, said.endswith("*")))
    if not wanted:
        raise Invalid("write at least one word that the report has; -word leaves out reports with it")
    if len(wanted) + len(unwanted) > MOST_ASKED:
        raise Invalid(f"ask for at most {MOST_ASKED} words or phrases")
    return Question(tuple(wanted), tuple(unwanted))
