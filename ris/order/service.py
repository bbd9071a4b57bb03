"""What can be done with orders: place, change, cancel; and the one place that moves a requested procedure."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value

from ris.base.errors import Duplicate, Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Coded, Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import Site
from ris.order import status
from ris.order.held import held
from ris.order.model import Order, RequestedProcedure
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.task import service as task

UID_ROOT = "2.25"
"""PS3.5 B.2: a UUID as one decimal number below this root is a UID that nobody else makes."""


@dataclass(frozen=True, slots=True)
class ProcedureRequest:
    code: Coded
    """OBR-4 as it was sent, or our own code."""
    procedure_id: int | None
    """Our catalogue's, None while the code is not mapped."""
    laterality: str = ""
    foreign_accession: str = ""
    study_instance_uid: str = ""
    """Of the sender, when it makes them."""
    accession_is_ours: bool = False
    """Whether the exam takes the sender's accession number for its own."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What an edge has read: an empty value makes no statement when it changes an order."""

    patient_id: int
    site_id: int
    procedures: tuple[ProcedureRequest, ...]
    partner_id: int | None = None
    placer_number: str = ""
    placer_namespace: str = ""
    visit_id: int | None = None
    priority: Priority | None = None
    requested_at: datetime | None = None
    placed_at: datetime | None = None
    orderer_number: str = ""
    orderer_name: str = ""
    callback: str = ""
    reason: str = ""
    clinical_information: str = ""
    danger: str = ""
    transport: str = ""
    diagnosis: str = ""
    copies_to: str = ""
    parent_number: str = ""


_CHANGEABLE = tuple(
    f.name for f in fields(OrderRequest)
    if f.name not in ("patient_id", "site_id", "procedures", "partner_id", "placer_number", "placer_namespace")
)  # fmt: skip


def placer_key(partner_id: int, namespace: str, number: str) -> str:
    """The key under which a partner's order number leads to one order."""
    return f"{partner_id}|{namespace}|{number}"


@service
def place(uow: UnitOfWork, request: OrderRequest) -> Order:
    """A new order with its procedures. Raises Duplicate when the placer number is another order's, Invalid without a procedure."""
    if not request.procedures:
        raise Invalid("an order asks for at least one procedure", error_code="101")
    key = (
        placer_key(request.partner_id, request.placer_namespace, request.placer_number)
        if request.partner_id and request.placer_number
        else None
    )
    if key and uow.find(Order.placer_key, key):
        raise Duplicate("this placer number belongs to another order")
    order = uow.create(
        Order,
        id=new_id(),
        patient_id=request.patient_id,
        visit_id=request.visit_id,
        partner_id=request.partner_id,
        site_id=request.site_id,
        placer_key=key,
        placer_number=request.placer_number,
        placer_namespace=request.placer_namespace,
        filler_number=number(uow, "F", "filler"),
        status=OrderStatus.scheduled,
        priority=request.priority or Priority.routine,
        requested_at=request.requested_at,
        placed_at=request.placed_at or uow.now,
        orderer_number=request.orderer_number,
        orderer_name=request.orderer_name,
        callback=request.callback,
        reason=request.reason,
        clinical_information=request.clinical_information,
        danger=request.danger,
        transport=request.transport,
        diagnosis=request.diagnosis,
        copies_to=request.copies_to,
        parent_number=request.parent_number,
    )
    if key:
        uow.put(Order.placer_key, key, order)
    uow.put(Order.filler_number, order.filler_number, order)
    procedures = [new_procedure(uow, order, sequence, wanted) for sequence, wanted in enumerate(request.procedures, 1)]
    set_committed_value(order, "procedures", procedures)
    uow.emit(order_event("order.placed", order))
    return order


@service
def add_procedure(uow: UnitOfWork, order: Order, wanted: ProcedureRequest) -> RequestedProcedure:
    """A further procedure that the department itself adds to an order; the placer is told."""
    procedure = new_procedure(uow, order, _last_sequence(uow, order) + 1, wanted)
    set_committed_value(order, "procedures", [*order.procedures, procedure])
    derive_status(order)
    uow.emit(order_event("order.changed", order, changed=["procedures"]))
    return procedure


@service
def change(uow: UnitOfWork, order: Order, request: OrderRequest) -> Order:
    """What the placer says anew about a known order; what it does not mention stays.

    Raises Duplicate when the order is another patient's (HL7 table 0357: 205).
    """
    if order.patient_id != request.patient_id:
        raise Duplicate("this order number belongs to another patient")
    if order.status in (OrderStatus.cancelled, OrderStatus.discontinued):
        raise NotAllowedNow(f"the order is {order.status}: nothing can be changed any more")
    changed = [name for name in _CHANGEABLE if getattr(request, name) and getattr(request, name) != getattr(order, name)]
    if changed:
        uow.touch()
    for name in changed:
        setattr(order, name, getattr(request, name))
    if _change_procedures(uow, order, request.procedures):
        changed.append("procedures")
    if changed:
        derive_status(order)
        uow.emit(order_event("order.changed", order, changed=changed))
    return order


@service
def cancel(uow: UnitOfWork, order_id: int, reason: str) -> Order:
    """Ends an order of which nothing has begun; again is no change. Raises NotAllowedNow once a procedure has begun."""
    order = get(uow, order_id)
    if order.status is OrderStatus.cancelled:
        return order
    begun = [p for p in order.procedures if p.status not in (*status.NOT_STARTED, ProcedureStatus.cancelled)]
    if begun:
        raise NotAllowedNow(f"exam {begun[0].accession_number} is {begun[0].status.replace('_', ' ')}")
    for procedure in order.procedures:
        if procedure.status is not ProcedureStatus.cancelled:
            end_procedure(uow, procedure, reason)
    uow.emit(order_event("order.cancelled", order, reason=reason))
    if uow.actor.kind == "partner":
        _cancel_split_off(uow, order, reason)
    return order


def _cancel_split_off(uow: UnitOfWork, order: Order, reason: str) -> None:
    """The placer knows one order where the desk has made several of it."""
    for child_id in uow.session.scalars(sa.select(Order.id).where(Order.split_from_id == order.id).order_by(Order.id)).all():
        try:
            cancel(uow, child_id, reason)
        except NotAllowedNow as refused:
            task.open(uow, "cancel_refused", Ref("order", child_id), refused.message, site_id=order.site_id)


@service
def cancel_procedure(uow: UnitOfWork, procedure_id: int, reason: str) -> RequestedProcedure:
    """Ends one procedure that has not begun; the last one ends its order. Raises NotAllowedNow, Invalid without a reason."""
    if not reason.strip():
        raise Invalid("a cancellation needs a reason", error_code="101")
    procedure = get_procedure(uow, procedure_id)
    end_procedure(uow, procedure, reason)
    if procedure.order.status is OrderStatus.cancelled:
        uow.emit(order_event("order.cancelled", procedure.order, reason=reason))
    return procedure


def move(
    uow: UnitOfWork, procedure: RequestedProcedure, step: str, holds: Callable[[Requirement], bool] = lambda _: True
) -> ProcedureStatus:
    """Moves a procedure along its life cycle and rewrites the state of its order. Raises NotAllowedNow with every reason."""

    def satisfied(requirement: Requirement) -> bool:
        if requirement is status.NOT_HELD:
            return procedure.order.held_at is None
        return procedure.procedure_id is not None if requirement is status.KNOWN_PROCEDURE else holds(requirement)

    why = held(procedure.order, uow.session.get_one(Site, procedure.site_id).zone) if procedure.order.held_at else None
    target = status.PROCEDURE.go(step, procedure.status, satisfied, {status.NOT_HELD: why.text} if why else {})
    uow.touch()
    procedure.status = target
    if target in status.NOT_STARTED:
        procedure.started_at = None
    elif target is ProcedureStatus.in_progress and procedure.started_at is None:
        procedure.started_at = uow.now
    procedure.ended_at = None if target in status.OPEN else uow.now
    derive_status(procedure.order)
    return target


def get(uow: UnitOfWork, order_id: int) -> Order:
    # It may be one that this very unit of work has placed and not written yet.
    uow.session.flush()
    order = uow.session.get(Order, order_id, with_for_update=True, populate_existing=True)
    if order is None:
        raise NotFound(f"order {order_id} does not exist")
    return order


def get_procedure(uow: UnitOfWork, procedure_id: int) -> RequestedProcedure:
    """The procedure, its order locked first: whoever changes one of them waits for the other. Raises NotFound."""
    order_id = uow.session.scalar(sa.select(RequestedProcedure.order_id).where(RequestedProcedure.id == procedure_id))
    if order_id is None:
        raise NotFound(f"exam {procedure_id} does not exist")
    order = get(uow, order_id)
    uow.session.refresh(order, with_for_update=True)
    return next(p for p in order.procedures if p.id == procedure_id)


def order_event(name: str, order: Order, **facts: Any) -> Event:
    """An event about an order, with the facts by which partners are chosen and told."""
    return Event(
        name,
        Ref("order", order.id),
        patient_id=order.patient_id,
        order_id=order.id,
        procedure_id=order.procedures[0].id if order.procedures else None,
        site_id=order.site_id,
        facts={"placer_partner_id": order.partner_id, "status": order.status, **facts},
    )


def procedure_event(name: str, procedure: RequestedProcedure, about: Ref | None = None, **facts: Any) -> Event:
    """An event about one exam, with the facts by which partners are chosen and told."""
    order = procedure.order
    return Event(
        name,
        about or Ref("procedure", procedure.id),
        patient_id=order.patient_id,
        order_id=order.id,
        procedure_id=procedure.id,
        site_id=procedure.site_id,
        facts={"placer_partner_id": order.partner_id, "status": procedure.status, **facts},
    )


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(uow: UnitOfWork, letter: str, sequence: str) -> str:
    """The next filler (F) or accession (A) number."""
    return f"{letter}{uow.now.year % 100:02d}{uow.number(sequence):08d}"


def new_procedure(uow: UnitOfWork, order: Order, sequence: int, wanted: ProcedureRequest) -> RequestedProcedure:
    procedure = uow.create(
        RequestedProcedure,
        id=new_id(),
        order_id=order.id,
        sequence=sequence,
        site_id=order.site_id,
        accession_number=_accession_number(uow, wanted),
        study_instance_uid=_study_instance_uid(uow, wanted.study_instance_uid),
        foreign_accession=wanted.foreign_accession,
        procedure_id=wanted.procedure_id,
        partner_code=wanted.code.code,
        partner_text=wanted.code.text,
        partner_system=wanted.code.system,
        laterality=wanted.laterality,
        status=ProcedureStatus.ordered,
    )
    set_committed_value(procedure, "order", order)
    if wanted.procedure_id is None:
        _ask_for_mapping(uow, procedure)
    return procedure


def _accession_number(uow: UnitOfWork, wanted: ProcedureRequest) -> str:
    """The sender's, where that is agreed, no other exam has it and it is not too long ((0008,0050): 16 characters); else a new one."""
    brought = wanted.foreign_accession
    if wanted.accession_is_ours and 0 < len(brought) <= 16 and uow.find(RequestedProcedure.accession_number, brought) is None:
        uow.put(RequestedProcedure.accession_number, brought, brought)
        return brought
    return number(uow, "A", "accession")


def _study_instance_uid(uow: UnitOfWork, brought: str) -> str:
    """The sender's own, unless another study has it already; else a new one."""
    if brought and uow.find(RequestedProcedure.study_instance_uid, brought) is None:
        return brought
    return f"{UID_ROOT}.{uuid.uuid4().int}"


def _change_procedures(uow: UnitOfWork, order: Order, wanted: tuple[ProcedureRequest, ...]) -> bool:
    """Another code for a procedure that has not begun replaces it; a further one is added. Fewer codes cancel nothing.

    What the desk has made an order of its own (`ris.order.revise`) keeps its place: the placer names it still.
    """
    changed = False
    known = {procedure.sequence: procedure for procedure in order.procedures}
    for sequence, request in enumerate(wanted, 1):
        procedure = known.get(sequence)
        if procedure is None and not _is_split_off(uow, order, sequence):
            set_committed_value(order, "procedures", [*order.procedures, new_procedure(uow, order, sequence, request)])
            changed = True
        elif procedure is not None and request.code.code and request.code.code != procedure.partner_code:
            _replace_code(uow, procedure, request)
            changed = True
    return changed


def _is_split_off(uow: UnitOfWork, order: Order, sequence: int) -> bool:
    of = RequestedProcedure
    there = sa.exists().where(of.order_id == Order.id, Order.split_from_id == order.id, of.sequence == sequence)
    return bool(uow.session.scalar(sa.select(there)))


def _last_sequence(uow: UnitOfWork, order: Order) -> int:
    own = sa.or_(Order.id == order.id, Order.split_from_id == order.id)
    last = sa.select(sa.func.max(RequestedProcedure.sequence)).join(Order).where(own)
    return max(uow.session.scalar(last) or 0, *(procedure.sequence for procedure in order.procedures), 0)


def _replace_code(uow: UnitOfWork, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    if procedure.status is not ProcedureStatus.ordered:
        state = procedure.status.replace("_", " ")
        raise NotAllowedNow(f"exam {procedure.accession_number} is {state}: its code cannot be changed by the placer")
    uow.touch()
    procedure.procedure_id = request.procedure_id
    procedure.changed_at, procedure.asked_procedure_id, procedure.asked_laterality = None, None, ""
    procedure.partner_code, procedure.partner_text, procedure.partner_system = request.code
    if request.procedure_id is None:
        _ask_for_mapping(uow, procedure)
    else:
        task.settle(uow, "map_procedure", Ref("procedure", procedure.id))


def _ask_for_mapping(uow: UnitOfWork, procedure: RequestedProcedure) -> None:
    code, system = procedure.partner_code or "(empty)", procedure.partner_system or "(none)"
    task.open(
        uow,
        "map_procedure",
        Ref("procedure", procedure.id),
        f"code {code} of system {system} is not in our catalogue",
        site_id=procedure.site_id,
        facts={"partner_id": procedure.order.partner_id, "code": procedure.partner_code, "text": procedure.partner_text},
    )


def end_procedure(uow: UnitOfWork, procedure: RequestedProcedure, reason: str) -> None:
    move(uow, procedure, "cancel")
    procedure.ended_reason = reason
    uow.emit(procedure_event("order.procedure_cancelled", procedure, reason=reason))


def derive_status(order: Order) -> None:
    derived = status.order_status(p.status for p in order.procedures)
    if derived != order.status:
        order.status = derived
