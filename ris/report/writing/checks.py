"""What in a report text does not fit its patient or its exam: pure functions, one for each kind of doubt, in one table."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from ris.report.writing.sections import Section, sections


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what the text is about."""

    family: str
    sex: str
    """Table 0001; only F and M are held against a text."""
    birth_date: date | None
    done_on: date
    """The day of the exam, by which the age is counted."""
    numbers: frozenset[str]
    """What the patient, the order, the exam and the earlier ones are called: a number that is named must be among them."""
    side: str
    """left or right, of an exam of one side; else empty."""
    modality: str
    """(0008,0060); empty while it is not known."""
    has_contrast: bool | None
    """Whether contrast medium was given, or was to be; None while that is not known."""
    has_both_phases: bool
    """Whether images were made with and without contrast medium."""
    categories: tuple[tuple[str, str], ...] = ()
    """Scheme and code of the categories that were chosen."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A place of the text that does not fit, as offsets, and why."""

    check: str
    """A name of `CHECKS`."""
    says: str
    start: int
    end: int
    excerpt: str
    may_override: bool = True

    @property
    def key(self) -> str:
        """What a reason is given for: the same words at another place need none of their own."""
        return f"{self.check}: {' '.join(self.excerpt.lower().split())}"


Found = tuple[str, int, int]
"""Why, and from where to where."""
Check = Callable[[str, Subject], Iterable[Found]]

OPEN_FIELD = re.compile(r"\[[^\[\]\n]*\]")
"""A template field that nobody has filled: `[size]` or `[left|right]`."""
IMPRESSION = frozenset({"IMPRESSION", "CONCLUSION", "ASSESSMENT", "OPINION", "SUMMARY"})
_ABOUT_BEFORE = ("HISTORY", "CLINICAL", "INDICATION", "COMPARISON", "REASON", "PRIOR", "LABORATORY")
"""Sections about another day: what they say need not fit this exam."""
_OF_THE_EXAM = ("TECHNIQUE", "EXAM", "PROCEDURE", "STUDY", "PROTOCOL")
_OTHER = {"left": "right", "right": "left"}

_SIDE = re.compile(r"\b(left|right)(?:[- ](?:sided)?\s*([a-z]+))?", re.IGNORECASE)
_NO_SIDE = frozenset({
    "handed", "atrium", "atrial", "ventricle", "ventricular", "upper", "lower", "anterior", "posterior", "lateral", "medial", "away",
    "over", "side", "and", "or", "of", "is", "are", "the", "with", "to", "in", "on", "than",
})  # fmt: skip
"""Words behind a side that do not say of what."""
_FEMALE = re.compile(
    r"\b(?:uter(?:us|ine)|ovar(?:y|ies|ian)|endometri\w+|myometri\w+|fallopian|vagina\w*|hysterectomy|pregnan\w+|menopaus\w+)\b",
    re.IGNORECASE,
)
_MALE = re.compile(r"\b(?:prostat\w+|seminal vesicles?|test[ie]s|testicles?|testicular|scrot\w+|epididym\w+|peni(?:s|le))\b", re.IGNORECASE)
# A title has its capital: MR is a machine, and ms are milliseconds.
_HE = re.compile(r"\b(?:he|his|him|himself|(?-i:Mr)|male|man|gentleman)\b", re.IGNORECASE)
_SHE = re.compile(r"\b(?:she|her|hers|herself|(?-i:Mrs|Ms|Miss)|female|woman|lady)\b", re.IGNORECASE)
_AGE = re.compile(r"\b(\d{1,3})[- ]?(?:(year|yr|month|week|day)s?[- ]old\b|(?:y/o|yo)\b)", re.IGNORECASE)
_SLACK: Mapping[str, tuple[float, int]] = {"month": (30.44, 1), "week": (7, 2), "day": (1, 4)}
"""Of an age that is not told in years: days of one, and how far it may be off."""
_YOUNGER_THAN: Mapping[str, int] = {
    "newborn": 1, "neonate": 1, "neonatal": 1, "infant": 3, "toddler": 5, "child": 18, "paediatric": 18, "pediatric": 18, "adolescent": 20
}  # fmt: skip
_OLDER_THAN: Mapping[str, int] = {"elderly": 55, "postmenopausal": 35}
_AGE_WORD = re.compile(rf"\b(?:{'|'.join((*_YOUNGER_THAN, *_OLDER_THAN))})\b(?!-)", re.IGNORECASE)
_TITLED = re.compile(r"\b(?:Mr|Mrs|Ms|Miss)\.? +([A-Z][\w'’-]+)")
_NUMBERED = re.compile(r"\b(?:MRN|accession(?: number)?|patient (?:ID|number))[ :#.]+([A-Z0-9][A-Z0-9-]{3,})\b", re.IGNORECASE)
_BORN = re.compile(r"\b(?:DOB|born(?: on)?|date of birth)[ :]+(\d{4}-\d\d-\d\d)\b", re.IGNORECASE)
_WITHOUT = re.compile(
    r"\b(?:without (?:the )?(?:use of |administration of )?(?:(?:intravenous|iv|i\.v\.) )?contrast|non-?contrast|unenhanced"
    r"|no (?:(?:intravenous|iv) )?contrast (?:medium |material |agent )?(?:was|is))\b",
    re.IGNORECASE,
)
_WITH = re.compile(
    r"\b(?:with (?:(?:intravenous|iv|i\.v\.) )?contrast|contrast-enhanced|post-?contrast"
    r"|(?:after|following) (?:the )?(?:administration|injection) of (?:[\w.]+ ){0,4}contrast)\b",
    re.IGNORECASE,
)
_MODALITIES: tuple[tuple[frozenset[str], re.Pattern[str]], ...] = (
    (frozenset({"CT"}), re.compile(r"\b(?:CT|computed tomograph\w+)\b")),
    (frozenset({"MR"}), re.compile(r"\b(?:MRI?|magnetic resonance)\b")),
    (frozenset({"US"}), re.compile(r"\b(?:ultrasound|sonograph\w+)\b", re.IGNORECASE)),
    (frozenset({"DX", "MG"}), re.compile(r"\b(?:radiographs?|x-rays?|mammogra\w+)\b", re.IGNORECASE)),
)


def doubts(text: str, subject: Subject) -> tuple[Doubt, ...]:
    """Everything that speaks against signing the text as it is, in reading order; equal words of one kind once."""
    found: dict[str, Doubt] = {}
    for name, check in CHECKS.items():
        for says, start, end in check(text, subject):
            doubt = Doubt(name, says, start, end, text[start:end].strip(), may_override=name not in NEVER_OVERRIDDEN)
            found.setdefault(doubt.key, doubt)
    return tuple(sorted(found.values(), key=lambda doubt: (doubt.start, doubt.end)))


def open_fields(text: str, subject: Subject) -> Iterator[Found]:
    for match in OPEN_FIELD.finditer(text):
        yield "a template field is still open", *match.span()


def empty_impression(text: str, subject: Subject) -> Iterator[Found]:
    """A note of a few words without findings under a heading needs none."""
    parts = sections(text)
    impressions = [section for section in parts if section.name in IMPRESSION]
    if not impressions and any(section.name.startswith("FINDING") for section in parts):
        yield "there is no impression", len(text), len(text)
    for section in impressions:
        if not re.search(r"\w", text[section.start : section.end]):
            yield "the impression is empty", section.heading, section.start


def laterality(text: str, subject: Subject) -> Iterator[Found]:
    """The other side in an exam of one side, and an impression that is of another side than the findings."""
    if subject.side:
        for match in _matches(_SIDE, text, _today(text)):
            if match[1].lower() == _OTHER[subject.side] and (match[2] or "").lower() != "handed":
                yield f"the exam is of the {subject.side} side", *match.span()
    yield from _sides_between_sections(text)


def sex(text: str, subject: Subject) -> Iterator[Found]:
    """Organs and words of the other sex."""
    against = {"F": (("male", _MALE), ("male", _HE)), "M": (("female", _FEMALE), ("female", _SHE))}.get(subject.sex, ())
    for other, words in against:
        for match in words.finditer(text):
            yield f"the patient is {'female' if other == 'male' else 'male'}", *match.span()


def age(text: str, subject: Subject) -> Iterator[Found]:
    """An age that is told and is not the patient's, and words for people of another age."""
    if subject.birth_date is None:
        return
    years = years_between(subject.birth_date, subject.done_on)
    says = f"the patient was {told_age(subject.birth_date, subject.done_on)} old at the exam"
    for match in _AGE.finditer(text):
        length, slack = _SLACK.get((match[2] or "").lower(), (0, 1))
        is_now = int((subject.done_on - subject.birth_date).days / length) if length else years
        if abs(int(match[1]) - is_now) > slack:
            yield says, *match.span()
    for match in _matches(_AGE_WORD, text, _today(text)):
        word = match[0].lower()
        if years >= _YOUNGER_THAN.get(word, years + 1) or years < _OLDER_THAN.get(word, 0):
            yield says, *match.span()


def wrong_patient(text: str, subject: Subject) -> Iterator[Found]:
    """A name, a number or a birth date that is not the patient's."""
    for match in _TITLED.finditer(text):
        if match[1].lower() not in subject.family.lower().split():
            yield "this is not the patient's name", *match.span()
    for match in _NUMBERED.finditer(text):
        if any(character.isdigit() for character in match[1]) and match[1].upper() not in subject.numbers:
            yield "this number is neither the patient's nor that of one of the exams", *match.span()
    for match in _BORN.finditer(text):
        if subject.birth_date is not None and match[1] != subject.birth_date.isoformat():
            yield "this is not the patient's birth date", *match.span()


def contrast(text: str, subject: Subject) -> Iterator[Found]:
    """With contrast medium what was done without, or the other way round."""
    if subject.has_contrast is None or subject.has_both_phases:
        return
    words, says = (_WITHOUT, "contrast medium was given") if subject.has_contrast else (_WITH, "the exam was done without contrast medium")
    for match in _matches(words, text, _today(text)):
        yield says, *match.span()


def modality(text: str, subject: Subject) -> Iterator[Found]:
    """Another kind of machine, where the text says what was done."""
    if not subject.modality:
        return
    own = [section for section in sections(text) if section.name.startswith(_OF_THE_EXAM)]
    for modalities, words in _MODALITIES:
        if subject.modality not in modalities:
            for match in _matches(words, text, own):
                yield f"the exam is {subject.modality}", *match.span()


def category(text: str, subject: Subject) -> Iterator[Found]:
    """Another category in the text than the one that is kept with it."""
    for scheme, code in subject.categories:
        said = re.compile(rf"\b{re.escape(scheme)}(?: (?:category|score))?[ :]+([A-Z0-9-]*\d[A-Z0-9]*)\b", re.IGNORECASE)
        for match in _matches(said, text, _today(text)):
            if _bare(match[1]) != _bare(code):
                yield f"{code} is chosen below", *match.span()


CHECKS: Mapping[str, Check] = {
    "open field": open_fields,
    "impression": empty_impression,
    "side": laterality,
    "sex": sex,
    "age": age,
    "another patient": wrong_patient,
    "contrast medium": contrast,
    "modality": modality,
    "category": category,
}
"""Every kind of doubt, by the name that a person reads."""
NEVER_OVERRIDDEN = frozenset({"open field"})


def years_between(born: date, on: date) -> int:
    """Whole years of age."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def told_age(born: date, on: date) -> str:
    """`56 years`; below two years in months, below two months in days."""
    years, days = years_between(born, on), (on - born).days
    if years >= 2:
        return f"{years} years"
    return f"{days} days" if days < 61 else f"{int(days / 30.44)} months"


def _today(text: str) -> list[Section]:
    return [section for section in sections(text) if not section.name.startswith(_ABOUT_BEFORE)]


def _matches(words: re.Pattern[str], text: str, within: Iterable[Section]) -> Iterator[re.Match[str]]:
    for section in within:
        yield from words.finditer(text, section.start, section.end)


def _sides_between_sections(text: str) -> Iterator[Found]:
    parts = sections(text)
    said = {_sided(match) for match in _matches(_SIDE, text, [part for part in parts if part.name.startswith("FINDING")])}
    for match in _matches(_SIDE, text, [part for part in parts if part.name in IMPRESSION]):
        side, what = _sided(match)
        if what and what not in _NO_SIDE and (side, what) not in said and (_OTHER[side], what) in said:
            yield f"the findings say {_OTHER[side]}", *match.span()


def _bare(code: str) -> str:
    """`LR-4` is written as 4 too."""
    return code.upper().removeprefix("LR-").removeprefix("TR")


def _sided(match: re.Match[str]) -> tuple[str, str]:
    return match[1].lower(), (match[2] or "").lower()
