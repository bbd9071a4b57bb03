"""`kill -9` of the listener under load: what was acknowledged is in the database, once."""

import asyncio
import random
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from tests.bench.load import LoadResult, drive, make_order
from tests.running import Running

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

KILLS = 10
CONNECTIONS = 8
READY = r"listener ready on 127\.0\.0\.1:(\d+)"


def _settings(ris: Ris, port: int) -> dict[str, str]:
    return {
        "RIS_DATABASE__URL": ris.settings.database_url,
        "RIS_DATA__DIR": str(ris.settings.data.dir),
        "RIS_MLLP__PORT": str(port),
        "RIS_CONFIG": "",
    }


def _count(ris: Ris, table: str) -> int:
    with ris.read() as session:
        return session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


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


def test_every_acknowledged_order_is_there_once_after_ten_kills(ris: Ris, hospital: object, wait_until: Callable[..., None]) -> None:
    """A kill counts when messages were being applied: the journal grew in the tenth of a second before it."""
    first = Running("listener", ready=READY, **_settings(ris, 0))
    port = first.port
    chance = random.Random(20261124)
    thread, results = _drive(port, messages=4_000)
    listener = first
    counted = 0
    try:
        while counted < KILLS and thread.is_alive():
            before = _count(ris, "message")
            wait_until(lambda before=before: _count(ris, "message") > before or not thread.is_alive(), 60)
            threading.Event().wait(chance.uniform(0.0, 0.3))
            grown = _count(ris, "message")
            threading.Event().wait(0.05)
            was_open = _count(ris, "message") > grown
            listener.kill()
            counted += was_open
            listener = Running("listener", ready=READY, **_settings(ris, port))
        thread.join(400)
    finally:
        listener.kill()
        thread.join(10)
    assert counted == KILLS
    (result,) = results
    assert result.unanswered == set()
    assert len(result.acked) == CONNECTIONS * 4_000
    _each_once(ris, result.acked)


def _each_once(ris: Ris, acked: set[str]) -> None:
    with ris.read() as session:
        applied = session.scalars(sa.text("SELECT control_id FROM message WHERE state = 'applied'")).all()
        orders = session.scalars(sa.text("SELECT placer_number FROM imaging_order")).all()
        placed = session.execute(sa.text("SELECT count(*) FROM event WHERE name = 'order.placed'")).scalar_one()
        audited = session.execute(sa.text("SELECT count(*) FROM audit_entry WHERE what = 'order.placed'")).scalar_one()
    assert sorted(applied) == sorted(acked)
    assert len(orders) == len(set(orders)) == placed == audited == len(acked)
