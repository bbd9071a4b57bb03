"""What was answered: which items are asked because of it, whether all are answered, and what is found."""

import enum
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from ris.base.errors import Invalid
from ris.patient.model import Answer, Question
from ris.patient.screening import LONGEST_DETAIL
from ris.questionnaire.content import Content, Item, Kind

Answers = Mapping[str, str]
"""Item to what was chosen or typed; empty for one that was left out."""
LONGEST_ANSWER = 500


class Fault(enum.StrEnum):
    """What can be wrong with an answer; each page says it in its own language."""

    needed = "needed"
    choice = "choice"
    number = "number"
    range = "range"
    date = "date"
    long = "long"


_SAID = {
    Fault.needed: "it is not answered", Fault.choice: "choose one of the answers", Fault.number: "it is not a number",
    Fault.range: "it is outside the range", Fault.date: "it is not a date", Fault.long: f"at most {LONGEST_ANSWER} characters",
}  # fmt: skip


class WrongAnswer(Invalid):
    def __init__(self, key: str, fault: Fault) -> None:
        super().__init__(f"{key}: {_SAID[fault]}")
        self.key = key
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Positive:
    """An item that was answered with what matters, and what was said further because of it."""

    item: Item
    detail: str

    @property
    def text(self) -> str:
        return f"{self.item.finding}: {self.detail}" if self.detail else self.item.finding


@dataclass(frozen=True, slots=True)
class Fact:
    """What all items about one fact of the safety screen say together; `days` as in `Item`."""

    question: Question
    answer: Answer
    detail: str
    days: int | None


def normal(item: Item, text: str) -> str:
    """The answer as it is kept: a number with a point, a date as ISO 8601. Raises WrongAnswer."""
    text = text.strip()
    if not text:
        if item.required:
            raise WrongAnswer(item.key, Fault.needed)
        return ""
    if len(text) > LONGEST_ANSWER:
        raise WrongAnswer(item.key, Fault.long)
    if item.values and text not in item.values:
        raise WrongAnswer(item.key, Fault.choice)
    if item.kind is Kind.number:
        return _number(item, text)
    if item.kind is Kind.date:
        return _date(item, text)
    return text


def asked(content: Content, answers: Answers) -> list[Item]:
    """The items that are asked after these answers, in order."""
    keys: set[str] = set()
    found = []
    for item in content.items:
        if not item.when_key or (item.when_key in keys and answers.get(item.when_key) in item.when_is):
            keys.add(item.key)
            found.append(item)
    return found


def missing(content: Content, answers: Answers) -> list[Item]:
    """What is asked and neither answered nor left out where it may be."""
    return [item for item in asked(content, answers) if item.key not in answers]


def positives(content: Content, answers: Answers) -> list[Positive]:
    items = asked(content, answers)
    return [Positive(item, "; ".join(_further(item, items, answers))) for item in items if _is_positive(item, answers.get(item.key, ""))]


def facts(content: Content, answers: Answers) -> list[Fact]:
    """One for each fact of the safety screen that is asked about: the gravest answer; no where every item denies it."""
    return [fact for question in Question if (fact := _fact(question, content, answers)) is not None]


def shown(content: Content, item: Item, value: str, language: str = "en") -> str:
    """An answer as a person reads it."""
    if item.kind is Kind.choice and value in item.choices:
        return content.words(item.choices[value], language)[0]
    if item.kind is Kind.yes_no:
        return {"yes": "Yes", "no": "No", "unsure": "Not sure"}.get(value, value)
    return f"{value} {item.unit}".strip() if value else ""


def _fact(question: Question, content: Content, answers: Answers) -> Fact | None:
    items = [item for item in asked(content, answers) if item.safety is question]
    found = [positive for positive in positives(content, answers) if positive.item.safety is question]
    if found:
        worst = Answer.yes if any(positive.item.says is Answer.yes for positive in found) else Answer.conditional
        lasting = [positive.item.days for positive in found]
        days = None if None in lasting else max(day for day in lasting if day is not None)
        return Fact(question, worst, "; ".join(positive.text for positive in found)[:LONGEST_DETAIL], days)
    if items and all(answers.get(item.key) for item in items):
        return Fact(question, Answer.no, "", content.valid_days or None)
    return None


def _is_positive(item: Item, value: str) -> bool:
    if not value:
        return False
    if value in item.positive_is:
        return True
    if item.kind is not Kind.number:
        return False
    number = float(value)
    return (item.below is not None and number < item.below) or (item.above is not None and number > item.above)


def _further(item: Item, items: list[Item], answers: Answers) -> Iterator[str]:
    """What was said about it, in the words that staff read."""
    value = answers.get(item.key, "")
    if value == "unsure":
        yield "not sure"
    if item.kind is Kind.number:
        yield f"{value} {item.unit}".strip()
    for other in items:
        if other.when_key == item.key and not other.finding and (said := answers.get(other.key, "")):
            yield other.choices[said].get("en", said) if other.kind is Kind.choice else f"{said} {other.unit}".strip()


def _number(item: Item, text: str) -> str:
    try:
        number = Decimal(text.replace(",", "."))
    except InvalidOperation as error:
        raise WrongAnswer(item.key, Fault.number) from error
    if not number.is_finite():
        raise WrongAnswer(item.key, Fault.number)
    if not (item.least if item.least is not None else -math.inf) <= number <= (item.most if item.most is not None else math.inf):
        raise WrongAnswer(item.key, Fault.range)
    return f"{number:f}"


def _date(item: Item, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise WrongAnswer(item.key, Fault.date) from error
