"""The trail of an exam: every message in and out, event, delivery, answer and person, in time order."""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.model import Action, AuditEntry
from ris.base.clock import local
from ris.catalog.model import Site
from ris.journal.model import Direction, Message, MessageLink
from ris.order.model import RequestedProcedure
from ris.outbox.model import Attempt, Delivery, StoredEvent
from ris.partner.model import Destination, Partner


class TrailKind(enum.StrEnum):
    message_in = "message in"
    event = "event"
    message_out = "message out"
    answer = "answer"
    look = "look"


@dataclass(frozen=True, slots=True)
class TrailRow:
    at: datetime
    kind: TrailKind
    what: str
    """Message type, event name, answer code, or what was looked at."""
    who: str
    detail: str
    message_id: int | None = None
    """The raw text, one click away."""
    control_id: str = ""


def trail(session: Session, procedure_id: int) -> list[TrailRow]:
    """Everything that has happened to one exam, its order included; what was only looked at too."""
    exam = session.get_one(RequestedProcedure, procedure_id)
    rows = [
        *_messages_in(session, exam),
        *_events(session, exam),
        *_messages_out(session, exam),
        *_answers(session, exam),
        *_looks(session, exam),
    ]
    return sorted(rows, key=lambda row: row.at)


def _is_about(exam: RequestedProcedure) -> sa.ColumnElement[bool]:
    """Events of this exam, and those of its order that name no other exam."""
    return sa.or_(
        StoredEvent.procedure_id == exam.id,
        sa.and_(StoredEvent.order_id == exam.order_id, StoredEvent.object_kind == "order"),
    )


def _messages_in(session: Session, exam: RequestedProcedure) -> Iterator[TrailRow]:
    linked = sa.select(MessageLink.message_id).where(
        sa.or_(
            sa.and_(MessageLink.object_kind == "order", MessageLink.object_id == exam.order_id),
            sa.and_(MessageLink.object_kind == "procedure", MessageLink.object_id == exam.id),
        )
    )
    rows = session.execute(
        sa.select(Message.at, Message.kind, Partner.name, Message.ack_code, Message.error, Message.id, Message.control_id)
        .outerjoin(Partner, Partner.id == Message.partner_id)
        .where(Message.id.in_(linked), Message.direction == Direction.inbound)
    )
    for at, kind, partner, ack_code, error, message_id, control_id in rows:
        answered = f"answered {ack_code}" + (f": {error}" if error else "")
        yield TrailRow(at, TrailKind.message_in, kind, partner or "unknown sender", answered, message_id, control_id)


def _events(session: Session, exam: RequestedProcedure) -> Iterator[TrailRow]:
    zone = session.get_one(Site, exam.site_id).zone
    rows = session.execute(
        sa.select(StoredEvent.at, StoredEvent.name, StoredEvent.actor_name, StoredEvent.facts, StoredEvent.message_id)
        .where(_is_about(exam))
        .order_by(StoredEvent.id)
    )
    for at, name, actor, facts, message_id in rows:
        yield TrailRow(at, TrailKind.event, name, actor, _told(facts, zone), message_id)


def _deliveries(exam: RequestedProcedure) -> sa.Select[Any]:
    return (
        sa.select(Delivery)
        .join(StoredEvent, StoredEvent.id == Delivery.event_id)
        .join(Destination, Destination.id == Delivery.destination_id)
        .where(_is_about(exam))
    )


def _messages_out(session: Session, exam: RequestedProcedure) -> Iterator[TrailRow]:
    rows = session.execute(
        _deliveries(exam)
        .outerjoin(Message, Message.id == Delivery.message_id)
        .with_only_columns(
            sa.func.coalesce(Message.at, Delivery.created_at), Delivery.message, Destination.name, Delivery.state, Delivery.reason,
            Delivery.message_id, Delivery.control_id,
        )
    )  # fmt: skip
    for at, message, destination, state, reason, message_id, control_id in rows:
        yield TrailRow(at, TrailKind.message_out, message, destination, f"{state} {reason}".strip(), message_id, control_id)


def _answers(session: Session, exam: RequestedProcedure) -> Iterator[TrailRow]:
    rows = session.execute(
        _deliveries(exam)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .with_only_columns(Attempt.at, Attempt.answer, Destination.name, Attempt.detail, Delivery.message_id, Delivery.control_id)
    )
    for at, answer, destination, detail, message_id, control_id in rows:
        yield TrailRow(at, TrailKind.answer, answer, destination, detail, message_id, control_id)


def _looks(session: Session, exam: RequestedProcedure) -> Iterator[TrailRow]:
    rows = session.execute(
        sa.select(AuditEntry.at, AuditEntry.what, AuditEntry.actor_name, AuditEntry.place).where(
            AuditEntry.procedure_id == exam.id, AuditEntry.action == Action.read
        )
    )
    for at, what, actor, place in rows:
        yield TrailRow(at, TrailKind.look, what, actor, place)


def _told(facts: dict[str, Any], zone: str) -> str:
    """The facts that a person reads: no keys of rows, times by the wall clock of the site."""
    shown = {name: value for name, value in facts.items() if not name.endswith(("_id", "_ids")) and value not in (None, "")}
    return ", ".join(f"{name.replace('_', ' ')}: {_value(value, zone)}" for name, value in shown.items())


def _value(value: Any, zone: str) -> str:
    if isinstance(value, dict):
        return "(" + _told(value, zone) + ")"
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return f"{local(datetime.fromisoformat(value), zone):%Y-%m-%d %H:%M}"
    return str(value).replace("_", " ")


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
