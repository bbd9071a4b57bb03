"""Rows of the journal, written as an edge writes them."""

from datetime import datetime

from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.journal import service as journal
from ris.journal.model import Direction, MessageState
from tests.factories.orders import MONDAY


def journalled(
    ris: Ris,
    control_id: str = "C1",
    *touched: Ref,
    at: datetime = MONDAY,
    kind: str = "ADT^A08",
    state: MessageState = MessageState.applied,
    direction: Direction = Direction.inbound,
    partner_id: int | None = None,
    raw: bytes = b"MSH|^~\\&|EHR|HOSP\r",
) -> int:
    message_id = new_id()
    entry = journal.Entry(message_id, direction, partner_id, at, kind, control_id, raw, "utf-8", "192.0.2.1:4000")
    with ris.uow() as uow:
        journal.record(uow, entry, state, ack_code="AA" if state is MessageState.applied else "AE", touched=touched)
    return message_id
