"""Calling patients about their orders: each attempt with its outcome, and the exams that still wait for an appointment."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure, Site
from ris.order.listed import ListedExam, listed
from ris.order.model import CallAttempt, CallOutcome, Order, RequestedProcedure
from ris.order.service import get_procedure, procedure_event
from ris.order.status import PRIORITY_RANK, ProcedureStatus

LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class Call:
    outcome: CallOutcome
    note: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class WaitingRow(ListedExam):
    """An exam without an appointment; times are UTC, `zone` is the site's."""

    order_id: int
    is_known: bool
    """Whether the ordered code is in our catalogue."""
    requested_at: datetime | None
    placed_at: datetime
    held_at: datetime | None
    held_reason: str
    site_name: str
    zone: str


def waiting(session: Session, site_ids: Collection[int], limit: int = 300) -> list[WaitingRow]:
    """Exams without an appointment: urgent ones first, then by the time wished for, then by age; those on hold last."""
    rows = session.execute(
        listed(
            Order.id, Procedure.id.is_not(None), Order.requested_at, Order.placed_at, Order.held_at, Order.held_reason, Site.name, Site.zone
        )
        .join(Site, Site.id == RequestedProcedure.site_id)
        .where(RequestedProcedure.site_id.in_(site_ids), RequestedProcedure.status == ProcedureStatus.ordered)
        .order_by(
            Order.held_at.is_not(None), sa.case(PRIORITY_RANK, value=Order.priority),
            sa.func.coalesce(Order.requested_at, Order.placed_at), RequestedProcedure.id,
        )
        .limit(limit)
    )  # fmt: skip
    return [WaitingRow(*tuple(row)) for row in rows]


def calls(session: Session, order_ids: Collection[int]) -> Mapping[int, list[Call]]:
    """The attempts of each order, oldest first."""
    found: dict[int, list[Call]] = defaultdict(list)
    rows = session.execute(
        sa.select(CallAttempt.order_id, CallAttempt.outcome, CallAttempt.note, CallAttempt.at, CallAttempt.called_by)
        .where(CallAttempt.order_id.in_(order_ids))
        .order_by(CallAttempt.id)
    )
    for order_id, outcome, note, at, by in rows:
        found[order_id].append(Call(outcome, note, at, by))
    return found


@service
def note_call(uow: UnitOfWork, procedure_id: int, outcome: CallOutcome, note: str = "") -> CallAttempt:
    """That somebody called the patient about the order of an exam. Raises Invalid for a note that is too long, or missing for a refusal."""
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"a note has at most {LONGEST_NOTE} characters")
    if outcome is CallOutcome.declined and not note:
        raise Invalid("say what the patient declined", error_code="101")
    procedure = get_procedure(uow, procedure_id)
    call = uow.add(CallAttempt(id=new_id(), order_id=procedure.order_id, outcome=outcome, note=note, at=uow.now, called_by=uow.actor.name))
    uow.emit(procedure_event("order.patient_called", procedure, outcome=outcome.value))
    return call
