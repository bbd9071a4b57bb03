"""Who gets the reports of an order: its orderer, whom it names for a copy, whom a person has added; and who may be added freely."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.distribution.model import Recipient, RecipientRole
from ris.order.model import Order
from ris.referrer import queries as referrers
from ris.referrer import service as referrer_service
from ris.referrer.model import Referrer
from ris.referrer.service import Named

LONGEST_REASON = 500
STRANGER = "this referrer has not ordered for the patient and was never named for a copy: say why the report goes there"


@dataclass(frozen=True, slots=True)
class Meant:
    """Somebody whom an order names."""

    role: RecipientRole
    named: Named


def named_by(order: Order) -> list[Meant]:
    """The orderer first; whom it names for a copy as they stand in its lines, with a number in front or behind."""
    named = [Meant(RecipientRole.orderer, Named(order.partner_id, order.orderer_number, order.orderer_name))]
    named += [Meant(RecipientRole.copy, _copy(line.strip(), order.partner_id)) for line in order.copies_to.splitlines()]
    return [one for one in named if one.named.number or one.named.name]


@service
def take_named(uow: UnitOfWork, order: Order) -> None:
    """Makes recipients of whom the order names now; whoever is not known yet becomes a referrer to be completed."""
    named = named_by(order)
    referrer_service.take_in(uow, [one.named for one in named])
    uow.session.flush()
    for one in named:
        referrer_id = meant(uow.session, one)
        if referrer_id is not None and _of(uow.session, order.id, referrer_id) is None:
            _add(uow, order.id, referrer_id, one.role)


@service
def add(uow: UnitOfWork, order: Order, referrer_id: int, reason: str) -> Recipient:
    """A person chooses one more. Raises Invalid without a reason for somebody who is not of the patient's care, NotFound."""
    survivor = _survivor(uow.session, referrer_id)
    if survivor is None:
        raise NotFound("there is no such referrer")
    said = reason.strip()
    if len(said) > LONGEST_REASON:
        raise Invalid(f"a reason holds at most {LONGEST_REASON} characters", error_code="104")
    if not said and not is_of_care(uow.session, order.patient_id, survivor):
        raise Invalid(STRANGER, error_code="101")
    known = _of(uow.session, order.id, survivor)
    if known is None:
        known = _add(uow, order.id, survivor, RecipientRole.added, said)
    elif known.ended_at is not None:
        uow.touch()
        known.ended_at, known.ended_by, known.ended_reason, known.reason = None, "", "", said or known.reason
    uow.emit(_event("result.recipient_added", order, known, reason=said))
    return known


@service
def end(uow: UnitOfWork, recipient_id: int, reason: str) -> Recipient:
    """Nothing new goes there. Raises Invalid without a reason, NotFound for one that has ended."""
    uow.session.flush()  # what is read anew must not take back what this unit of work has changed
    recipient = uow.session.get(Recipient, recipient_id, with_for_update=True, populate_existing=True)
    if recipient is None or recipient.ended_at is not None:
        raise NotFound("there is no such recipient")
    said = reason.strip()[:LONGEST_REASON]
    if not said:
        raise Invalid("say why nothing goes there any more", error_code="101")
    uow.touch()
    recipient.ended_at, recipient.ended_by, recipient.ended_reason = uow.now, uow.actor.name, said
    uow.emit(_event("result.recipient_ended", uow.session.get_one(Order, recipient.order_id), recipient, reason=said))
    return recipient


def of_order(session: Session, order_id: int) -> Sequence[Recipient]:
    """The oldest first; two that were found to be one referrer are one, those that have ended stand among them."""
    rows = session.execute(
        sa.select(Recipient, sa.func.coalesce(Referrer.joined_to_id, Referrer.id))
        .join(Referrer, Referrer.id == Recipient.referrer_id)
        .where(Recipient.order_id == order_id)
        .order_by(Recipient.ended_at.is_not(None), Recipient.id)
    )
    found: dict[int, Recipient] = {}
    for recipient, survivor in rows:
        found.setdefault(survivor, recipient)
    return list(found.values())


def is_of_care(session: Session, patient_id: int, referrer_id: int) -> bool:
    """Whether the referrer orders for the patient, or was named or chosen with a reason for a report before."""
    chosen = (
        sa.select(Recipient.id)
        .join(Order, Order.id == Recipient.order_id)
        .where(Order.patient_id == patient_id, Recipient.referrer_id == referrer_id, Recipient.ended_at.is_(None))
    )
    if session.scalar(chosen.limit(1)) is not None:
        return True
    orders = session.scalars(sa.select(Order).where(Order.patient_id == patient_id))
    return any(meant(session, one) == referrer_id for order in orders for one in named_by(order))


def meant(session: Session, one: Meant) -> int | None:
    """The referrer who counts as the one that an order names; None where nobody has been taken in so."""
    return _survivor(session, referrers.meant(session, one.named))


def survivor_of(session: Session, recipient: Recipient) -> int:
    """The referrer that counts, also when the entry was joined to another one."""
    return _survivor(session, recipient.referrer_id) or recipient.referrer_id


def _copy(line: str, partner_id: int | None) -> Named:
    """A line of OBR-28, number first, or of the desk, where the number stands behind the name."""
    name, number = referrers.chosen(line, "")
    first, _, rest = name.partition(" ")
    if not number and any(sign.isdigit() for sign in first):
        name, number = rest, first
    return Named(partner_id, number.strip(), name.strip())


def _survivor(session: Session, referrer_id: int | None) -> int | None:
    row = session.get(Referrer, referrer_id) if referrer_id is not None else None
    return None if row is None else row.joined_to_id or row.id


def _of(session: Session, order_id: int, referrer_id: int) -> Recipient | None:
    entries = sa.select(Referrer.id).where(sa.or_(Referrer.id == referrer_id, Referrer.joined_to_id == referrer_id))
    return session.scalars(
        sa.select(Recipient)
        .where(Recipient.order_id == order_id, Recipient.referrer_id.in_(entries))
        .order_by(Recipient.ended_at.is_not(None), Recipient.id)
    ).first()


def _add(uow: UnitOfWork, order_id: int, referrer_id: int, role: RecipientRole, reason: str = "") -> Recipient:
    row = uow.add(
        Recipient(
            id=new_id(), order_id=order_id, referrer_id=referrer_id, role=role, reason=reason, added_at=uow.now, added_by=uow.actor.name,
            ended_at=None,
        )
    )  # fmt: skip
    uow.session.flush()
    return row


def _event(name: str, order: Order, recipient: Recipient, **facts: object) -> Event:
    return Event(
        name, Ref("recipient", recipient.id), patient_id=order.patient_id, order_id=order.id, site_id=order.site_id,
        facts={"referrer_id": recipient.referrer_id, **facts},
    )  # fmt: skip
