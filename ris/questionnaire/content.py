"""A questionnaire as data: items with their texts in several languages, conditions, and what a positive answer means."""

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any

from ris.catalog.model import Modality
from ris.patient.model import Answer, Question, Sex
from ris.patient.screening import ANSWERS

Texts = Mapping[str, str]
"""Language (ISO 639-1) to what is shown in it."""

LANGUAGES = {
    "en": "English", "es": "Español", "de": "Deutsch", "fr": "Français", "it": "Italiano", "pl": "Polski", "pt": "Português",
    "tr": "Türkçe", "ru": "Русский", "uk": "Українська", "ar": "العربية", "zh": "中文",
    "vi": "Tiếng Việt",
}  # fmt: skip
"""What a questionnaire may be written in, each by its own name."""
RIGHT_TO_LEFT = frozenset(("ar",))
LONGEST_TEXT, LONGEST_LABEL, MOST_ITEMS, LONGEST_VALIDITY = 1000, 80, 100, 3650
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


def direction(language: str) -> str:
    """Of its writing, as HTML's `dir` says it."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


class Kind(enum.StrEnum):
    """As `Questionnaire.item.type` of FHIR R4: boolean, choice, decimal, date and text."""

    yes_no = "yes_no"
    """Also answered with `unsure`."""
    choice = "choice"
    number = "number"
    date = "date"
    text = "text"


YES_NO = ("yes", "no", "unsure")


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `finding`, `safety`, `says`, `days` and `stops` tell what a positive answer means."""

    key: str = ""
    kind: Kind = Kind.yes_no
    text: Texts = field(default_factory=dict)
    help: Texts = field(default_factory=dict)
    required: bool = True
    choices: Mapping[str, Texts] = field(default_factory=dict)
    """Value to its texts, in order."""
    unit: str = ""
    least: float | None = None
    most: float | None = None
    when_key: str = ""
    """It is asked only where the item with this key was answered with one of `when_is`; empty: always."""
    when_is: tuple[str, ...] = ()
    positive_is: tuple[str, ...] = ()
    below: float | None = None
    above: float | None = None
    finding: str = ""
    """What staff read; empty for an item whose answer means nothing by itself."""
    safety: Question | None = None
    """The fact of the safety screen that it answers."""
    says: Answer = Answer.yes
    """What a positive answer says there."""
    days: int | None = None
    """So long the finding holds; None: for ever."""
    stops: bool = False
    """Whether an exam begins over the finding only with a reason."""

    @property
    def values(self) -> tuple[str, ...]:
        """What may be chosen; empty where something is typed."""
        return YES_NO if self.kind is Kind.yes_no else tuple(self.choices)


@dataclass(frozen=True, slots=True)
class Audience:
    """For whose exams it is."""

    modalities: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    """Codes of the catalogue, beside those of the modalities."""
    contrast_only: bool = False
    sex: str = ""
    """F: also for who is O or U (table 0001), since nobody knows."""
    age_from: int | None = None
    age_to: int | None = None
    """Whole years, both included; who has no birth date is asked."""


@dataclass(frozen=True, slots=True)
class Content:
    languages: tuple[str, ...] = ("en",)
    """The first is shown where a text is missing in another."""
    title: Texts = field(default_factory=dict)
    intro: Texts = field(default_factory=dict)
    audience: Audience = field(default_factory=Audience)
    valid_days: int | None = None
    """So long a filled form is not asked again; 0: asked for every exam; None: never again."""
    must: bool = False
    """Whether an exam begins without it only with a reason."""
    items: tuple[Item, ...] = ()

    def item(self, key: str) -> Item | None:
        return next((item for item in self.items if item.key == key), None)

    def words(self, texts: Texts, language: str) -> tuple[str, str]:
        """The text and the language that it is in: that asked for, else the first one."""
        if texts.get(language):
            return texts[language], language
        return texts.get(self.languages[0], ""), self.languages[0]

    @property
    def name(self) -> str:
        """As staff call it."""
        return self.title.get("en") or self.words(self.title, "en")[0]


def written(content: Content) -> dict[str, Any]:
    """The form that is stored and exported; `read` takes it back."""
    return {
        "languages": list(content.languages), "title": dict(content.title), "intro": dict(content.intro),
        "audience": {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(content.audience).items()},
        "valid_days": content.valid_days, "must": content.must, "items": [_written(item) for item in content.items],
    }  # fmt: skip


def _written(item: Item) -> dict[str, Any]:
    """What is as it is by itself is left out."""
    said = {f.name: getattr(item, f.name) for f in fields(item)}
    blank = Item()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if name in ("key", "kind", "text") or value != getattr(blank, name)
    }


# ── what is wrong with it ────────────────────────────────────────────────────────────────────────────────────────────


def faults(content: Content, procedures: frozenset[str]) -> list[str]:
    """Everything that stands against publishing it, each with its place; `procedures` are the codes of the catalogue."""
    found = [f"language {code}: not one of {', '.join(LANGUAGES)}" for code in content.languages if code not in LANGUAGES]
    if not content.languages:
        return ["languages: choose at least one"]
    found += _of_texts("title", content.title, content, needed=True) + _of_texts("introduction", content.intro, content, needed=False)
    found += _of_audience(content.audience, procedures)
    if content.valid_days is not None and not 0 <= content.valid_days <= LONGEST_VALIDITY:
        found.append(f"valid for: from 0 to {LONGEST_VALIDITY} days")
    if not content.items:
        found.append("questions: there is none")
    if len(content.items) > MOST_ITEMS:
        found.append(f"questions: at most {MOST_ITEMS}")
    for position, item in enumerate(content.items):
        place = f"question {position + 1}{f' ({item.key})' if item.key else ''}"
        found += [f"{place}: {fault}" for fault in _of_item(item, content, position)]
    return found


def _of_texts(place: str, texts: Texts, content: Content, *, needed: bool) -> list[str]:
    found = [f"{place}: at most {LONGEST_TEXT} characters ({code})" for code, text in texts.items() if len(text) > LONGEST_TEXT]
    if needed and not texts.get(content.languages[0]):
        found.append(f"{place}: missing in {LANGUAGES.get(content.languages[0], content.languages[0])}, which stands in for the others")
    return found


def _of_audience(audience: Audience, procedures: frozenset[str]) -> list[str]:
    found = [f"modality {code}: there is none" for code in audience.modalities if code not in set(Modality)]
    found += [f"procedure {code}: not in the catalogue" for code in audience.procedures if code not in procedures]
    if not audience.modalities and not audience.procedures:
        found.append("asked for: name a modality or a procedure")
    if audience.sex not in ("", Sex.female, Sex.male):
        found.append("sex: F, M or empty")
    ages = [age for age in (audience.age_from, audience.age_to) if age is not None]
    if any(not 0 <= age <= 120 for age in ages) or ages != sorted(ages):
        found.append("age: from 0 to 120, the lower one first")
    return found


def _of_item(item: Item, content: Content, position: int) -> list[str]:
    before = {other.key: other for other in content.items[:position]}
    found = [] if KEY.fullmatch(item.key) else ["key: small letters, digits and _, beginning with a letter, at most 40"]
    if item.key in before:
        found.append("key: another question before has it")
    found += _of_texts("text", item.text, content, needed=True) + _of_texts("help", item.help, content, needed=False)
    if item.kind is Kind.choice and len(item.choices) < 2:
        found.append("choices: at least two")
    for value, texts in item.choices.items():
        found += [] if KEY.fullmatch(value) else [f"choice {value}: small letters, digits and _"]
        found += _of_texts(f"choice {value}", texts, content, needed=True)
    if item.least is not None and item.most is not None and item.least > item.most:
        found.append("range: the lower bound first")
    if item.when_key and item.when_key not in before:
        found.append(f"asked when: no question {item.when_key} stands before it")
    elif item.when_key:
        allowed = before[item.when_key].values
        if not item.when_is or not set(item.when_is) <= set(allowed):
            found.append(f"asked when: answers of {item.when_key} are {', '.join(allowed) or 'typed and cannot be named'}")
    return found + _of_meaning(item)


def _of_meaning(item: Item) -> list[str]:
    found = []
    if not set(item.positive_is) <= set(item.values):
        found.append(f"positive: answers are {', '.join(item.values) or 'typed and cannot be named'}")
    if (item.below is not None or item.above is not None) and item.kind is not Kind.number:
        found.append("below and above: of numbers only")
    is_judged = bool(item.positive_is) or item.below is not None or item.above is not None
    if is_judged != bool(item.finding):
        found.append("finding: which answers are positive and what they mean belong together")
    if len(item.finding) > LONGEST_LABEL:
        found.append(f"finding: at most {LONGEST_LABEL} characters")
    if item.safety is not None and not is_judged:
        found.append("safety: say which answers are positive")
    if item.safety is not None and (item.says is Answer.no or item.says not in ANSWERS[item.safety]):
        found.append(f"safety: {item.safety} cannot be {item.says}")
    if item.days is not None and not 1 <= item.days <= LONGEST_VALIDITY:
        found.append(f"holds for: from 1 to {LONGEST_VALIDITY} days")
    return found


# ── whose exams ──────────────────────────────────────────────────────────────────────────────────────────────────────


def is_for(
    audience: Audience, *, code: str, modality: str, contrast: bool, sex: Sex, birth_date: date | None, today: date
) -> bool:  # fmt: skip
    """Whether an exam of a patient asks for it."""
    if modality not in audience.modalities and code not in audience.procedures:
        return False
    if audience.contrast_only and not contrast:
        return False
    other = {Sex.female: Sex.male, Sex.male: Sex.female}
    if audience.sex and sex is other[Sex(audience.sex)]:
        return False
    if birth_date is None:
        return True
    age = today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))
    return (audience.age_from is None or age >= audience.age_from) and (audience.age_to is None or age <= audience.age_to)
