"""A whole hospital in processes of its own, with an EHR beside it that keeps a ledger."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.partner.model import Destination
from ris.simulator.ledger import Ledger
from ris.simulator.mllp import Client, Receiver
from tests.factories.hospital import Hospital
from tests.running import Running


@dataclass
class House:
    ris: Ris
    hospital: Hospital
    base: str
    mllp_port: int
    receiver: Receiver
    ledger: Ledger
    listener: Running
    sender: Running

    def client(self) -> Client:
        return Client("127.0.0.1", self.mllp_port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send_results_to(ris: Ris, hospital: Hospital, port: int) -> None:
    with ris.uow() as uow:
        uow.session.execute(sa.update(Destination).where(Destination.id == hospital.destination_id).values(port=port))


@contextmanager
def running_house(ris: Ris, hospital: Hospital) -> Iterator[House]:
    ledger = Ledger()
    receiver = Receiver(on_arrival=lambda arrival: ledger.record_received(arrival.payload))
    web_port = free_port()
    settings = {
        "RIS_DATABASE__URL": ris.settings.database_url,
        "RIS_DATA__DIR": str(ris.settings.data.dir),
        "RIS_MLLP__PORT": "0",
        "RIS_WEB__PORT": str(web_port),
        "RIS_REPORTS__PUBLICATION_DELAY_SECONDS": "0",
    }
    with ExitStack() as stack:
        stack.enter_context(receiver)
        send_results_to(ris, hospital, receiver.port)
        listener = stack.enter_context(Running("listener", ready=r"listener ready on 127\.0\.0\.1:(\d+)", **settings))
        sender = stack.enter_context(Running("sender", ready="sender ready", **settings))
        stack.enter_context(Running("web", ready="pages on http", **settings))
        yield House(ris, hospital, f"http://127.0.0.1:{web_port}", listener.port, receiver, ledger, listener, sender)
