"""What pages show of distribution: who gets the reports of an exam, each record with its state, and what waits at the printer."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Site
from ris.distribution import recipients, ways
from ris.distribution.model import Dispatch, Recipient, RecipientRole
from ris.distribution.status import BY_ITSELF, PAPER, Channel, DispatchState
from ris.order.model import Order, RequestedProcedure
from ris.outbox.model import Delivery, DeliveryState
from ris.partner.model import Destination
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.referrer.model import Referrer
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import VersionKind

SHOWN = 200
LATE_AFTER = timedelta(minutes=15)
"""So long an e-mail or a file may wait."""
_WIRE = {
    DeliveryState.waiting: "waiting", DeliveryState.delivered: "sent", DeliveryState.parked: "failed", DeliveryState.skipped: "dropped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecipientRow:
    recipient_id: int | None
    """None for one whom the order names and who becomes a recipient when the report is published."""
    referrer_id: int | None
    name: str
    role: RecipientRole
    channel: Channel
    address: str
    note: str
    """What a person should know about the way."""
    reason: str
    added_by: str
    ended_by: str
    ended_reason: str

    @property
    def has_ended(self) -> bool:
        return bool(self.ended_by)


@dataclass(frozen=True, slots=True)
class DispatchRow(Named):
    """Times are UTC, `zone` is the site's; family and given are the patient's."""

    dispatch_id: int
    row_version: int
    state: str
    """Of `DispatchState`; for a message what became of it in the queue of its destination."""
    channel: Channel
    address: str
    reason: str
    series: int
    created_at: datetime
    done_at: datetime | None
    done_by: str
    attempts: int
    delivery_id: int | None
    destination: str
    recipient: str
    referrer_id: int
    version_id: int
    number: int
    kind: VersionKind
    report_id: int
    site_id: int
    zone: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    procedure_id: int
    accession_number: str

    @property
    def letter_to(self) -> tuple[str, ...]:
        """Name and lines of the address, for a window in an envelope."""
        return (self.recipient, *self.address.split("\n"))


def recipients_of(session: Session, order: Order) -> list[RecipientRow]:
    """Who gets the next version, and who does not any more; the orderer first."""
    known = recipients.of_order(session, order.id)
    rows = [_recipient(session, order, recipient) for recipient in known]
    there = {row.referrer_id for row in rows}
    for one in recipients.named_by(order):
        referrer_id = recipients.meant(session, one)
        if referrer_id is None or referrer_id not in there:
            way = ways.way_to(session, referrer_id or 0, one.role, order)
            name = one.named.name or one.named.number
            rows.append(RecipientRow(None, referrer_id, name, one.role, way.channel, way.address, way.note, "", "", "", ""))
    return sorted(rows, key=lambda row: (row.has_ended, list(RecipientRole).index(row.role)))


def of_report(session: Session, report_id: int) -> list[DispatchRow]:
    """The newest version first."""
    return _rows(session, [Dispatch.report_id == report_id], ReportVersion.number.desc(), Dispatch.id.desc())


def one(session: Session, dispatch_id: int) -> DispatchRow | None:
    return next(iter(_rows(session, [Dispatch.id == dispatch_id], Dispatch.id)), None)


def to_print(session: Session, site_ids: Collection[int]) -> list[DispatchRow]:
    """What waits at the printer, the longest first."""
    waiting = (Dispatch.state == DispatchState.waiting, Dispatch.channel.in_(PAPER), Dispatch.site_id.in_(site_ids))
    return _rows(session, waiting, Dispatch.created_at, Dispatch.id)


def printed(session: Session, site_ids: Collection[int], since: datetime) -> list[DispatchRow]:
    """What was marked as printed since then, the newest first."""
    done = (Dispatch.state == DispatchState.sent, Dispatch.channel.in_(PAPER), Dispatch.site_id.in_(site_ids), Dispatch.done_at >= since)
    return _rows(session, done, Dispatch.done_at.desc(), Dispatch.id.desc())


def systems_told(session: Session, version_id: int) -> list[tuple[str, str, int]]:
    """Destination, state and delivery of every message about the version, whoever it is for."""
    version = session.get_one(ReportVersion, version_id)
    event = ways.published_event(session, version)
    if event is None:
        return []
    rows = session.execute(
        sa.select(Destination.name, Delivery.state, Delivery.id)
        .join(Destination, Destination.id == Delivery.destination_id)
        .where(Delivery.event_id == event.id)
        .order_by(Destination.name, Delivery.correction)
    )
    return [(name, state.value, key) for name, state, key in rows]


def oldest_late(session: Session, now: datetime) -> tuple[int, datetime, str] | None:
    """How many e-mails and files have waited for too long, since when the oldest, and why it waits; None while none has."""
    late = (
        Dispatch.channel.in_(BY_ITSELF), Dispatch.state.in_((DispatchState.waiting, DispatchState.sending)),
        Dispatch.created_at < now - LATE_AFTER,
    )  # fmt: skip
    count, oldest = session.execute(sa.select(sa.func.count(), sa.func.min(Dispatch.created_at)).where(*late)).one()
    if not count:
        return None
    reason = session.scalar(sa.select(Dispatch.reason).where(*late).order_by(Dispatch.created_at).limit(1))
    return count, oldest, reason or ""


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _recipient(session: Session, order: Order, recipient: Recipient) -> RecipientRow:
    referrer = session.get_one(Referrer, recipients.survivor_of(session, recipient))
    way = ways.way_to(session, referrer.id, recipient.role, order)
    return RecipientRow(
        recipient.id, referrer.id, _name(referrer.title, referrer.given, referrer.family), recipient.role, way.channel, way.address,
        way.note, recipient.reason, recipient.added_by, recipient.ended_by, recipient.ended_reason,
    )  # fmt: skip


def _name(title: str, given: str, family: str) -> str:
    return " ".join(part for part in (title, given, family) if part)


def _rows(session: Session, where: Collection[sa.ColumnElement[bool]], *by: sa.SQLColumnExpression[Any]) -> list[DispatchRow]:
    first = sa.select(sa.func.min(ReportProcedure.procedure_id)).where(ReportProcedure.report_id == Dispatch.report_id).scalar_subquery()
    rows = session.execute(
        sa.select(
            Dispatch, Delivery.state, Delivery.reason, Delivery.delivered_at, Destination.name, Referrer, ReportVersion.number,
            ReportVersion.kind, Site.zone, Patient.id, Patient.family, Patient.given, Patient.birth_date, MRN, RequestedProcedure.id,
            RequestedProcedure.accession_number,
        )
        .join(Recipient, Recipient.id == Dispatch.recipient_id)
        .join(Referrer, Referrer.id == Recipient.referrer_id)
        .join(ReportVersion, ReportVersion.id == Dispatch.version_id)
        .join(Site, Site.id == Dispatch.site_id)
        .join(Order, Order.id == Recipient.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(RequestedProcedure, RequestedProcedure.id == first)
        .outerjoin(Delivery, Delivery.id == Dispatch.delivery_id)
        .outerjoin(Destination, Destination.id == Delivery.destination_id)
        .where(*where)
        .order_by(*by)
        .limit(SHOWN)
    ).all()  # fmt: skip
    return [_row(*row) for row in rows]


def _row(
    dispatch: Dispatch, wire: DeliveryState | None, wire_reason: str | None, delivered_at: datetime | None, destination: str | None,
    referrer: Referrer, number: int, kind: VersionKind, zone: str, *patient_and_exam: Any,
) -> DispatchRow:  # fmt: skip
    is_message = dispatch.state is DispatchState.handed_over and wire is not None
    state = _WIRE[wire] if is_message and wire is not None else dispatch.state.value
    reason = "; ".join(part for part in (dispatch.reason, wire_reason) if part)
    patient_id, family, given, birth_date, mrn, procedure_id, accession_number = patient_and_exam
    return DispatchRow(
        dispatch.id, dispatch.row_version, state, dispatch.channel, dispatch.address, reason, dispatch.series, dispatch.created_at,
        dispatch.done_at or delivered_at, dispatch.done_by, dispatch.attempts, dispatch.delivery_id, destination or "",
        _name(referrer.title, referrer.given, referrer.family), referrer.id, dispatch.version_id, number, kind, dispatch.report_id,
        dispatch.site_id, zone, patient_id, family, given, birth_date, mrn, procedure_id, accession_number,
    )  # fmt: skip
