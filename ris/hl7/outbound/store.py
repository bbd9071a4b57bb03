"""How a message of ours comes into the journal: built for a delivery, or corrected by a person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7 import charset, er7, mllp
from ris.hl7.outbound import BUILDERS, header
from ris.hl7.outbound.header import Built, Job
from ris.hl7.outbound.known import Known
from ris.journal import service as journal
from ris.journal.model import Direction, Message, MessageLink, MessageState
from ris.outbox import service
from ris.outbox.model import Delivery, StoredEvent
from ris.outbox.transport import CannotBuild, NothingToTell, Outcome
from ris.partner.model import Destination, Partner


@dataclass(frozen=True, slots=True)
class MadeMessage:
    """A message that is built and not yet in the journal."""

    destination: Destination
    control_id: str
    kind: str
    payload: bytes
    codec: str
    links: tuple[Ref, ...]

    def keep(self, uow: UnitOfWork) -> int:
        """Writes the journal's row and its links; the id of the row."""
        return _store(uow, self.destination, self.control_id, self.kind, self.payload, self.codec, self.links)


def build(session: Session, told: Sequence[tuple[Delivery, StoredEvent]], destination: Destination, now: datetime) -> list[Outcome]:
    """The messages of a group of deliveries, and for each that has none, why; changes nothing.

    A builder that fails in any other way cannot build: another try would go wrong as well.
    """
    known = Known(session, (event for _, event in told))
    partner = session.get_one(Partner, destination.partner_id)
    return [_outcome(Job(known, delivery, event, destination, partner, now)) for delivery, event in told]


def _outcome(job: Job) -> Outcome:
    try:
        built = built_by(job)
        payload, codec = header.encoded(built.text, job.destination.charset)
    except (CannotBuild, NothingToTell) as refusal:
        return refusal
    return MadeMessage(job.destination, job.delivery.control_id, built.kind, payload, codec, built.links)


def correct(uow: UnitOfWork, delivery_id: int, text: str) -> Delivery:
    """Replaces a parked delivery by the text of a person, of the same kind, under a new MSH-10 that is put in here.

    Raises Invalid when the text is no such message, NotAllowedNow when the delivery is not parked.
    """
    delivery = uow.session.get(Delivery, delivery_id)
    if delivery is None:
        raise NotFound(f"delivery {delivery_id} does not exist")
    destination = uow.session.get_one(Destination, delivery.destination_id)
    if mllp.VT.decode() in text or mllp.FS.decode() in text:
        raise Invalid("the text holds characters that begin or end a frame", error_code="102")
    message = er7.Message.parse(text)
    kind = f"{message.value('MSH', 9, 1)}^{message.value('MSH', 9, 2)}"
    _same_kind(uow.session, delivery, kind)

    def store(control_id: str) -> int:
        try:
            raw, codec = header.encoded(_with_control_id(message, control_id), destination.charset)
        except CannotBuild as error:
            raise Invalid(str(error)) from error
        return _store(uow, destination, control_id, kind, raw, codec, _links_of(uow.session, delivery))

    return service.correct(uow, delivery_id, store)


def text_of(session: Session, delivery_id: int) -> str:
    """The stored message of a delivery as text, one segment a line, for a person to correct; empty while it is not built."""
    row = session.execute(
        sa.select(Message.raw, Message.charset).join(Delivery, Delivery.message_id == Message.id).where(Delivery.id == delivery_id)
    ).one_or_none()
    return charset.decode(row.raw, row.charset).text.replace("\r", "\n") if row else ""


def built_by(job: Job) -> Built:
    """The message as text. Raises CannotBuild, NothingToTell."""
    builder = BUILDERS.get(job.delivery.message)
    if builder is None:
        raise CannotBuild(f"there is no message {job.delivery.message}")
    try:
        return builder(job)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Its text may hold a patient's values.
        raise CannotBuild(f"{job.delivery.message} failed with {type(error).__name__}") from error


def _store(uow: UnitOfWork, destination: Destination, control_id: str, kind: str, raw: bytes, codec: str, links: Iterable[Ref]) -> int:
    message_id = new_id()
    entry = journal.Entry(
        message_id, Direction.outbound, destination.partner_id, uow.now, kind, control_id, raw, charset=codec, place=destination.name
    )
    journal.record(uow, entry, MessageState.sent, touched=links)
    return message_id


def _same_kind(session: Session, delivery: Delivery, kind: str) -> None:
    before = session.scalar(sa.select(Message.kind).where(Message.id == delivery.message_id))
    if before is not None and kind != before:
        raise Invalid(f"this delivery is a {before}: it cannot become another kind of message", error_code="200")


def _with_control_id(message: er7.Message, control_id: str) -> str:
    separator = message.delimiters.field
    msh = message.msh.raw.split(separator)
    # MSH-1 is the separator itself, so MSH-10 is the part with index 9.
    msh += [""] * (10 - len(msh))
    msh[9] = er7.escape(control_id, message.delimiters)
    return er7.join((separator.join(msh), *(segment.raw for segment in message.segments[1:])))


def _links_of(session: Session, delivery: Delivery) -> list[Ref]:
    rows = session.execute(
        sa.select(MessageLink.object_kind, MessageLink.object_id).where(MessageLink.message_id == (delivery.message_id or 0))
    )
    return [Ref(*row) for row in rows]
