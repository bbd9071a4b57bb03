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
from ris.patient.naming import NameKind, OtherName, PatientName

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
    other: OtherName | None = None
    """The name that the keys are of, where it is not that of the record."""


_COLUMNS = (Patient.id, Patient.family_key, Patient.given_key, Patient.sound, Patient.phone_key, Patient.birth_date)
_WHOSE = [
    sa.select(column).where(Patient.id == PatientName.patient_id).scalar_subquery().label(column.key)
    for column in (Patient.phone_key, Patient.birth_date)
]
"""Not a join: PostgreSQL would read all patients for it, where it cannot tell how many names begin so."""
_ALSO = (PatientName.patient_id, PatientName.family_key, PatientName.given_key, PatientName.sound, *_WHOSE, PatientName.kind,
         PatientName.family, PatientName.given)  # fmt: skip
_TEXT = sa.Text()


def _begins(column: sa.ColumnElement[str] | sa.orm.InstrumentedAttribute[str], name: str) -> sa.ColumnElement[bool]:
    return (column >= sa.bindparam(name, type_=_TEXT)) & (column < sa.bindparam(f"{name}_end", type_=_TEXT))


def _is(column: sa.orm.InstrumentedAttribute[str], name: str) -> sa.ColumnElement[bool]:
    return column == sa.bindparam(name, type_=_TEXT)


def _query(*where: sa.ColumnElement[bool]) -> Prepared:
    return Prepared(sa.select(*_COLUMNS).where(Patient.merged_into_id.is_(None), *where).limit(sa.bindparam("most", type_=sa.Integer())))


def _also(*where: sa.ColumnElement[bool]) -> Prepared:
    """Of other names."""
    return Prepared(sa.select(*_ALSO).where(PatientName.ended_at.is_(None), *where).limit(sa.bindparam("most", type_=sa.Integer())))


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
_ALSO_NAMED = _also(_begins(PatientName.family_key, "family"), _begins(PatientName.given_key, "given"))
_ALSO_GIVEN = _also(_begins(PatientName.given_key, "given"))
_ALSO_LAST = _also(PatientName.family_last != "", _is(PatientName.family_last, "family"), _begins(PatientName.given_key, "given"))
_ALSO_FAMILY_ERROR = _also(is_among(PatientName.family_key, "families"), _begins(PatientName.given_key, "given"))
_ALSO_GIVEN_ERROR = _also(_is(PatientName.family_key, "family"), is_among(PatientName.given_key, "givens"))
_ALSO_SOUND = _also(_begins(PatientName.sound, "sound"))
_ALSO_BORN = _also(PatientName.patient_id.in_(sa.select(Patient.id).where(Patient.birth_date == sa.bindparam("born", type_=sa.Date()))))
_ALSO_OF = _also(PatientName.patient_id.in_(sa.select(PatientIdentifier.patient_id).where(is_among(PatientIdentifier.value, "numbers"))))
_NUMBER = _query(Patient.id.in_(sa.select(PatientIdentifier.patient_id).where(is_among(PatientIdentifier.value, "numbers"))))


class Finder:
    """Gathers candidates in one session; each name of a patient is there once."""

    def __init__(self, session: Session, most: int) -> None:
        self._connection = session.connection()
        self._most = most
        self._found: dict[tuple[int, str, str], Candidate] = {}
        self.is_cut_off = False
        """Whether a query had more than it was let bring."""

    @property
    def found(self) -> Collection[Candidate]:
        return self._found.values()

    def numbered(self, numbers: Collection[str], phone: str) -> None:
        self._add(_NUMBER, numbers=numbers)
        self._add_also(_ALSO_OF, numbers=numbers)
        if phone:
            self.by_phone(phone)

    def by_phone(self, phone: str) -> None:
        """By a number's last digits, the last first."""
        self._add(_PHONE, **_span("phone", phone[:PHONE_DIGITS]))

    def born(self, days: Iterable[date]) -> None:
        for day in sorted(days):
            self._add(_BORN, born=day)
            self._add_also(_ALSO_BORN, born=day)

    def named(self, family: str, given: str) -> None:
        """As it was typed, each name by its beginning."""
        given_begins = _span("given", given)
        if not family:
            self._add(_GIVEN, **given_begins)
            self._add_also(_ALSO_GIVEN, **given_begins)
            return
        self._add(_EXACT, family=family, **given_begins)
        self._add(_BEGINNING if len(family) >= len(given) else _BEGINNING_BY_GIVEN, **_span("family", family), **given_begins)
        self._add(_LAST, family=family, **given_begins)
        self._add_also(_ALSO_NAMED, **_span("family", family), **given_begins)
        self._add_also(_ALSO_LAST, family=family, **given_begins)

    def named_alike(self, family: str, given: str) -> None:
        """With one error in one of the names, or written as it sounds."""
        if len(family) >= _SHORTEST_WITH_ERROR:
            wanted = {"families": one_error_away(family), **_span("given", given)}
            self._add(_FAMILY_ERROR, **wanted)
            self._add_also(_ALSO_FAMILY_ERROR, **wanted)
        if family and len(given) >= _SHORTEST_WITH_ERROR:
            wanted = {"family": family, "givens": one_error_away(given)}
            self._add(_GIVEN_ERROR, **wanted)
            self._add_also(_ALSO_GIVEN_ERROR, **wanted)
        if " " not in family and (spoken := sound(family)):
            wanted = _span("sound", f"{spoken} {sound(given)}" if given else f"{spoken} ")
            self._add(_SOUND, **wanted)
            self._add_also(_ALSO_SOUND, **wanted)

    def _add(self, query: Prepared, **values: object) -> None:
        rows = query.rows(self._connection, most=self._most, **values)
        self.is_cut_off |= len(rows) == self._most
        for row in rows:
            self._found.setdefault((row[0], "", ""), Candidate(*row))

    def _add_also(self, query: Prepared, **values: object) -> None:
        for row in query.rows(self._connection, most=self._most, **values):
            *keys, kind, family, given = row
            keys.append(OtherName(NameKind(kind), family, given))
            self._found.setdefault(row[:3], Candidate(*keys))


def _span(name: str, beginning: str) -> dict[str, object]:
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
