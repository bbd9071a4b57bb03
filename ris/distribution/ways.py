"""The way by which a report reaches a referrer, as the practice says it, or as the order suggests where no practice is known."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.distribution.model import RecipientRole
from ris.distribution.status import Channel
from ris.order.model import Order
from ris.outbox.model import Delivery, StoredEvent
from ris.partner.model import Destination, Subscription
from ris.referrer import queries as referrers
from ris.referrer.model import ReferrerPractice
from ris.report.model import ReportProcedure, ReportVersion

PUBLISHED = "report.published"
_NO_PRACTICE = "nothing is said about how results reach this referrer"


@dataclass(frozen=True, slots=True)
class Way:
    channel: Channel
    address: str = ""
    destination_id: int | None = None
    note: str = ""
    """What a person should know about it."""


def way_to(session: Session, referrer_id: int, role: RecipientRole, order: Order) -> Way:
    """By the main practice. Without one, the placer's own system is told for the orderer; for everybody else it is printed.

    So it is for HL7 without a destination: a report that finds no way is a letter, never nothing.
    """
    practice = next(iter(referrers.practices(session, referrer_id)), None)
    placer = _placer_destination(session, order) if role is RecipientRole.orderer else None
    if practice is None:
        return Way(Channel.hl7, destination_id=placer) if placer else Way(Channel.print, note=_NO_PRACTICE)
    channel = Channel(practice.delivery)
    if channel is Channel.hl7:
        destination_id = practice.destination_id or placer
        if destination_id is None:
            return Way(Channel.print, postal(practice), note="no destination is set for messages to this referrer")
        return Way(channel, destination_id=destination_id)
    return Way(channel, _address(practice, channel))


def postal(practice: ReferrerPractice) -> str:
    """Lines of an address; the name of the person stands above them."""
    place = " ".join(part for part in (practice.city, practice.region, practice.postal_code) if part)
    return "\n".join(part for part in (practice.name, practice.street, place) if part)


def _address(practice: ReferrerPractice, channel: Channel) -> str:
    if channel is Channel.print:
        return postal(practice)
    return {Channel.email: practice.email, Channel.fax: practice.fax, Channel.folder: practice.folder}.get(channel, "")


def published_event(session: Session, version: ReportVersion) -> StoredEvent | None:
    """The event that told of the version."""
    covered = sa.select(ReportProcedure.procedure_id).where(ReportProcedure.report_id == version.report_id)
    told = session.scalars(sa.select(StoredEvent).where(StoredEvent.procedure_id.in_(covered), StoredEvent.name == PUBLISHED))
    return next((event for event in told if event.facts.get("version_id") == version.id), None)


def message_for(session: Session, destination_id: int) -> str:
    """The message that the destination wants of a published report."""
    wanted = sa.select(Subscription.message).where(Subscription.destination_id == destination_id, Subscription.event == PUBLISHED)
    return session.scalar(wanted) or "oru_r01"


def delivery_of(session: Session, event_id: int, destination_id: int) -> Delivery | None:
    """The newest delivery of the event there."""
    return session.scalars(
        sa.select(Delivery)
        .where(Delivery.event_id == event_id, Delivery.destination_id == destination_id)
        .order_by(Delivery.correction.desc())
        .limit(1)
    ).one_or_none()


def _placer_destination(session: Session, order: Order) -> int | None:
    """Where the results of who placed it go."""
    if order.partner_id is None:
        return None
    return session.scalar(
        sa.select(Destination.id)
        .join(Subscription)
        .where(Destination.partner_id == order.partner_id, Destination.active, Subscription.event == PUBLISHED)
        .order_by(Destination.id)
        .limit(1)
    )
