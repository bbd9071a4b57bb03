"""Messages as they would leave: built for a delivery, put into the journal, read back and validated."""

from collections.abc import Callable

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.hl7 import er7
from ris.hl7.outbound import store
from ris.hl7.outbound.skeleton import validate
from ris.journal.model import Message
from ris.outbox.model import Delivery, StoredEvent
from ris.partner.model import Destination

ALLOWED = (
    "Value 99RIS not in table HL70396",
    "Value U not in table HL70004",
    "Child limit exceeded ADT_A24.PID",
    "Child limit exceeded ADT_A37.PID",
)
"""Table 0396 allows local names in words; table 0004 is the user's own, and has `unknown` from version 2.4 on;
A37 has PID in two places."""


def raw(ris: Ris, event_name: str, is_meant: Callable[[StoredEvent], bool] = lambda _: True, *, destination_id: int | None = None) -> bytes:
    """The bytes that tell of the newest such event, at the only destination or this one; raises what the builder refuses with."""
    with ris.uow() as uow:
        events = uow.session.scalars(sa.select(StoredEvent).where(StoredEvent.name == event_name).order_by(StoredEvent.id.desc()))
        event = next(event for event in events if is_meant(event))
        deliveries = sa.select(Delivery).where(Delivery.event_id == event.id)
        if destination_id is not None:
            deliveries = deliveries.where(Delivery.destination_id == destination_id)
        delivery = uow.session.scalars(deliveries).one()
        destination = uow.session.get_one(Destination, delivery.destination_id)
        (outcome,) = store.build(uow.session, [(delivery, event)], destination, uow.now)
        if isinstance(outcome, Exception):
            raise outcome
        message_id = outcome.keep(uow)
        uow.flush()
        return uow.session.get_one(Message, message_id).raw


def built(
    ris: Ris, event_name: str, is_meant: Callable[[StoredEvent], bool] = lambda _: True, *, destination_id: int | None = None
) -> er7.Message:
    return er7.Message.parse(raw(ris, event_name, is_meant, destination_id=destination_id).decode())


def findings(message: er7.Message) -> list[str]:
    """What hl7apy finds wrong with it."""
    found = validate(er7.join(segment.raw for segment in message.segments), message.value("MSH", 12))
    return [finding for finding in found if not any(allowed in finding for allowed in ALLOWED)]
