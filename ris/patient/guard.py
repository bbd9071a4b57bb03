"""The duplicate guard: who is here already that a new record could be, with what agrees and what differs."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient import likeness
from ris.patient.candidates import PHONE_DIGITS, Candidate, Finder
from ris.patient.keys import folded, phone_key
from ris.patient.model import Patient, Sex
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.patient.naming import OtherName, also_known, described

LEAST = 70
"""The score from which somebody is shown."""
_MOST = 8
_COMPARED = 40
"""So many of the likeliest are read whole."""
_QUERY_LIMIT = 1500
_WEIGHTS = {"family name": 30, "given name": 25, "birth date": 30, "sex": 5, "telephone": 10, "address": 5}


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of somebody who may be here already."""

    family: str
    given: str
    middle: str = ""
    birth_date: date | None = None
    sex: Sex = Sex.unknown
    phone: str = ""
    street: str = ""
    city: str = ""
    also: Sequence[OtherName] = ()
    """Former and other names."""


@dataclass(frozen=True, slots=True)
class Alike(Named):
    """A patient who may be the same person; `score` is 0 to 100."""

    patient_id: int
    family: str
    given: str
    middle: str
    birth_date: date | None
    sex: Sex
    phone: str
    street: str
    city: str
    mrn: str | None
    score: int
    agrees: tuple[str, ...]
    similar: tuple[str, ...]
    differs: tuple[str, ...]
    also: tuple[str, ...]
    """What the patient is also known by: `formerly Brook, Anna`."""

    @property
    def is_twin(self) -> bool:
        """Whether nothing tells the two apart, so that a second record would be the same person's."""
        return not self.similar and not self.differs and {"family name", "given name", "birth date"} <= set(self.agrees)


def alike(session: Session, person: Person, *, but: Collection[int] = ()) -> list[Alike]:
    """Those who score enough, the likeliest first; merged records and those of `but` are left out."""
    finder = Finder(session, _QUERY_LIMIT)
    family, given, phone = folded(person.family), folded(person.given), phone_key(person.phone)
    if person.birth_date:
        finder.born((person.birth_date,))
    if len(phone) >= PHONE_DIGITS:
        finder.by_phone(phone)
    others = [(folded(one.family), folded(one.given) or given) for one in person.also]
    for one, other in dict.fromkeys([(family, given), (given, family), *others]):
        if one:
            finder.named(one, other)
            finder.named_alike(one, other)
    rough = sorted(finder.found, key=lambda found: -max(_rough(*name, person.birth_date, found) for name in [(family, given), *others]))
    ids = list(dict.fromkeys(candidate.patient_id for candidate in rough if candidate.patient_id not in but))[:_COMPARED]
    also = also_known(session, ids)
    rows = session.execute(sa.select(*COLUMNS).where(Patient.id.in_(ids)))
    compared = [compared_with(person, *tuple(row), also=also.get(row.id, ())) for row in rows]
    return sorted((one for one in compared if one.score >= LEAST), key=lambda one: (-one.score, one.patient_id))[:_MOST]


COLUMNS = (
    Patient.id, Patient.family, Patient.given, Patient.middle, Patient.birth_date, Patient.sex, Patient.phone, Patient.street, Patient.city,
    MRN,
)  # fmt: skip
"""Of a patient, as `compared_with` takes them."""


def _rough(family: str, given: str, born: date | None, candidate: Candidate) -> float:
    names = max(
        likeness.name(family, candidate.family_key) + likeness.name(given, candidate.given_key),
        likeness.name(given, candidate.family_key) + likeness.name(family, candidate.given_key),
    )
    return names + likeness.birth_date((born,) if born else (), candidate.birth_date)


def compared_with(
    person: Person, patient_id: int, family: str, given: str, middle: str, birth_date: date | None, sex: Sex, phone: str, street: str,
    city: str, mrn: str | None, *, also: Sequence[OtherName] = (),
) -> Alike:  # fmt: skip
    """Somebody known beside a person, with the score, what agrees and what differs."""
    known = Person(family, given, middle, birth_date, sex, phone, street, city, also)
    fits = {label: fit for label, fit in _fits(person, known).items() if fit is not None}
    weight = sum(_WEIGHTS[label] for label in fits)
    score = round(100 * sum(_WEIGHTS[label] * fit for label, fit in fits.items()) / weight) if weight else 0
    agrees, similar, differs = (
        tuple(label for label, fit in fits.items() if low <= fit < high) for low, high in ((1.0, 2.0), (0.01, 1.0), (0.0, 0.01))
    )
    if _differ(person.middle, known.middle):
        differs = (*differs, "middle name")
    called_also = tuple(described(one.kind, one.family, one.given) for one in also)
    return Alike(patient_id, family, given, middle, birth_date, sex, phone, street, city, mrn, score, agrees, similar, differs, called_also)


def _fits(one: Person, other: Person) -> dict[str, float | None]:
    """How far each part agrees, from 0 to 1; None where one of the two says nothing of it."""
    family, given = _best_names(one, other)
    born = one.birth_date and other.birth_date
    return {
        "family name": family,
        "given name": given,
        "birth date": _born(one.birth_date, other.birth_date) if born else None,
        "sex": None if Sex.unknown in (one.sex, other.sex) else float(one.sex is other.sex),
        "telephone": _same(phone_key(one.phone)[:PHONE_DIGITS], phone_key(other.phone)[:PHONE_DIGITS]),
        "address": _same(folded(f"{one.street} {one.city}"), folded(f"{other.street} {other.city}")),
    }


def _best_names(one: Person, other: Person) -> tuple[float, float]:
    """How far family and given name agree: those of the records, exchanged or not, else those that one of the two had or has beside."""
    ways = [_names(one.family, one.given, other.family, other.given)]
    for mine, also in itertools.product(((one.family, one.given), *_also(one)), ((other.family, other.given), *_also(other))):
        family, given = _names(*mine, *also)
        # A name that is not the record's own agrees in part at the most.
        ways.append((family * likeness.PART, given))
    return max(ways, key=sum)


def _also(person: Person) -> list[tuple[str, str]]:
    return [(other.family, other.given or person.given) for other in person.also]


def _names(family: str, given: str, other_family: str, other_given: str) -> tuple[float, float]:
    straight = _name(family, other_family), _name(given, other_given)
    turned = _name(family, other_given) * likeness.PART, _name(given, other_family) * likeness.PART
    return max(straight, turned, key=sum)


def _name(one: str, other: str) -> float:
    """Either name may be the one that is written shorter."""
    first, second = folded(one), folded(other)
    return max(likeness.name(first, second), likeness.name(second, first)) if first and second else float(first == second)


def _born(one: date | None, other: date | None) -> float:
    fit = likeness.birth_date((one,) if one else (), other)
    return 0.0 if fit < 0.7 else fit


def _same(one: str, other: str) -> float | None:
    return float(one == other) if one and other else None


def _differ(one: str, other: str) -> bool:
    """Whether both have it and neither begins the other: M. is no other name than Maria."""
    first, second = folded(one), folded(other)
    return bool(first and second) and not first.startswith(second) and not second.startswith(first)
