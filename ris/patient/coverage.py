"""Who pays for a patient: insurance as senders and the desk say it, and what an insurer has agreed to beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.model import Authorization, Coverage, Patient


@dataclass(frozen=True, slots=True)
class CoverageData:
    payer: str
    """IN1-4."""
    payer_code: str = ""
    """IN1-3.1."""
    plan: str = ""
    """IN1-2.2, else IN1-2.1."""
    member_number: str = ""
    """IN1-36."""
    group_number: str = ""
    """IN1-8."""
    rank: int = 1
    """IN1-1: 1 pays first."""
    valid_from: date | None = None
    """IN1-12."""
    valid_to: date | None = None
    """IN1-13, the last day."""


@dataclass(frozen=True, slots=True)
class AuthorizationData:
    number: str
    units: int
    """So many exams are agreed to."""
    codes: tuple[str, ...] = ()
    """Our procedure codes that are agreed to; empty: any."""
    valid_from: date | None = None
    valid_to: date | None = None
    """The last day."""
    coverage_id: int | None = None


def coverages(session: Session, patient_id: int) -> Sequence[Coverage]:
    """Who pays first stands first; what the desk has ended is left out."""
    wanted = sa.select(Coverage).where(Coverage.patient_id == patient_id, Coverage.ended_at.is_(None))
    return session.scalars(wanted.order_by(Coverage.rank, Coverage.id)).all()


def authorizations(session: Session, patient_id: int) -> Sequence[Authorization]:
    wanted = sa.select(Authorization).where(Authorization.patient_id == patient_id, Authorization.ended_at.is_(None))
    return session.scalars(wanted.order_by(Authorization.valid_to, Authorization.id)).all()


@service
def replace_coverage(uow: UnitOfWork, patient_id: int, partner_id: int, said: Sequence[CoverageData]) -> None:
    """A sender's list as it is now (IN1); what other senders and the desk said stays. The same again is no change."""
    uow.see(Coverage)  # the message before it in the same group may have said others
    wanted = list(dict.fromkeys(said))
    where = (Coverage.patient_id == patient_id, Coverage.partner_id == partner_id)
    known = uow.session.scalars(sa.select(Coverage).where(*where).order_by(Coverage.rank, Coverage.id)).all()
    if [_said(row) for row in known] == sorted(wanted, key=lambda one: one.rank):
        return
    kept = {_said(row): row for row in known}
    uow.touch()
    for data, row in kept.items():
        if data not in wanted:
            uow.session.execute(sa.update(Authorization).where(Authorization.coverage_id == row.id).values(coverage_id=None))
            uow.session.delete(row)
    for data in wanted:
        if data not in kept:
            uow.add(_new(patient_id, data, partner_id))
    _tell(uow, patient_id, count=len(wanted))


@service
def save_coverage(
    uow: UnitOfWork, patient_id: int, data: CoverageData, *, coverage_id: int | None = None, row_version: int | None = None
) -> Coverage:
    """Says a coverage, or says one of the desk's anew. Raises Invalid, Stale, NotFound for one that is a sender's."""
    if not data.payer.strip():
        raise Invalid("a coverage needs a payer", error_code="101")
    _check_span(data.valid_from, data.valid_to)
    if coverage_id is None:
        _check_patient(uow, patient_id)
        row = uow.add(_new(patient_id, data, None))
    else:
        row = _own(uow, Coverage, patient_id, coverage_id)
        if row.partner_id is not None or row.ended_at is not None:
            raise NotFound("the coverage is kept by its sender, or was ended")
        if row.row_version != row_version:
            raise Stale("somebody else has changed this coverage in the meantime")
        uow.touch()
        for name in CoverageData.__slots__:
            setattr(row, name, getattr(data, name))
    _tell(uow, patient_id, count=1)
    return row


@service
def end_coverage(uow: UnitOfWork, patient_id: int, coverage_id: int) -> None:
    _end(uow, patient_id, _own(uow, Coverage, patient_id, coverage_id))


@service
def authorize(uow: UnitOfWork, patient_id: int, data: AuthorizationData) -> Authorization:
    """What an insurer has agreed to. Raises Invalid for what makes no sense."""
    if not data.number.strip():
        raise Invalid("an authorisation has a number", error_code="101")
    if not 1 <= data.units <= 999:
        raise Invalid("an authorisation is for 1 to 999 exams")
    _check_span(data.valid_from, data.valid_to)
    _check_patient(uow, patient_id)
    if data.coverage_id is not None:
        _own(uow, Coverage, patient_id, data.coverage_id)
    row = uow.add(
        Authorization(
            id=new_id(), patient_id=patient_id, coverage_id=data.coverage_id, number=data.number.strip(), codes=list(data.codes),
            units=data.units, valid_from=data.valid_from, valid_to=data.valid_to, ended_at=None,
        )
    )  # fmt: skip
    _tell(uow, patient_id, authorization=row.id)
    return row


@service
def end_authorization(uow: UnitOfWork, patient_id: int, authorization_id: int) -> None:
    """It counts no more for exams to come; those that were done under it stay so. Again is no change."""
    _end(uow, patient_id, _own(uow, Authorization, patient_id, authorization_id))


def why_not(row: Authorization, *, code: str, on: date, left: int) -> tuple[str, ...]:
    """Every reason why an authorisation does not cover one more exam of that code on that day; empty when it does."""
    reasons = []
    if row.ended_at is not None:
        reasons.append("it was ended")
    if row.codes and code not in row.codes:
        reasons.append(f"it is for {', '.join(row.codes)}")
    if row.valid_from is not None and on < row.valid_from:
        reasons.append(f"it begins on {row.valid_from}")
    if row.valid_to is not None and on > row.valid_to:
        reasons.append(f"it ended on {row.valid_to}")
    if left < 1:
        reasons.append("no exam is left of it")
    return tuple(reasons)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _said(row: Coverage) -> CoverageData:
    return CoverageData(**{name: getattr(row, name) for name in CoverageData.__slots__})


def _new(patient_id: int, data: CoverageData, partner_id: int | None) -> Coverage:
    said = {name: getattr(data, name) for name in CoverageData.__slots__}
    return Coverage(id=new_id(), patient_id=patient_id, partner_id=partner_id, ended_at=None, **said)


_Row = TypeVar("_Row", Coverage, Authorization)


def _own(uow: UnitOfWork, model: type[_Row], patient_id: int, key: int) -> _Row:
    row = uow.session.get(model, key, populate_existing=True, with_for_update=True)
    if row is None or row.patient_id != patient_id:
        raise NotFound("the patient has nothing of that kind")
    return row


def _end(uow: UnitOfWork, patient_id: int, row: Coverage | Authorization) -> None:
    if row.ended_at is not None:
        return
    uow.touch()
    row.ended_at = uow.now
    _tell(uow, patient_id, ended=row.id)


def _check_span(first: date | None, last: date | None) -> None:
    if first is not None and last is not None and last < first:
        raise Invalid("the last day is before the first")


def _check_patient(uow: UnitOfWork, patient_id: int) -> None:
    patient = uow.session.get(Patient, patient_id, populate_existing=True, with_for_update=True)
    if patient is None or patient.merged_into_id is not None:
        raise NotFound("there is no such patient")


def _tell(uow: UnitOfWork, patient_id: int, **facts: int) -> None:
    uow.emit(Event("patient.coverage_updated", Ref("patient", patient_id), patient_id=patient_id, facts=facts))
