"""Writing the journal: one row a message, with its answer and what it touched."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.journal.model import Direction, Message, MessageLink, MessageState


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
