"""Who may be meant: few queries, each of one index, that bring the patients worth comparing.

Errors of typing cost nothing when a patient is written: every name that is one error away from what was typed is looked up instead.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.prepared import Prepared, is_among
from ris.patient.keys import sound
from ris.patient.model import Patient, PatientIdentifier

END = "\U0010ffff"
"""Behind every text that goes on."""
PHONE_DIGITS = 7
"""So many of the last digits of a telephone number must agree."""
_ALPHABETS = ("abcdefghijklmnopqrstuvwxyz ", "абвгдежзийклмнопрстуфхцчшщъыьэюя ", "αβγδεζηθικλμνξοπρστυφχψω ")
_SHORTEST_WITH_ERROR = 3
"""Letters below which a name with an error could be any name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    patient_id: int
    family_key: str
    given_key: str
    sound: str
    phone_key: str
    birth_date: date | None


_COLUMNS = (Patient.id, Patient.family_key, Patient.given_key, Patient.sound, Patient.phone_key, Patient.birth_date)
_TEXT = sa.Text()


def _begins(column: sa.ColumnElement[str] | sa.orm.InstrumentedAttribute[str], name: str) -> sa.ColumnElement[bool]:
    return (column >= sa.bindparam(name, type_=_TEXT)) & (column < sa.bindparam(f"{name}_end", type_=_TEXT))


def _is(column: sa.orm.InstrumentedAttribute[str], name: str) -> sa.ColumnElement[bool]:
    return column == sa.bindparam(name, type_=_TEXT)


def _query(*where: sa.ColumnElement[bool]) -> Prepared:
    return Prepared(sa.select(*_COLUMNS).where(Patient.merged_into_id.is_(None), *where).limit(sa.bindparam("most", type_=sa.Integer())))


_EXACT = _query(_is(Patient.family_key, "family"), _begins(Patient.given_key, "given"))
_BEGINNING = _query(_begins(Patient.family_key, "family"), _begins(Patient.given_key.concat(""), "given"))
_BEGINNING_BY_GIVEN = _query(_begins(Patient.family_key.concat(""), "family"), _begins(Patient.given_key, "given"))
"""Of both, the shorter one is an expression, so that the index of the longer is walked through."""
_GIVEN = _query(_begins(Patient.given_key, "given"))
_LAST = _query(Patient.family_last != "", _is(Patient.family_last, "family"), _begins(Patient.given_key, "given"))
_FAMILY_ERROR = _query(is_among(Patient.family_key, "families"), _begins(Patient.given_key, "given"))
_GIVEN_ERROR = _query(_is(Patient.family_key, "family"), is_among(Patient.given_key, "givens"))
_SOUND = _query(_begins(Patient.sound, "sound"))
_BORN = _query(Patient.birth_date == sa.bindparam("born", type_=sa.Date()))
_PHONE = _query(Patient.phone_key != "", _begins(Patient.phone_key, "phone"))
_NUMBER = _query(Patient.id.in_(sa.select(PatientIdentifier.patient_id).where(is_among(PatientIdentifier.value, "numbers"))))


class Finder:
    """Gathers candidates in one session; each is there once."""

    def __init__(self, session: Session, most: int) -> None:
        self._connection = session.connection()
        self._most = most
        self.found: dict[int, Candidate] = {}
        self.is_cut_off = False
        """Whether a query had more than it was let bring."""

    def numbered(self, numbers: Collection[str], phone: str) -> None:
        self._add(_NUMBER, numbers=numbers)
        if phone:
            self.by_phone(phone)

    def by_phone(self, phone: str) -> None:
        """By a number's last digits, the last first."""
        self._add(_PHONE, **_span("phone", phone[:PHONE_DIGITS]))

    def born(self, days: Iterable[date]) -> None:
        for day in sorted(days):
            self._add(_BORN, born=day)

    def named(self, family: str, given: str) -> None:
        """As it was typed, each name by its beginning."""
        if not family:
            self._add(_GIVEN, **_span("given", given))
            return
        self._add(_EXACT, family=family, **_span("given", given))
        self._add(_BEGINNING if len(family) >= len(given) else _BEGINNING_BY_GIVEN, **_span("family", family), **_span("given", given))
        self._add(_LAST, family=family, **_span("given", given))

    def named_alike(self, family: str, given: str) -> None:
        """With one error in one of the names, or written as it sounds."""
        if len(family) >= _SHORTEST_WITH_ERROR:
            self._add(_FAMILY_ERROR, families=one_error_away(family), **_span("given", given))
        if family and len(given) >= _SHORTEST_WITH_ERROR:
            self._add(_GIVEN_ERROR, family=family, givens=one_error_away(given))
        if " " not in family and (spoken := sound(family)):
            self._add(_SOUND, **_span("sound", f"{spoken} {sound(given)}" if given else f"{spoken} "))

    def _add(self, query: Prepared, **values: object) -> None:
        rows = query.rows(self._connection, most=self._most, **values)
        self.is_cut_off |= len(rows) == self._most
        for row in rows:
            self.found.setdefault(row[0], Candidate(*row))


def _span(name: str, beginning: str) -> dict[str, str]:
    return {name: beginning, f"{name}_end": beginning + END}


@lru_cache(maxsize=256)
def one_error_away(name: str) -> frozenset[str]:
    """Every text that one letter left out, added, replaced or exchanged with its neighbour makes of a name."""
    letters = next((letters for letters in _ALPHABETS if name[0] in letters), "".join(set(name)))
    cuts = [(name[:at], name[at:]) for at in range(len(name) + 1)]
    left_out = {head + tail[1:] for head, tail in cuts if tail}
    exchanged = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    replaced = {head + letter + tail[1:] for head, tail in cuts if tail for letter in letters}
    added = {head + letter + tail for head, tail in cuts for letter in letters}
    return frozenset(left_out | exchanged | replaced | added) - {name}
