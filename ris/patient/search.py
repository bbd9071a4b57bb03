"""Finding patients by what a person types: an identifier, a birth date, a name, a telephone number, all with an error."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient import likeness
from ris.patient.candidates import END, Candidate, Finder
from ris.patient.model import Patient, Sex
from ris.patient.mrn import MRN
from ris.patient.name import Named, called
from ris.patient.naming import described
from ris.patient.typed import Typed, readings


@dataclass(frozen=True, slots=True)
class FoundPatient(Named):
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: Sex
    mrn: str | None
    matched: str = ""
    """`formerly Brook, Anna`, where another name than that of the record was found."""


_COLUMNS = (Patient.id, Patient.family, Patient.given, Patient.birth_date, Patient.sex, MRN)


def search(session: Session, text: str, *where: sa.ColumnElement[bool], limit: int = 20) -> list[FoundPatient]:
    """Patients that are not merged away and fit all of the text, who fits best first; `where` narrows further.

    Names, also former and other ones, are found in either order, by their beginning, as they sound and with one error; a birth date as
    1970-05-17, 17.05.1970 or 5/17/1970; identifiers (also those of a merged record) and telephone numbers.
    """
    text = text.strip()
    if len(text) < 2:
        return []
    for typed in readings(text):
        if found := _fitting(session, typed, where, limit):
            return found
    return []


def with_merged(session: Session, patient_ids: Collection[int]) -> set[int]:
    """The patients and all whose records were merged into theirs, through any number of merges."""
    known, newest = set(patient_ids), set(patient_ids)
    while newest:
        newest = set(session.scalars(sa.select(Patient.id).where(Patient.merged_into_id.in_(newest)))) - known
        known |= newest
    return known


def names(session: Session, patient_ids: Collection[int]) -> dict[int, str]:
    """What to call each patient on a page: name and number."""
    rows = session.execute(sa.select(Patient.id, Patient.family, Patient.given, MRN).where(Patient.id.in_(patient_ids)))
    return {patient_id: called(family, given) + (f" · {mrn}" if mrn else "") for patient_id, family, given, mrn in rows}


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_Where = tuple[sa.ColumnElement[bool], ...]
_MOST, _MOST_OF_A_DAY = 300, 1500
"""Candidates of one query; more where a birth date tells them apart."""
_FAR_BEHIND = 0.6
"""Who fits less than so much of the best is left out."""


def _fitting(session: Session, typed: Typed, where: _Where, limit: int) -> list[FoundPatient]:
    finder = Finder(session, _MOST_OF_A_DAY if typed.born else _MOST)
    if typed.numbers:
        finder.numbered(typed.numbers, typed.phone)
    elif typed.names:
        _by_name(finder, typed, limit)
    else:
        finder.born(typed.born)
    ranked = _ranked(typed, finder)
    found = _shown(session, ranked, where, limit)
    if finder.is_cut_off and where and len(found) < limit and not typed.numbers:
        # Those that `where` lets pass may all be among the many that were not brought.
        found += _passing(session, typed, where, {row.patient_id for row in found}, limit - len(found))
    return found


def _by_name(finder: Finder, typed: Typed, limit: int) -> None:
    """The cheapest look-ups first; the next only where those before have brought too few, or nobody who was born so and named so."""

    def is_enough() -> bool:
        fits = [fit for _, fit in _ranked(typed, finder)]
        return bool(fits) and fits[0] >= likeness.SOUNDS if typed.born else len(fits) >= limit

    if typed.born:
        finder.born(typed.born)
    for look_up in (finder.named, finder.named_alike):
        if is_enough():
            return
        for family, given in typed.names:
            look_up(family, given)


def _ranked(typed: Typed, finder: Finder) -> list[tuple[Candidate, float]]:
    """Each patient by the name that fits best, with the fit, the best first, as people are listed where they fit alike."""
    best: dict[int, tuple[Candidate, float]] = {}
    for candidate in finder.found:
        fit = _fit(typed, candidate)
        if candidate.patient_id not in best or fit > best[candidate.patient_id][1]:
            best[candidate.patient_id] = candidate, fit
    scored = best.values()
    least = _FAR_BEHIND * max((score for _, score in scored), default=0.0)
    kept = [(candidate, score) for candidate, score in scored if score > 0 and score >= least]
    kept.sort(key=lambda pair: (-pair[1], pair[0].family_key, pair[0].given_key, pair[0].patient_id))
    return kept


def _fit(typed: Typed, candidate: Candidate) -> float:
    known = {"family_key": candidate.family_key, "given_key": candidate.given_key}
    named = max((likeness.names(family, given, **known) for family, given in typed.names), default=1.0)
    if not typed.names and not typed.numbers:
        return float(candidate.birth_date in typed.born)
    named *= likeness.ALSO if candidate.other is not None else likeness.SAME
    return named * likeness.birth_date(typed.born, candidate.birth_date)


def _shown(session: Session, ranked: list[tuple[Candidate, float]], where: _Where, limit: int) -> list[FoundPatient]:
    """Those that `where` lets pass, in their order, read in pieces until there are enough."""
    found: list[FoundPatient] = []
    for first in range(0, len(ranked), 5 * limit):
        piece = {candidate.patient_id: candidate for candidate, _ in ranked[first : first + 5 * limit]}
        rows = {row.id: row for row in session.execute(sa.select(*_COLUMNS).where(Patient.id.in_(piece), *where))}
        found += [FoundPatient(*rows[key], _matched(candidate)) for key, candidate in piece.items() if key in rows]
        if len(found) >= limit:
            break
    return found[:limit]


def _matched(candidate: Candidate) -> str:
    other = candidate.other
    return described(other.kind, other.family, other.given) if other is not None else ""


def _passing(session: Session, typed: Typed, where: _Where, known: set[int], limit: int) -> list[FoundPatient]:
    """By the beginning of a name or the birth date alone, and only who passes."""
    begins = [
        _begins(Patient.family_key, family) & _begins(Patient.given_key, given) if family else _begins(Patient.given_key, given)
        for family, given in typed.names
    ]
    is_meant = sa.or_(*begins) if begins else Patient.birth_date.in_(typed.born)
    rows = session.execute(
        sa.select(*_COLUMNS)
        .where(Patient.merged_into_id.is_(None), is_meant, Patient.id.not_in(known), *where)
        .order_by(Patient.family_key, Patient.given_key, Patient.id)
        .limit(limit)
    )
    return [FoundPatient(*row) for row in rows]


def _begins(column: sa.orm.InstrumentedAttribute[str], text: str) -> sa.ColumnElement[bool]:
    return (column >= text) & (column < text + END) if text else sa.true()
