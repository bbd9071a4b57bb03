"""Finding one of a million patients: how long it takes, and whether one typing error hides the right one."""

import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from time import perf_counter

import sqlalchemy as sa

from ris.base.orm import Base
from ris.bootstrap import Ris
from ris.order.queries import visible_at
from ris.patient.keys import search_keys
from ris.patient.model import Patient, PatientIdentifier
from ris.patient.naming import NameKind, PatientName
from ris.patient.search import search
from tests.factories.archive import fill_archive
from tests.factories.hospital import build_hospital

PATIENTS, OF_ONE_NAME = 1_000_000, 20_000
QUERIES = 1_000
EXAMS = 20_000
FEW = 5
"""A name alone is asked for only where no more than so many bear it."""
CHUNK = 20_000
FIRST_ID = 10_000_000
SAID_AT = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ONSETS = ("b", "br", "c", "ch", "d", "f", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "r", "s", "sch", "st", "t", "v", "w", "z")
VOWELS = ("a", "e", "i", "o", "u", "ai", "ey", "ie", "oo")
CODAS = ("", "l", "n", "r", "s", "ck", "ll", "nd", "rt", "th")
ENDS = ("son", "man", "er", "ski", "ez", "berg", "ton", "")


@dataclass(frozen=True, slots=True)
class Somebody:
    patient_id: int
    family: str
    given: str
    born: date
    mrn: str
    phone: str
    former: str
    """A family name of before; one in ten has one."""


@dataclass(slots=True)
class Figures:
    filled_s: float = 0.0
    times_ms: dict[str, list[float]] = field(default_factory=dict)
    """By the kind of query."""
    hits: dict[str, float] = field(default_factory=dict)
    """By the kind of query: the share of those whose patient was among the first ten."""


def measure(ris: Ris) -> Figures:
    hospital = build_hospital(ris)
    fill_archive(ris, hospital, exams=EXAMS, unread=0)
    people = _people(random.Random(1970))
    figures = Figures()
    begun = perf_counter()
    _fill(ris, people)
    figures.filled_s = perf_counter() - begun
    bearers = Counter((one.family, one.given) for one in people)
    rare = [one for one in people if bearers[one.family, one.given] <= FEW]
    renamed = [one for one in people if one.former and bearers[one.former, one.given] <= FEW]
    dice = random.Random(2026)
    with ris.read() as session:
        is_visible = visible_at(list(hospital.sites.values()))
        for kind, ask in QUESTIONS.items():
            asked = dice.choices(
                rare if "alone" in kind else renamed if "former" in kind else people, k=QUERIES if kind in MUST_FIND else QUERIES // 5
            )
            times, found = [], 0
            for one in asked:
                text = ask(one, dice)
                begun = perf_counter()
                rows = search(session, text, is_visible)
                times.append((perf_counter() - begun) * 1000)
                found += one.patient_id in {row.patient_id for row in rows[:10]}
            figures.times_ms[kind], figures.hits[kind] = times, found / len(asked)
    ris.close()
    return figures


def with_one_error(text: str, dice: random.Random) -> str:
    """A letter left out, added, replaced by another of its kind, or exchanged with its neighbour."""
    at = dice.choice([position for position, letter in enumerate(text) if letter.isalnum()])
    other = dice.choice([c for c in ("0123456789" if text[at].isdigit() else LETTERS) if c != text[at]])
    neighbours = text[at : at + 2]
    changes = [text[:at] + other + text[at + 1 :]]
    if text[at].isalpha():
        changes += [text[:at] + text[at + 1 :], text[:at] + other + text[at:]]
    if neighbours.isalnum() and len(set(neighbours)) == 2:
        changes.append(text[:at] + neighbours[::-1] + text[at + 2 :])
    return dice.choice(changes)


QUESTIONS: dict[str, Callable[[Somebody, random.Random], str]] = {
    "name and birth date, one error": lambda one, dice: with_one_error(f"{one.family} {one.given} {one.born}", dice),
    "name alone, one error": lambda one, dice: with_one_error(f"{one.family} {one.given}", dice),
    "name and birth date": lambda one, dice: f"{one.given} {one.family} {one.born:%m/%d/%Y}",
    "name alone": lambda one, dice: f"{one.family}, {one.given}",
    "former name, one error": lambda one, dice: with_one_error(f"{one.former} {one.given}", dice),
    "birth date and family name": lambda one, dice: f"{one.born} {one.family}",
    "family name and initial": lambda one, dice: f"{one.family} {one.given[0]}",
    "beginnings of names": lambda one, dice: f"{one.family[:3]} {one.given[:2]}",
    "family name": lambda one, dice: one.family,
    "telephone number": lambda one, dice: one.phone,
    "record number": lambda one, dice: one.mrn,
}
MUST_FIND = ("name and birth date, one error", "name alone, one error", "name and birth date", "name alone", "former name, one error",
             "record number")  # fmt: skip


def report(measured: dict[str, Figures]) -> None:
    title = f"search over {PATIENTS:,} patients, {OF_ONE_NAME:,} of one family name: p50 / p95 ms (found)"
    print(f"\n{title:90}" + "".join(f"{name:>26}" for name in measured))
    for kind in QUESTIONS:
        print(f"{kind:90}" + "".join(f"{_cell(figures, kind):>26}" for figures in measured.values()))
    print(f"{'seconds to write them':90}" + "".join(f"{figures.filled_s:>26.0f}" for figures in measured.values()))


def _cell(figures: Figures, kind: str) -> str:
    times = sorted(figures.times_ms[kind])
    found = f" ({figures.hits[kind]:.1%})" if kind in MUST_FIND else ""
    return f"{statistics.median(times):.1f} / {times[int(len(times) * 0.95)]:.1f}{found}"


def _people(dice: random.Random) -> list[Somebody]:
    """Names as they are spread in a country: a few are borne by many."""
    families = ["smith", *sorted({_word(dice) + dice.choice(ENDS) for _ in range(60_000)})]
    givens = sorted({_word(dice) for _ in range(3_000)})
    dice.shuffle(givens)
    commonness = [1 / (rank + 20) for rank in range(len(families) - 1)]
    family_of = dice.choices(families[1:], commonness, k=PATIENTS - OF_ONE_NAME) + ["smith"] * OF_ONE_NAME
    given_of = dice.choices(givens, [1 / (rank + 20) for rank in range(len(givens))], k=PATIENTS)
    first = date(1930, 1, 1)
    return [
        Somebody(
            FIRST_ID + n,
            family,
            given,
            first + timedelta(days=dice.randrange(33_000)),
            f"B{n:07}",
            f"217-{dice.randrange(10**7):07}",
            dice.choice(families) if n % 10 == 0 else "",
        )
        for n, (family, given) in enumerate(zip(family_of, given_of, strict=True))
    ]


def _word(dice: random.Random) -> str:
    return "".join(dice.choice(part) for part in (ONSETS, VOWELS, CODAS) * dice.choice((1, 2)))


def _fill(ris: Ris, people: list[Somebody]) -> None:
    for first in range(0, len(people), CHUNK):
        with ris.uow() as uow:
            for model, rows in _rows(people[first : first + CHUNK]):
                uow.session.execute(sa.insert(model), rows)
    with ris.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _rows(people: list[Somebody]) -> Iterator[tuple[type[Base], list[dict[str, object]]]]:
    yield PatientName, [
        {"patient_id": one.patient_id, "partner_id": None, "place": "", "kind": NameKind.maiden, "family": one.former.title(),
         "given": one.given.title(), "said_by": "EHR", "said_at": SAID_AT, "ended_at": None, "ended_by": "",
         **{name: key for name, key in search_keys(one.former, one.given, "").items() if name != "phone_key"}}
        for one in people if one.former
    ]  # fmt: skip
    yield Patient, [
        {"id": one.patient_id, "family": one.family.title(), "given": one.given.title(), "birth_date": one.born, "phone": one.phone,
         **search_keys(one.family, one.given, one.phone)}
        for one in people
    ]  # fmt: skip
    yield (
        PatientIdentifier,
        [
            {"patient_id": one.patient_id, "key": f"HOSP|MR|{one.mrn}", "value": one.mrn, "authority": "HOSP", "type": "MR"}
            for one in people
        ],
    )
