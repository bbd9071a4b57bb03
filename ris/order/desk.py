"""What the desk does with orders: enter one for a patient, correct what it says, hold it for a time."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow, NotFound, Stale
from ris.base.ref import Coded, Ref
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import OrderSet, Procedure
from ris.order import placer
from ris.order.model import Order
from ris.order.service import OrderRequest, ProcedureRequest, get, order_event, place
from ris.order.status import OrderStatus
from ris.patient.model import Patient
from ris.task import service as task

OURS = "L"
"""Coding system of our own codes (HL7 table 0396: local)."""
TEXTS = (
    "orderer_number", "orderer_name", "callback", "reason", "clinical_information", "danger", "transport", "diagnosis", "copies_to",
)  # fmt: skip
CORRECTABLE = ("priority", "requested_at", *TEXTS)


@service
def enter(uow: UnitOfWork, request: OrderRequest) -> Order:
    """A new order of a patient who is here; its `partner_id` is asked for a placer number (RAD-3, SN).

    Raises Invalid for what an order cannot do without, NotFound for a patient who is not here or was merged away.
    """
    patient = uow.session.get(Patient, request.patient_id, populate_existing=True, with_for_update=True)
    if patient is None or patient.merged_into_id is not None:
        raise NotFound("there is no such patient")
    if not request.reason.strip():
        raise Invalid("an order needs a reason", error_code="101")
    return place(uow, request)


def procedure_request(procedure: Procedure, laterality: str = "") -> ProcedureRequest:
    return ProcedureRequest(Coded(procedure.code, procedure.name, OURS), procedure.id, laterality)


def offered(session: Session) -> dict[str, Procedure]:
    """What may be ordered, by code."""
    return {row.code: row for row in session.scalars(sa.select(Procedure).where(Procedure.active).order_by(Procedure.code))}


def order_sets(session: Session) -> dict[str, OrderSet]:
    """Procedures that are ordered together, by code."""
    return {row.code: row for row in session.scalars(sa.select(OrderSet).where(OrderSet.active).order_by(OrderSet.code))}


@service
def correct(uow: UnitOfWork, order_id: int, said: Mapping[str, object], *, row_version: int) -> Order:
    """The order says this from now on; an empty value empties. `said` has keys of `CORRECTABLE`.

    Raises NotAllowedNow for an order that has ended, Stale when somebody has changed it in the meantime.
    """
    order = get(uow, order_id)
    if order.row_version != row_version:
        raise Stale("somebody else has changed this order in the meantime: compare, and save again")
    if order.status in (OrderStatus.cancelled, OrderStatus.discontinued):
        raise NotAllowedNow(f"the order is {order.status}: nothing can be changed any more")
    changed = [name for name in CORRECTABLE if name in said and said[name] != getattr(order, name)]
    if changed:
        uow.touch()
        for name in changed:
            setattr(order, name, said[name])
        uow.emit(order_event("order.changed", order, changed=changed))
    return order


@service
def hold(uow: UnitOfWork, order_id: int, reason: str, *, until: datetime | None) -> Order:
    """Holds the order for a reason, until a moment or until it is released. Raises as `placer.hold`, Invalid for a time that has passed."""
    if not reason.strip():
        raise Invalid("a hold needs a reason", error_code="101")
    if until is not None and until <= uow.now:
        raise Invalid("a hold ends in the future", error_code="102")
    order = placer.hold(uow, order_id, reason.strip())
    uow.touch()
    order.held_until = until
    return order


def is_release_due(session: Session, now: datetime) -> bool:
    return session.scalar(sa.select(Order.id).where(Order.held_until <= now).limit(1)) is not None


@service
def release_due(uow: UnitOfWork) -> int:
    """Ends every hold whose time has come, with a task to go on with the order; returns how many."""
    due = uow.session.scalars(sa.select(Order.id).where(Order.held_until <= uow.now).order_by(Order.id)).all()
    for order_id in due:
        held = get(uow, order_id)
        if held.held_until is None or held.held_until > uow.now:
            continue  # somebody was faster
        held.held_until = None
        if held.status is OrderStatus.scheduled:
            reason = held.held_reason
            placer.release(uow, order_id)
            task.open(uow, "hold_ended", Ref("order", order_id), f"it was held: {reason}", site_id=held.site_id)
    return len(due)
