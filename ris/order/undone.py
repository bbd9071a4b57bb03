"""Taking back what the desk made of orders: that one exam answers another, and that another order stands instead."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import NotAllowedNow
from ris.base.uow import UnitOfWork, service
from ris.order import revise
from ris.order.model import Order, RequestedProcedure
from ris.order.service import end_procedure, get, get_procedure, move, order_event, procedure_event
from ris.order.status import NOT_STARTED, OrderStatus, ProcedureStatus
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.partner.model import Destination

NOT_COMBINED = "this exam was not combined with another one"


def why_combined_for_good(session: Session, procedure: RequestedProcedure) -> str:
    """Why an exam stays answered by another one; empty where that can be taken back."""
    if procedure.combined_into_id is None or procedure.status is not ProcedureStatus.cancelled:
        return NOT_COMBINED
    kept = session.get_one(RequestedProcedure, procedure.combined_into_id)
    if kept.status not in (*NOT_STARTED, ProcedureStatus.cancelled):
        return f"exam {kept.accession_number}, which answers it, is {kept.status.replace('_', ' ')}"
    if procedure.order.status is OrderStatus.cancelled and (told := _who_was_told(session, procedure.order_id)):
        number = procedure.order.placer_number or procedure.order.filler_number
        who = f"{', '.join(told)} was told that order {number} is cancelled"
        return f"{who}, and HL7 has no message that takes this back: ask for a new order, or enter one"
    return ""


@service
def separate(uow: UnitOfWork, procedure_id: int) -> RequestedProcedure:
    """The exam that another one was to answer is an exam again, and waits for an appointment.

    What its order said goes out of the other's. Raises NotAllowedNow with why it stays, as `why_combined_for_good`.
    """
    procedure = get_procedure(uow, procedure_id)
    if reason := why_combined_for_good(uow.session, procedure):
        raise NotAllowedNow(reason)
    kept = get_procedure(uow, procedure.combined_into_id or 0)
    procedure.combined_into_id = None
    uow.session.flush()
    _restore(uow, procedure, f"it is no longer done with exam {kept.accession_number}")
    if _give_back(uow, kept.order, procedure.order):
        uow.emit(order_event("order.changed", kept.order, changed=["clinical_information", "copies_to"]))
    return procedure


@service
def unreplace(uow: UnitOfWork, order_id: int) -> Order:
    """The order that this one was placed instead of is there again, and this one is cancelled; what was said of it since is kept.

    The placer is told of one more replacement, the other way round: its number leads to the first again. Returns that; raises
    NotAllowedNow for an order that replaces none, or of which an exam has begun.
    """
    old_id = uow.session.scalar(sa.select(Order.replaces_id).where(Order.id == order_id))
    if old_id is None:
        raise NotAllowedNow("this order was not placed instead of another one")
    old, new = get(uow, old_id), get(uow, order_id)
    if why := why_replaced_for_good(uow.session, old, new):
        raise NotAllowedNow(why)
    for exam in new.procedures:
        if exam.status is not ProcedureStatus.cancelled:
            end_procedure(uow, exam, f"order {old.filler_number} is there again")
    _take_back_number(uow, old, new)
    for exam in _ended_for(old, new):
        _restore(uow, exam, f"order {new.filler_number} is no longer there instead")
    revise.forget_tasks(uow, new.id)
    uow.emit(
        order_event("order.replaced", old, other_order_id=new.id, other_order=new.filler_number, reason="the replacement is taken back")
    )
    return old


def why_replaced_for_good(session: Session, old: Order, new: Order) -> str:
    """Why an order stays instead of another; empty where that can be taken back."""
    begun = next((exam for exam in new.procedures if exam.status not in (*NOT_STARTED, ProcedureStatus.cancelled)), None)
    if begun is not None:
        return f"exam {begun.accession_number} is {begun.status.replace('_', ' ')}"
    if new.status is OrderStatus.cancelled:
        return f"order {new.filler_number} is cancelled"
    if session.scalar(sa.select(sa.exists().where(Order.split_from_id == new.id))):
        return f"order {new.filler_number} was split: join it again first"
    if old.status is not OrderStatus.cancelled or not _ended_for(old, new):
        return f"nothing of order {old.filler_number} was cancelled for it"
    return ""


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _who_was_told(session: Session, order_id: int) -> list[str]:
    """Destinations to which the last word, that the order is cancelled, has gone or will go."""
    last = sa.select(sa.func.max(StoredEvent.id)).where(StoredEvent.order_id == order_id, StoredEvent.name == "order.cancelled")
    wanted = (
        sa.select(Destination.name)
        .join(Delivery, Delivery.destination_id == Destination.id)
        .where(Delivery.event_id == last.scalar_subquery(), Delivery.state != DeliveryState.skipped)
    )
    return list(session.scalars(wanted.order_by(Destination.name)))


def _restore(uow: UnitOfWork, procedure: RequestedProcedure, why: str) -> None:
    move(uow, procedure, "restore")
    procedure.ended_reason = ""
    uow.emit(procedure_event("order.procedure_restored", procedure, reason=why))


def _give_back(uow: UnitOfWork, order: Order, other: Order) -> bool:
    """Takes out of an order what another one's exam brought into it, unless one more of that is still combined; whether there was any."""
    of = RequestedProcedure
    stays = sa.exists().where(of.order_id == other.id, of.combined_into_id.in_([exam.id for exam in order.procedures]))
    if other.id == order.id or uow.session.scalar(sa.select(stays)):
        return False
    kept = _without(order.clinical_information, revise.brought_by(other))
    copy = _copy_added(uow, order, other)
    copies = [name for name in order.copies_to.splitlines() if name != copy]
    if (kept, "\n".join(copies)) == (order.clinical_information, order.copies_to):
        return False
    order.clinical_information, order.copies_to = kept, "\n".join(copies)
    return True


def _without(text: str, brought: str) -> str:
    if not brought:
        return text
    before, found, after = text.rpartition(brought)
    return before.removesuffix("\n") + (after if before else after.removeprefix("\n")) if found else text


def _copy_added(uow: UnitOfWork, order: Order, other: Order) -> str:
    """Who gets a copy only because of the other order; empty for nobody."""
    changes = sa.select(StoredEvent.facts).where(StoredEvent.order_id == order.id, StoredEvent.name == "order.changed")
    for facts in uow.session.scalars(changes.order_by(StoredEvent.id.desc())):
        if other.filler_number in facts.get("copies_added", {}):
            return str(facts["copies_added"][other.filler_number])
    return ""


def _take_back_number(uow: UnitOfWork, old: Order, new: Order) -> None:
    """The placer's number leads to the old one again, which says what was said of the new one since."""
    key, new.placer_key = new.placer_key, None
    uow.session.flush()
    old.placer_key = key
    for name in revise.COPIED:
        if name != "placed_at":
            setattr(old, name, getattr(new, name))
    if key:
        uow.put(Order.placer_key, key, old)


def _ended_for(old: Order, new: Order) -> list[RequestedProcedure]:
    return [exam for exam in old.procedures if exam.ended_reason.startswith(revise.replaced_by(new))]
