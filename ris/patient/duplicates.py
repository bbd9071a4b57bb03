"""Looking through all patients for records that may be one person's.

Only those who share a block are compared: a key that two records of one person nearly always have in common, and few others have.
A block that many share says nothing and is passed over, so that the work grows with the patients and not with their square.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient.candidates import PHONE_DIGITS
from ris.patient.guard import COLUMNS, LEAST, Alike, Person, compared_with
from ris.patient.model import Patient
from ris.patient.naming import OtherName, also_known

MOST_OF_A_BLOCK = 60
_READ_AT_ONCE = 400

_IS_COMPARED = (Patient.merged_into_id.is_(None), ~Patient.temporary)
_NAMED = (Patient.family_key != "", Patient.given_key != "")
_BORN = (Patient.birth_date.is_not(None),)
_YEAR, _MONTH, _DAY = (sa.extract(part, Patient.birth_date) for part in ("year", "month", "day"))
_PHONE = sa.func.substr(Patient.phone_key, sa.literal_column("1"), sa.literal_column(str(PHONE_DIGITS)))
_FIRST_NAME, _LAST_NAME = (
    sa.case((Patient.family_key < Patient.given_key, one), else_=other)
    for one, other in ((Patient.family_key, Patient.given_key), (Patient.given_key, Patient.family_key))
)
"""Both names in the order of the alphabet: they are alike where somebody has exchanged them."""

_Block = tuple[tuple[sa.ColumnElement[Any] | sa.orm.InstrumentedAttribute[Any], ...], tuple[sa.ColumnElement[bool], ...]]
BLOCKS: tuple[_Block, ...] = (
    ((Patient.birth_date, Patient.sound), (*_BORN, Patient.sound != "")),
    ((Patient.birth_date, Patient.given_key), (*_BORN, *_NAMED)),
    ((Patient.birth_date, Patient.family_key), (*_BORN, *_NAMED)),
    ((Patient.birth_date, _FIRST_NAME, _LAST_NAME), (*_BORN, *_NAMED)),
    ((Patient.family_key, Patient.given_key, _YEAR), (*_BORN, *_NAMED)),
    ((Patient.family_key, Patient.given_key, _MONTH, _DAY), (*_BORN, *_NAMED)),
    ((_PHONE, Patient.given_key), (sa.func.length(Patient.phone_key) >= PHONE_DIGITS, *_NAMED)),
)
"""What is the same, of whom: an error in a name, in the birth date, names exchanged, a birth date that is not known."""


@dataclass(frozen=True, slots=True)
class Pair:
    one_id: int
    """The smaller key."""
    other_id: int
    score: int


def find(session: Session, most_of_a_block: int = MOST_OF_A_BLOCK) -> list[Pair]:
    """Every pair that is likely enough, the likeliest first; a key that more patients share than `most_of_a_block` tells nothing."""
    wanted = sorted(set(itertools.chain.from_iterable(_sharing(session, block, most_of_a_block) for block in BLOCKS)))
    pairs: list[Pair] = []
    for first in range(0, len(wanted), _READ_AT_ONCE):
        pairs += _likely(session, wanted[first : first + _READ_AT_ONCE])
    return sorted(pairs, key=lambda pair: (-pair.score, pair.one_id, pair.other_id))


def compare(session: Session, one_id: int, other_id: int) -> tuple[Alike, Alike] | None:
    """Both as they are now, each beside the other; None where one of them is not there."""
    people = _people(session, {one_id, other_id})
    if len(people) < 2:
        return None
    one, other = people[one_id], people[other_id]
    return one.beside(other), other.beside(one)


def is_likely(alike: Alike) -> bool:
    """Twins and a father and his son agree in much: another given name or another birth date is another person.

    Without a birth date of both the telephone number must agree: a name alone names many.
    """
    known = {*alike.agrees, *alike.similar}
    return alike.score >= LEAST and "given name" in known and ("birth date" in known or _is_by_phone(alike))


def _is_by_phone(alike: Alike) -> bool:
    return "birth date" not in alike.differs and "telephone" in alike.agrees


def _sharing(session: Session, block: _Block, most: int) -> Iterator[tuple[int, int]]:
    columns, where = block
    names = [f"k{n}" for n in range(len(columns))]
    keyed = [column.label(name) for name, column in zip(names, columns, strict=True)]
    size = sa.func.count()
    shared = sa.select(*keyed).where(*_IS_COMPARED, *where).group_by(*columns).having(size > 1, size <= most).subquery("shared")
    same = [column == shared.c[name] for name, column in zip(names, columns, strict=True)]
    order = [shared.c[name] for name in names]
    rows = session.execute(sa.select(Patient.id, *order).join(shared, sa.and_(*same)).where(*_IS_COMPARED).order_by(*order, Patient.id))
    for _, members in itertools.groupby(rows, key=lambda row: tuple(row)[1:]):
        yield from itertools.combinations([row.id for row in members], 2)


def _likely(session: Session, wanted: Sequence[tuple[int, int]]) -> Iterator[Pair]:
    people = _people(session, {patient_id for pair in wanted for patient_id in pair})
    for one_id, other_id in wanted:
        alike = people[other_id].beside(people[one_id])
        if is_likely(alike):
            yield Pair(one_id, other_id, alike.score)


@dataclass(frozen=True, slots=True)
class _Known:
    row: tuple[Any, ...]
    """`guard.COLUMNS`."""
    also: Sequence[OtherName]

    def beside(self, other: "_Known") -> Alike:
        person = (*other.row[1:-1], other.also)
        return compared_with(Person(*person), *self.row, also=self.also)


def _people(session: Session, patient_ids: set[int]) -> dict[int, _Known]:
    also = also_known(session, patient_ids)
    rows = session.execute(sa.select(*COLUMNS).where(Patient.id.in_(patient_ids)))
    return {row.id: _Known(tuple(row), also.get(row.id, ())) for row in rows}
