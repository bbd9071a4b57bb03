"""What a destination would be sent: the message of an event as it would be built now, neither stored nor sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import NotFound
from ris.hl7 import er7
from ris.hl7.outbound import TELLS, header, store
from ris.hl7.outbound.header import Job
from ris.hl7.outbound.known import Known
from ris.hl7.outbound.skeleton import validate
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.partner.model import Destination, Partner

CONTROL_ID = "PREVIEW"
"""MSH-10 of a message that nobody gets."""


_ALLOWED = (
    "Value 99RIS not in table HL70396",
    "Value U not in table HL70004",
    "Child limit exceeded ADT_A24.PID",
    "Child limit exceeded ADT_A37.PID",
)
"""What hl7apy blames in vain: table 0396 allows local names in words, table 0004 is the user's own, and A37 has PID in two places."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Either a message with what hl7apy says about it, or why there is none."""

    event: str
    kind: str = ""
    """MSH-9.1^MSH-9.2."""
    text: str = ""
    """One segment a line."""
    findings: tuple[str, ...] = ()
    nothing: str = ""
    """Why the destination would be told nothing: the delivery would be skipped."""
    refusal: str = ""
    """Why it cannot be built or written: the delivery would be parked."""


def of_event(session: Session, event_id: int, *, destination_id: int, message: str, now: datetime) -> Preview:
    """The message of that name in `BUILDERS` for one event, whether the destination is subscribed to it or not. Raises NotFound."""
    event, destination = session.get(StoredEvent, event_id), session.get(Destination, destination_id)
    if event is None or destination is None:
        raise NotFound("this event or destination does not exist")
    delivery = Delivery(
        id=0, event_id=event.id, destination_id=destination.id, message=message, order_key=event.order_id, control_id=CONTROL_ID,
        state=DeliveryState.waiting,
    )  # fmt: skip
    partner = session.get_one(Partner, destination.partner_id)
    job = Job(Known(session, [event]), delivery, event, destination, partner, now)
    return _shown(event, destination, lambda: store.built_by(job))


def of_exam(session: Session, procedure_id: int, *, destination_id: int, message: str, now: datetime) -> Preview:
    """The same for the newest event about an exam, its order or its patient that this message tells. Raises NotFound when there is none."""
    asked = sa.select(StoredEvent.order_id, StoredEvent.patient_id).where(StoredEvent.procedure_id == procedure_id).limit(1)
    about = session.execute(asked).one_or_none()
    if about is None:
        raise NotFound(f"nothing has happened to exam {procedure_id}")
    is_about = sa.or_(
        StoredEvent.procedure_id == procedure_id,
        sa.and_(StoredEvent.order_id == about.order_id, StoredEvent.object_kind != "procedure"),
        sa.and_(StoredEvent.order_id.is_(None), StoredEvent.patient_id == about.patient_id),
    )
    newest = sa.select(StoredEvent.id).where(is_about, StoredEvent.name.in_(TELLS.get(message, ()))).order_by(StoredEvent.id.desc())
    event_id = session.scalar(newest.limit(1))
    if event_id is None:
        raise NotFound(f"nothing that {message} tells has happened to exam {procedure_id}")
    return of_event(session, event_id, destination_id=destination_id, message=message, now=now)


def _shown(event: StoredEvent, destination: Destination, build: Callable[[], header.Built]) -> Preview:
    try:
        built = build()
        header.encoded(built.text, destination.charset)
    except NothingToTell as why:
        return Preview(event.name, nothing=str(why))
    except CannotBuild as why:
        return Preview(event.name, refusal=str(why))
    version = er7.Message.parse(built.text).value("MSH", 12)
    findings = (finding for finding in validate(built.text, version) if not any(allowed in finding for allowed in _ALLOWED))
    return Preview(event.name, built.kind, built.text.replace("\r", "\n"), tuple(findings))
