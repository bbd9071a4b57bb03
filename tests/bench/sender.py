"""The sender beside a bare loop: the same bytes over a socket to the same peer, which answers at once, each waiting for its ACK."""

import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import sqlalchemy as sa

from ris.base.ids import new_id
from ris.bootstrap import Ris
from ris.journal.model import Direction, Message
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from tests.factories.hospital import Hospital, build_hospital
from tests.outbox.outgoing import do_exam, forget_deliveries, place, send_to, sign
from tests.running import ROOT, Running

REPORTS = 200
"""Different orders, each with its own patient, exam and report."""
MESSAGES = 6_000
TEXT = "CLINICAL HISTORY:\nR/O pulmonary embolism.\n\nFINDINGS:\nNo embolus. Lungs clear.\n\nIMPRESSION:\nNormal chest."


def answer_at_once() -> None:
    """A peer that reads frame after frame and answers each; prints its port first, then what it has seen when it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    while chunk := connection.recv(65536):
        *frames, buffer = (buffer + chunk).split(b"\x1c\r")
        for frame in frames:
            control_id = frame.split(b"|", 10)[9]
            connection.sendall(b"\x0bMSH|^~\\&|P|P|P|P|20260801||ACK|1|P|2.5.1\rMSA|AA|" + control_id + b"\r\x1c\r")


def measure(ris: Ris) -> tuple[float, float]:
    """Results a second by the sender process to one destination, in order; and by the bare loop with the same bytes."""
    hospital = build_hospital(ris)
    _queue(ris, hospital)
    with _peer() as port:
        send_to(ris, hospital, port)
        environment = {"RIS_DATABASE__URL": ris.settings.database_url, "RIS_DATA__DIR": str(ris.settings.data.dir)}
        with Running("sender", ready="sender ready", **environment) as sender:
            rate = _watch(ris)
            sender.stop()
        bare = _bare(port, _sent(ris))
    ris.close()
    return rate, bare


def report(results: dict[str, tuple[float, float]]) -> None:
    print(f"\n{'sender: results a second to one destination, in order':60}{'RIS':>10}{'bare loop':>12}{'ratio':>8}")
    for name, (rate, bare) in results.items():
        print(f"{'RIS on ' + name:60}{rate:10.0f}{bare:12.0f}{rate / bare:8.2f}")


def _queue(ris: Ris, hospital: Hospital) -> None:
    """So many results, published one after the other while nobody sends."""
    for number in range(REPORTS):
        placed = place(ris, hospital, f"S{number}")
        do_exam(ris, hospital, placed)
        sign(ris, hospital, placed, TEXT)
    with ris.uow() as uow:
        published = uow.session.scalars(sa.select(StoredEvent).where(StoredEvent.name == "report.published")).all()
    forget_deliveries(ris)
    columns = [column.name for column in StoredEvent.__table__.columns if column.name != "id"]
    with ris.uow() as uow:
        for event in itertools.islice(itertools.cycle(published), MESSAGES):
            event_id, delivery_id = new_id(), new_id()
            uow.append(StoredEvent, {"id": event_id, **{name: getattr(event, name) for name in columns}})
            uow.append(
                Delivery,
                {
                    "id": delivery_id, "event_id": event_id, "destination_id": hospital.destination_id, "correction": 0,
                    "message": "oru_r01", "order_key": event.order_id, "control_id": f"R{delivery_id:X}",
                    "state": DeliveryState.waiting, "created_at": uow.now, "message_id": None, "attempts": 0,
                    "not_before": None, "delivered_at": None, "reason": "",
                },
            )  # fmt: skip


def _watch(ris: Ris) -> float:
    """Without the first thousand, so that neither the start nor the first pace is measured."""
    ticks = threading.Event()
    delivered = sa.select(Delivery.delivered_at).where(Delivery.state == DeliveryState.delivered).order_by(Delivery.id)
    while True:
        ticks.wait(1)
        with ris.read() as session:
            moments = session.scalars(delivered).all()
        if len(moments) == MESSAGES:
            return (MESSAGES - 1_000) / (moments[-1] - moments[999]).total_seconds()


def _sent(ris: Ris) -> list[bytes]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Message.raw).where(Message.direction == Direction.outbound).order_by(Message.id)))


def _bare(port: int, payloads: list[bytes]) -> float:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = perf_counter()
        for payload in payloads:
            connection.sendall(b"\x0b" + payload + b"\x1c\r")
            while not connection.recv(65536).endswith(b"\x1c\r"):
                pass
        return len(payloads) / (perf_counter() - begun)


@contextmanager
def _peer() -> Iterator[int]:
    command = [sys.executable, "-c", "from tests.bench.sender import answer_at_once; answer_at_once()"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
