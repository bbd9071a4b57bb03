"""Writing the journal: one row a message, with its answer and what it touched."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ris.base.errors import NotAllowedNow, NotFound
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.journal.model import Direction, Message, MessageLink, MessageState, Strike


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as it came or goes."""

    id: int
    direction: Direction
    partner_id: int | None
    at: datetime
    kind: str
    control_id: str
    raw: bytes
    charset: str
    place: str


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def record(
    uow: UnitOfWork,
    entry: Entry,
    state: MessageState,
    *,
    ack_code: str = "",
    answer: bytes = b"",
    error: str = "",
    touched: Iterable[Ref] = (),
) -> None:
    """Collects the row and its links; `error` holds no patient data."""
    uow.append(
        Message,
        {
            "id": entry.id, "direction": entry.direction, "protocol": "HL7v2", "partner_id": entry.partner_id, "at": entry.at,
            "kind": entry.kind, "control_id": entry.control_id, "digest": digest(entry.raw), "raw": entry.raw, "charset": entry.charset,
            "state": state, "ack_code": ack_code, "answer": answer, "error": error, "place": entry.place,
        },
    )  # fmt: skip
    for ref in sorted(touched):
        uow.append(MessageLink, {"message_id": entry.id, "object_kind": ref.kind, "object_id": ref.id})


@service
def let_in(uow: UnitOfWork, message_id: int) -> None:
    """The bytes that were set aside are taken again when their sender sends them: what they stopped has been repaired.

    Raises:
        NotFound: there is no such message.
        NotAllowedNow: it is not set aside, or was let in already.
    """
    message = uow.get(Message, message_id)
    if message is None:
        raise NotFound(f"message {message_id} does not exist")
    if message.state is not MessageState.quarantined or uow.session.get(Strike, message.digest) is None:
        raise NotAllowedNow(f"message {message_id} is not set aside")
    forgive(uow, message.digest)
    uow.emit(Event("message.let_in", Ref("message", first_set_aside(uow, message.digest) or message_id)))


def forgive(uow: UnitOfWork, digest: str) -> None:
    """These bytes stopped nothing."""
    uow.session.execute(sa.delete(Strike).where(Strike.digest == digest))


def first_set_aside(uow: UnitOfWork, digest: str) -> int | None:
    """The row that tasks about these bytes name."""
    return uow.session.scalar(sa.select(sa.func.min(Message.id)).where(Message.digest == digest, Message.state == MessageState.quarantined))
