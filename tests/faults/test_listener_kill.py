"""`kill -9` of the listener under load: what was acknowledged is in the database, once."""

import asyncio
import random
import threading

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from tests.bench.load import LoadResult, drive, make_order
from tests.factories.hospital import Hospital
from tests.hl7.asking import rows
from tests.hl7.listening import listener_process

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

KILLS = 10
CONNECTIONS = 8


def _count(ris: Ris, table: str) -> int:
    with ris.read() as session:
        return session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


def _await_growth(ris: Ris, thread: threading.Thread) -> bool:
    """Until the listener has taken something more, or there is nothing left to take; whether it has."""
    before = _count(ris, "message")
    while thread.is_alive():
        if _count(ris, "message") > before:
            return True
        threading.Event().wait(0.002)
    return False


def _drive(port: int, messages: int) -> tuple[threading.Thread, list[LoadResult]]:
    results: list[LoadResult] = []

    def run() -> None:
        results.append(
            asyncio.run(
                drive("127.0.0.1", port, connections=CONNECTIONS, messages_per_connection=messages, make_message=make_order, deadline_s=400)
            )
        )

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def is_sound(ris: Ris) -> bool:
    """PostgreSQL is another process, which was not hurt."""
    return ris.engine.dialect.name == "postgresql" or rows(ris, "PRAGMA integrity_check") == [("ok",)]


def test_every_acknowledged_order_is_there_once_after_ten_kills(ris: Ris, hospital: Hospital) -> None:
    """A kill counts when it comes right after a group, with the next messages of eight connections waiting."""
    first = listener_process(ris)
    port = first.port
    chance = random.Random(20261124)
    thread, results = _drive(port, messages=1_500)
    listener = first
    counted = 0
    try:
        while counted < KILLS and thread.is_alive():
            _await_growth(ris, thread)
            threading.Event().wait(chance.uniform(0.0, 0.5))
            counted += _await_growth(ris, thread)
            listener.kill()
            assert is_sound(ris)
            listener = listener_process(ris, port)
        thread.join(400)
    finally:
        listener.kill()
        thread.join(10)
    assert counted == KILLS
    (result,) = results
    assert (result.unanswered, result.errors) == (set(), [])
    # At each kill messages were under way, whose fate the sender did not know: it sent them again.
    assert result.resent >= KILLS
    assert len(result.acked) == CONNECTIONS * 1_500
    _each_once(ris, result.acked)


def _each_once(ris: Ris, acked: set[str]) -> None:
    with ris.read() as session:
        applied = session.scalars(sa.text("SELECT control_id FROM message WHERE state = 'applied'")).all()
        orders = session.scalars(sa.text("SELECT placer_number FROM imaging_order")).all()
        placed = session.execute(sa.text("SELECT count(*) FROM event WHERE name = 'order.placed'")).scalar_one()
        audited = session.execute(sa.text("SELECT count(*) FROM audit_entry WHERE what = 'order.placed'")).scalar_one()
    assert sorted(applied) == sorted(acked)
    assert len(orders) == len(set(orders)) == placed == audited == len(acked)
