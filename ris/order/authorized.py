"""Exams under an authorisation: which one fits, how many exams are left of it, and putting an exam under it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import NotAllowedNow, NotFound
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure, Site
from ris.order.model import AuthorizedProcedure, RequestedProcedure
from ris.order.service import get_procedure, procedure_event
from ris.order.status import ProcedureStatus
from ris.patient.coverage import authorizations, why_not
from ris.patient.model import Authorization


@dataclass(frozen=True, slots=True)
class Choice:
    """An authorisation of the patient, seen from one exam; `reasons` say why it does not cover the exam."""

    authorization_id: int
    number: str
    left: int
    reasons: tuple[str, ...]


def used(session: Session, authorization_ids: Collection[int]) -> Mapping[int, int]:
    """How many exams each covers; cancelled ones give their unit back."""
    rows = session.execute(
        sa.select(AuthorizedProcedure.authorization_id, sa.func.count())
        .join(RequestedProcedure, RequestedProcedure.id == AuthorizedProcedure.procedure_id)
        .where(AuthorizedProcedure.authorization_id.in_(authorization_ids), RequestedProcedure.status != ProcedureStatus.cancelled)
        .group_by(AuthorizedProcedure.authorization_id)
    )
    return {authorization_id: count for authorization_id, count in rows}  # noqa: C416 (rows have types)


def of_procedures(session: Session, procedure_ids: Collection[int]) -> Mapping[int, str]:
    """The number under which each exam is done; without those that are under none."""
    rows = session.execute(
        sa.select(AuthorizedProcedure.procedure_id, Authorization.number)
        .join(Authorization, Authorization.id == AuthorizedProcedure.authorization_id)
        .where(AuthorizedProcedure.procedure_id.in_(procedure_ids))
    )
    return {procedure_id: number for procedure_id, number in rows}  # noqa: C416 (rows have types)


def choices(session: Session, *, patient_id: int, code: str, on: date) -> list[Choice]:
    """Every authorisation of the patient, those that cover an exam of that code on that day first."""
    rows = authorizations(session, patient_id)
    taken = used(session, [row.id for row in rows])
    found = []
    for row in rows:
        left = row.units - taken.get(row.id, 0)
        found.append(Choice(row.id, row.number, left, why_not(row, code=code, on=on, left=left)))
    return sorted(found, key=lambda choice: bool(choice.reasons))


@service
def put_under(uow: UnitOfWork, procedure_id: int, authorization_id: int | None) -> None:
    """The exam is done under that authorisation (None: under none); again is no change.

    Raises NotAllowedNow with every reason why it does not cover the exam today, NotFound for one that is not the patient's.
    """
    procedure = get_procedure(uow, procedure_id)
    known = uow.session.get(AuthorizedProcedure, procedure_id)
    if (known.authorization_id if known else None) == authorization_id:
        return
    if authorization_id is not None:
        _check(uow, procedure, authorization_id)
    uow.touch()
    if known is not None:
        uow.session.delete(known)
        uow.session.flush()
    if authorization_id is not None:
        uow.add(AuthorizedProcedure(procedure_id=procedure_id, authorization_id=authorization_id))
    uow.emit(procedure_event("order.authorized", procedure, authorization_id=authorization_id))


def _check(uow: UnitOfWork, procedure: RequestedProcedure, authorization_id: int) -> None:
    # Two exams that are put under the last unit at once: the second waits here, and finds none left.
    row = uow.session.get(Authorization, authorization_id, populate_existing=True, with_for_update=True)
    if row is None or row.patient_id != procedure.order.patient_id:
        raise NotFound("the patient has no such authorisation")
    catalogued = uow.session.get(Procedure, procedure.procedure_id) if procedure.procedure_id else None
    today = local(uow.now, uow.session.get_one(Site, procedure.site_id).zone).date()
    left = row.units - used(uow.session, [authorization_id]).get(authorization_id, 0)
    reasons = why_not(row, code=catalogued.code if catalogued else "", on=today, left=left)
    if reasons:
        raise NotAllowedNow(f"authorisation {row.number} does not cover the exam: {'; '.join(reasons)}", missing=reasons)
