"""A sender process, a queue for it, and a peer's account of what arrived held against that queue."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.outbox.lease import destination_name
from ris.outbox.line import GROUP
from ris.outbox.model import Delivery, DeliveryState
from ris.partner.model import Destination, Lease
from ris.simulator.mllp import Arrival
from tests.outbox.outgoing import Placed, forget_deliveries
from tests.running import Running


@contextmanager
def sender(ris: Ris) -> Iterator[Running]:
    with Running(
        "sender",
        ready="sender ready",
        RIS_DATABASE__URL=ris.settings.database_url,
        RIS_DATA__DIR=str(ris.settings.data.dir),
        RIS_CONFIG="",
    ) as process:
        yield process
    if process.process.stdout is not None:
        process.process.stdout.close()


def queue(ris: Ris, placed: Placed, count: int) -> list[str]:
    """So many deliveries of one order, written at once; their MSH-10 in the order in which they are to arrive."""
    forget_deliveries(ris)
    with ris.uow() as uow:
        procedure = uow.session.get_one(RequestedProcedure, placed.procedure_ids[0])
        for _ in range(count):
            uow.emit(orders.procedure_event("exam.started", procedure))
    return expected(ris)


def expected(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Delivery.control_id).order_by(Delivery.id)))


def waiting(ris: Ris) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Delivery.state == DeliveryState.waiting)) or 0


def process_with_lease(ris: Ris) -> int:
    """The sender that has a destination; other parts of the program hold leases of their own."""
    with ris.read() as session:
        (destination_id,) = session.scalars(sa.select(Destination.id))
        return int(session.get_one(Lease, destination_name(destination_id)).holder.split(" ")[1])


def is_in_order(arrivals: Sequence[Arrival], control_ids: list[str]) -> bool:
    """All of them, none before its turn; after a break the sender goes back, at most to the first of what it had prepared."""
    turns = {control_id: number for number, control_id in enumerate(control_ids)}
    places = [turns[arrival.control_id] for arrival in arrivals]
    pairs = itertools.pairwise([-1, *places])
    return all(after == before + 1 or before - GROUP < after <= before for before, after in pairs) and set(places) == set(
        range(len(control_ids))
    )


def again_with_other_bytes(arrivals: Sequence[Arrival]) -> list[str]:
    first: dict[str, bytes] = {}
    return [a.control_id for a in arrivals if first.setdefault(a.control_id, a.payload) != a.payload]


def takes_its_time(_: Arrival) -> str:
    """Slow enough for something to be open whenever the sender is stopped, quick enough for it to prepare groups."""
    threading.Event().wait(0.01)
    return "AA"
