"""What an analyst searches messages by, out of the address, and what it means to the journal."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.base.ref import Ref
from ris.journal.model import Direction, MessageState
from ris.journal.search import Cursor, Wanted
from ris.order.model import Order, RequestedProcedure
from ris.patient.search import FoundPatient
from ris.web.asked import AskedOfPatient, choice, moment

OPEN = "open"
"""Refused or set aside, and no replay was applied: what a person has still to look at."""


@dataclass(frozen=True, slots=True)
class Asked(AskedOfPatient):
    number: str = ""
    """Our accession number, else a placer or filler number, whole."""
    control_id: str = ""
    kind: str = ""
    state: str = ""
    """A state of the journal, or OPEN."""
    way: str = ""
    partner: str = ""
    """Its id; 0 for unknown senders."""
    since: str = ""
    until: str = ""
    """By the wall clock of the reader's site."""
    text: str = ""


def wanted(session: Session, asked: Asked, found: list[FoundPatient], zone: str, before: str = "") -> Wanted:
    """Raises Invalid for what cannot be read."""
    return Wanted(
        touched=_touched(session, asked, found),
        control_id=asked.control_id,
        kind=asked.kind.upper(),
        states=(state,) if (state := choice(MessageState, asked.state)) else (),
        is_open=asked.state == OPEN,
        direction=choice(Direction, asked.way),
        partner_id=int(asked.partner) if asked.partner.isdigit() else None,
        since=moment(asked.since, zone),
        until=moment(asked.until, zone),
        text=asked.text,
        before=cursor(before),
    )


def cursor(text: str) -> Cursor | None:
    """Raises Invalid for what `cursor_text` has not made."""
    at, _, message_id = text.partition("_")
    try:
        return Cursor(datetime.fromisoformat(at), int(message_id)) if text else None
    except ValueError as error:
        raise Invalid("this page of the list does not exist") from error


def cursor_text(place: Cursor) -> str:
    return f"{place.at.isoformat()}_{place.id}"


def _touched(session: Session, asked: Asked, found: list[FoundPatient]) -> frozenset[Ref] | None:
    """Both the patient and the number, where both are asked for: the number alone tells the messages then."""
    if asked.number:
        return frozenset(_of_number(session, asked.number))
    ids = asked.patient_ids(session, found)
    return None if ids is None else frozenset(Ref("patient", patient_id) for patient_id in ids)


def _of_number(session: Session, number: str) -> set[Ref]:
    """An accession number is one exam's; a placer or filler number is an order's, with all its exams."""
    exams = session.scalars(sa.select(RequestedProcedure.id).where(RequestedProcedure.accession_number == number.upper())).all()
    if exams:
        return {Ref("procedure", procedure_id) for procedure_id in exams}
    orders = session.scalars(sa.select(Order.id).where(sa.or_(Order.placer_number == number, Order.filler_number == number)))
    return {Ref("order", order_id) for order_id in orders}


def links_of(asked: Asked, found: list[FoundPatient]) -> list[tuple[FoundPatient, dict[str, Any]]]:
    """Each patient that fits, where several do, with what asks for that one."""
    return [(row, {**asked.set, "patient_id": row.patient_id}) for row in found] if len(found) > 1 else []
