"""The packaged languages: their texts, and how each writes a date and a time of day."""

import functools
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ris.notice.model import NoticeKind

WORDS = Path(__file__).parent / "words"
LAST_RESORT = "en"


@dataclass(frozen=True, slots=True)
class Written:
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the page behind the link says."""

    title: str
    question: str
    button: str
    done: str


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    name: str
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    date_form: str
    time_form: str
    entry: str
    """What the calendar shows; it says nothing of the exam."""
    page: Page
    texts: dict[NoticeKind, Written]

    def date(self, wall: datetime) -> str:
        return self.date_form.format(
            weekday=self.weekdays[wall.weekday()], month=self.months[wall.month - 1], day=wall.day, year=wall.year
        )  # fmt: skip

    def time(self, wall: datetime) -> str:
        return self.time_form.format(
            hour=f"{wall.hour:02d}", hour12=wall.hour % 12 or 12, minute=f"{wall.minute:02d}", half="am" if wall.hour < 12 else "pm"
        )


@functools.cache
def packaged() -> dict[str, Language]:
    """By ISO 639-1 code."""
    return {path.stem: _read(path) for path in sorted(WORDS.glob("*.toml"))}


def language(code: str) -> Language:
    """How dates are written in a language; in one that is not packaged by numbers alone, the year first."""
    known = packaged()
    return known.get(code) or _by_numbers(code, known[LAST_RESORT])


def _by_numbers(code: str, base: Language) -> Language:
    numbers = tuple(f"{number:02d}" for number in range(1, 13))
    return Language(code, code, ("",) * 7, numbers, "{year}-{month}-{day:02d}", "{hour}:{minute}", base.entry, base.page, {})


def _read(path: Path) -> Language:
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    page = Page(said["page_title"], said["page_question"], said["page_button"], said["page_done"])
    texts = {kind: Written(said[kind]["subject"], said[kind]["body"].strip() + "\n") for kind in NoticeKind}
    return Language(
        path.stem, said["name"], tuple(said["weekdays"]), tuple(said["months"]), said["date"], said["time"], said["entry"], page, texts
    )
