"""The duplicate guard for a whole file: who is here that many new ones could be, looked up for all of them at once."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient.candidates import END, PHONE_DIGITS
from ris.patient.guard import COLUMNS, LEAST, Alike, Person, compared_with
from ris.patient.keys import folded, phone_key, sound_key
from ris.patient.model import Patient
from ris.patient.naming import OtherName, PatientName, also_known

_MOST = 8
_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    row: tuple[Any, ...]
    """`guard.COLUMNS`."""
    also: Sequence[OtherName]


class Crowd:
    """Those of the database whom one of `people` may be, and those who were added since.

    A pair scores enough only where the birth date agrees, where it nearly does (or one is not known) and the family name or how
    both names sound agrees, or where the telephone number does: these are the keys. Two names that are both written wrongly, of
    somebody whose birth date is wrong too, are told apart.
    """

    def __init__(self, session: Session, people: Sequence[Person]) -> None:
        self._by_key: dict[_Key, list[_Known]] = defaultdict(list)
        ids = _ids(session, people)
        also = also_known(session, ids)
        for row in session.execute(sa.select(*COLUMNS).where(Patient.id.in_(ids))) if ids else ():
            self._know(_Known(tuple(row), also.get(row.id, ())))

    def add(self, patient_id: int, person: Person, mrn: str) -> None:
        """Somebody who has just been made, whom the next ones may be."""
        said = (person.family, person.given, person.middle, person.birth_date, person.sex, person.phone, person.street, person.city)
        self._know(_Known((patient_id, *said, mrn), ()))

    def alike(self, person: Person) -> list[Alike]:
        """Those who score enough, the likeliest first, as `guard.alike` finds them."""
        near = {known.row[0]: known for key in _keys(person) for known in self._by_key.get(key, ())}
        compared = (compared_with(person, *known.row, also=known.also) for known in near.values())
        return sorted((one for one in compared if one.score >= LEAST), key=lambda one: (-one.score, one.patient_id))[:_MOST]

    def _know(self, known: _Known) -> None:
        person = Person(*known.row[1:-1])
        for key in {key for named in (person, *_renamed(person, known.also)) for key in _keys(named)}:
            self._by_key[key].append(known)


def _renamed(person: Person, also: Sequence[OtherName]) -> Iterator[Person]:
    for other in also:
        yield Person(other.family, other.given or person.given, birth_date=person.birth_date)


def _keys(person: Person) -> Iterator[_Key]:
    """Names count in either order."""
    family, given, phone = folded(person.family), folded(person.given), phone_key(person.phone)
    if person.birth_date:
        yield "born", person.birth_date
    if len(phone) >= PHONE_DIGITS:
        yield "phone", phone[:PHONE_DIGITS]
    for one, other in ((family, given), (given, family)):
        if one:
            yield "family", one
        if spoken := sound_key(one, other):
            yield "sound", spoken


def _ids(session: Session, people: Sequence[Person]) -> set[int]:
    """Everybody who shares a key with one of them, by few statements for all."""
    born = {person.birth_date for person in people if person.birth_date}
    phones = {phone[:PHONE_DIGITS] for person in people if len(phone := phone_key(person.phone)) >= PHONE_DIGITS}
    is_here = Patient.merged_into_id.is_(None)
    wanted: list[sa.Select[int] | sa.CompoundSelect[int]] = [sa.select(Patient.id).where(Patient.birth_date.in_(born), is_here)]
    if phones:
        line = sa.values(sa.column("phone", sa.Text), name="dialled").data([(phone,) for phone in sorted(phones)]).cte()
        reached = (Patient.phone_key != "") & (Patient.phone_key >= line.c.phone) & (Patient.phone_key < line.c.phone.concat(END))
        wanted.append(sa.select(Patient.id).join_from(line, Patient, reached).where(is_here))
    if named := sorted({row for person in people for row in _name_rows(person)}):
        wanted.append(_nearly_born(named))
    return {patient_id for query in wanted for patient_id in session.scalars(query)}


_Named = tuple[str, str, str]
"""Family name and sound as keys, and the birth date."""


def _name_rows(person: Person) -> Iterator[_Named]:
    family, given, born = folded(person.family), folded(person.given), person.birth_date
    for one, other in ((family, given), (given, family)):
        if one and born:
            yield one, sound_key(one, other), born.isoformat()


def _nearly_born(named: Sequence[_Named]) -> sa.CompoundSelect[int]:
    """Those called so, or nearly so, whose birth date is not known or another in one part, or has day and month exchanged."""
    said = sa.values(*(sa.column(name, sa.Text) for name in ("family", "sound", "born")), name="called").data(named).cte()
    here, there = sa.cast(Patient.birth_date, sa.Text), said.c.born
    same = [_part(here, *place) == _part(there, *place) for place in (_YEAR, _MONTH, _DAY)]
    exchanged = (_part(here, *_MONTH) == _part(there, *_DAY)) & (_part(here, *_DAY) == _part(there, *_MONTH))
    two_of_three = [one & other for one, other in itertools.combinations(same, 2)]
    is_near = sa.or_(Patient.birth_date.is_(None), *two_of_three, same[0] & exchanged)
    is_here = Patient.merged_into_id.is_(None)
    family, sound = (
        sa.select(Patient.id).join_from(said, Patient, column == key).where(key != "", is_near, is_here)
        for key, column in ((said.c.family, Patient.family_key), (said.c.sound, Patient.sound))
    )
    also = sa.select(Patient.id).select_from(
        said.join(PatientName, PatientName.family_key == said.c.family).join(Patient, Patient.id == PatientName.patient_id)
    )
    return sa.union(family, sound, also.where(PatientName.ended_at.is_(None), is_near, is_here))


_YEAR, _MONTH, _DAY = (1, 4), (6, 2), (9, 2)
"""Where they stand in 1970-05-17."""


def _part(text: sa.ColumnElement[str], first: int, length: int) -> sa.ColumnElement[str]:
    return sa.func.substr(text, sa.literal_column(str(first)), sa.literal_column(str(length)))
