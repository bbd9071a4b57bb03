"""What the desk makes of an order before it begins: another exam, two orders of one, one exam of several, another order instead."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure
from ris.order.model import Order, RequestedProcedure
from ris.order.service import (
    ProcedureRequest,
    derive_status,
    end_procedure,
    get,
    get_procedure,
    new_procedure,
    number,
    order_event,
    procedure_event,
)
from ris.order.status import NOT_STARTED, OrderStatus, ProcedureStatus
from ris.task import service as task

_OWN = ("id", "row_version", "filler_number", "status", "split_from_id", "replaces_id", "placer_key")
COPIED = tuple(column.key for column in sa.inspect(Order).columns if column.key not in _OWN)


@service
def change(uow: UnitOfWork, procedure_id: int, kind: Procedure, laterality: str, reason: str) -> RequestedProcedure:
    """The exam is another one, or of another side, from now on; what was asked for is kept, and changing it back forgets the change.
    A side where none was said is no change of what was asked for.

    Raises Invalid without a reason, NotAllowedNow once it has begun.
    """
    why = _reason(reason)
    procedure = get_procedure(uow, procedure_id)
    _refuse_begun(procedure)
    if (kind.id, laterality) == (procedure.procedure_id, procedure.laterality):
        return procedure
    uow.touch()
    before = _said(uow, procedure)
    names_side = kind.id == procedure.procedure_id and not procedure.laterality
    if procedure.changed_at is None and not names_side:
        procedure.asked_procedure_id, procedure.asked_laterality = procedure.procedure_id, procedure.laterality
    if procedure.procedure_id is None:
        task.settle(uow, "map_procedure", Ref("procedure", procedure_id))
    procedure.procedure_id, procedure.laterality = kind.id, laterality
    procedure.changed_at = procedure.changed_at if names_side else uow.now
    if (kind.id, laterality) == (procedure.asked_procedure_id, procedure.asked_laterality):
        procedure.asked_procedure_id, procedure.asked_laterality, procedure.changed_at = None, "", None
    uow.emit(procedure_event("order.procedure_changed", procedure, reason=why, before=before, after=_said(uow, procedure)))
    return procedure


@service
def split_off(uow: UnitOfWork, order_id: int, procedure_ids: Collection[int], reason: str) -> Order:
    """Makes an order of its own of some exams; they keep accession number, appointment and everything that hangs on them.

    The placer's number stands on both, and leads to the first; what its placer cancels or holds there is done to both.
    Raises Invalid without a reason or where none or all are chosen, NotAllowedNow for an exam that has begun or ended.
    """
    why = _reason(reason)
    order = get(uow, order_id)
    chosen = [procedure for procedure in order.procedures if procedure.id in procedure_ids]
    for procedure in chosen:
        _refuse_begun(procedure)
    left = [p for p in order.procedures if p.id not in procedure_ids and p.status is not ProcedureStatus.cancelled]
    if not chosen or not left:
        raise Invalid("choose some of the exams: at least one goes, and at least one stays", error_code="101")
    parent = order.placer_number or order.filler_number
    new = _copy(uow, order, split_from_id=order.split_from_id or order.id, parent_number=parent)
    _give(uow, chosen, order, new)
    _tell_new(uow, new, "order.split", other_order_id=order.id, other_order=order.filler_number, reason=why)
    return new


@service
def rejoin(uow: UnitOfWork, order_id: int) -> Order:
    """Undoes a split: the exams go back to the order that they come from. Returns that; raises NotAllowedNow as `split_off`."""
    from_id = uow.session.scalar(sa.select(Order.split_from_id).where(Order.id == order_id))
    if from_id is None:
        raise NotAllowedNow("this order was not split off from another one")
    parent, order = get(uow, from_id), get(uow, order_id)
    if parent.status is not OrderStatus.scheduled:
        raise NotAllowedNow(f"order {parent.filler_number} is {parent.status.replace('_', ' ')}: nothing can go back to it")
    for procedure in order.procedures:
        _refuse_begun(procedure)
    _give(uow, list(order.procedures), order, parent)
    uow.emit(order_event("order.rejoined", parent, other_order_id=order.id, other_order=order.filler_number))
    return parent


@service
def replace(uow: UnitOfWork, order_id: int, wanted: Sequence[ProcedureRequest], reason: str) -> Order:
    """A new order with new exams, for the same patient and from the same orderer, instead of this one, which is cancelled.

    The placer's number leads to the new one. Raises Invalid without a reason or an exam, NotAllowedNow once an exam has begun.
    """
    why = _reason(reason)
    if not wanted:
        raise Invalid("an order asks for at least one procedure", error_code="101")
    order = get(uow, order_id)
    going = [procedure for procedure in order.procedures if procedure.status is not ProcedureStatus.cancelled]
    if not going:
        raise NotAllowedNow(f"the order is {order.status}: there is nothing to replace")
    for procedure in going:
        _refuse_begun(procedure)
    key, order.placer_key = order.placer_key, None
    uow.session.flush()
    new = _copy(uow, order, replaces_id=order.id, placer_key=key, placed_at=uow.now)
    for sequence, request in enumerate(wanted, 1):
        new_procedure(uow, new, sequence, request)
    for procedure in going:
        end_procedure(uow, procedure, f"{replaced_by(new)}{why}")
    forget_tasks(uow, order_id)
    new = _read_again(uow, new, order)
    if key:
        uow.put(Order.placer_key, key, new)
    _tell_new(uow, new, "order.replaced", other_order_id=order.id, other_order=order.filler_number, reason=why)
    return new


@service
def absorb(uow: UnitOfWork, procedure_id: int, absorbed_ids: Collection[int], reason: str) -> RequestedProcedure:
    """One exam answers the questions of others of the patient too: those are cancelled, and name it.

    Reason, orderer and clinical information of their orders are added to its own, so that who reads it answers them, and who asked gets
    the result. Raises Invalid without a reason and for exams of another patient or site, NotAllowedNow for one that has begun.
    """
    why = _reason(reason)
    exams = {key: get_procedure(uow, key) for key in sorted({procedure_id, *absorbed_ids})}
    kept, others = exams[procedure_id], [exam for key, exam in exams.items() if key != procedure_id]
    if not others:
        raise Invalid("choose the exams that are done with this one", error_code="101")
    for exam in exams.values():
        _refuse_begun(exam)
    if len({(exam.order.patient_id, exam.site_id) for exam in exams.values()}) > 1:
        raise Invalid("only exams of one patient at one site are combined")
    changed = False
    copies: dict[str, str] = {}
    for exam in others:
        exam.combined_into_id = procedure_id
        end_procedure(uow, exam, f"done with exam {kept.accession_number}: {why}")
        if exam.order.status is OrderStatus.cancelled:
            uow.emit(order_event("order.cancelled", exam.order, reason=exam.ended_reason))
        copy = _take_over(kept.order, exam)
        changed |= copy is not None
        copies |= {exam.order.filler_number: copy} if copy else {}
    if changed:
        facts = {"changed": ["clinical_information", "copies_to"], "reason": why, "copies_added": copies}
        uow.emit(order_event("order.changed", kept.order, **facts))
    return kept


def replaced_by(new: Order) -> str:
    """How the reason of what a replacement has cancelled begins."""
    return f"replaced by order {new.filler_number}: "


def brought_by(other: Order) -> str:
    """What the clinical information of an order says of another one whose exam it answers; empty where that said nothing."""
    said = [part for part in (other.reason, other.clinical_information) if part]
    return f"For order {other.filler_number}: {'; '.join(said)}" if said else ""


def forget_tasks(uow: UnitOfWork, order_id: int) -> None:
    """Nobody need think of an order instead of which another one stands."""
    for kind in ("order_held", "hold_ended", "visit_cancelled"):
        task.settle(uow, kind, Ref("order", order_id))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reason(text: str) -> str:
    if not text.strip():
        raise Invalid("say why", error_code="101")
    return text.strip()


def _refuse_begun(procedure: RequestedProcedure) -> None:
    if procedure.status not in NOT_STARTED:
        state = procedure.status.replace("_", " ")
        raise NotAllowedNow(f"exam {procedure.accession_number} is {state}: only what has not begun can be changed here")


def _said(uow: UnitOfWork, procedure: RequestedProcedure) -> dict[str, str]:
    """What an exam is, for the event."""
    kind = uow.session.get(Procedure, procedure.procedure_id) if procedure.procedure_id else None
    code, name = (kind.code, kind.name) if kind else (procedure.partner_code, procedure.partner_text)
    return {"code": code, "name": name, "side": procedure.laterality}


def _copy(uow: UnitOfWork, order: Order, **values: Any) -> Order:
    """A further order that says the same, without exams yet."""
    said = {name: getattr(order, name) for name in COPIED}
    filler_number = number(uow, "F", "filler")
    return uow.create(Order, id=new_id(), filler_number=filler_number, status=OrderStatus.scheduled, **{**said, **values})


def _give(uow: UnitOfWork, procedures: Sequence[RequestedProcedure], order: Order, to: Order) -> None:
    """Exams change their order, and keep their sequence, by which the placer's next message finds them."""
    uow.touch()
    uow.session.flush()
    for procedure in procedures:
        procedure.order_id = to.id
    uow.session.flush()
    for procedure in procedures:
        uow.session.expire(procedure, ["order"])
    _read_again(uow, order, to)
    _read_again(uow, to, order)


def _read_again(uow: UnitOfWork, order: Order, other: Order) -> Order:
    """With its exams as they are now, and the state that follows from them."""
    uow.session.flush()
    for each in (order, other):
        uow.session.expire(each, ["procedures"])
        derive_status(each)
    return order


def _tell_new(uow: UnitOfWork, order: Order, name: str, **facts: Any) -> None:
    """A placer who has given the first order no number yet is asked for one of this."""
    if order.partner_id is not None and not order.placer_number:
        uow.emit(order_event("order.placed", order, **facts))
    uow.emit(order_event(name, order, **facts))


def _take_over(order: Order, exam: RequestedProcedure) -> str | None:
    """What the order of an absorbed exam said goes into the one that answers it, once. Returns who gets a copy from then on, or
    empty; None where nothing is new."""
    other = exam.order
    if other.id == order.id:
        return None
    added = brought_by(other)
    if added not in order.clinical_information:
        order.clinical_information = "\n".join(part for part in (order.clinical_information, added) if part)
    copies = order.copies_to.splitlines()
    if other.orderer_name and other.orderer_name != order.orderer_name and other.orderer_name not in copies:
        order.copies_to = "\n".join([*copies, other.orderer_name])
        return other.orderer_name
    return ""


def known_kind(uow: UnitOfWork, kind_id: int) -> Procedure:
    """A procedure that may be ordered. Raises NotFound."""
    kind = uow.session.get(Procedure, kind_id)
    if kind is None or not kind.active:
        raise NotFound("this procedure is not in the catalogue")
    return kind
