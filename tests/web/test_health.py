"""Health, readiness and metrics: who is answered, with what, and that a database that is away is told apart from a dead process."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr

from ris.bootstrap import Ris
from ris.journal.model import MessageState
from ris.outbox import hold
from ris.outbox import service as outbox
from ris.partner.model import Partner
from ris.settings import Settings
from ris.web.app import create_app
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order
from tests.journal.entries import journalled
from tests.web.visitor import NOW, Visitor, trail

TOKEN = "a token for the one who watches"
TOKEN_SECRET = SecretStr(TOKEN)


@pytest.fixture
def watcher(visitor: Callable[[], Visitor]) -> Visitor:
    return visitor()


def figures(text: str) -> dict[str, float]:
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def test_the_process_is_alive_and_ready_without_a_session_or_a_trace(ris: Ris, watcher: Visitor) -> None:
    for path, said in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
        answer = watcher.get(path)
        assert (answer.status_code, answer.text) == (200, said)
        assert "Set-Cookie" not in answer.headers
    assert trail(ris) == []


def test_without_its_database_it_is_alive_and_not_ready(settings: Settings) -> None:
    away = Ris(settings.model_copy(update={"database": settings.database.model_copy(update={"url": "sqlite:////nowhere/ris.db"})}))
    client = create_app(away).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/metrics").status_code == 503
    away.close()


def test_the_figures_of_each_partner_and_destination(ris: Ris, hospital: Hospital, watcher: Visitor, clock: Clock) -> None:
    with ris.uow() as uow:
        uow.session.get_one(Partner, hospital.partner_id).name = 'E"H\\R'
    journalled(ris, "C1", at=NOW, partner_id=hospital.partner_id)
    journalled(ris, "C2", at=NOW - timedelta(minutes=30), state=MessageState.refused, partner_id=hospital.partner_id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        make_order(uow, hospital)
        outbox.hold(uow, hospital.destination_id, "their upgrade")
    clock.advance(seconds=100)
    answer = watcher.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    found = figures(answer.text)
    source, queue = '{partner="E\\"H\\\\R"}', '{destination="EHR results"}'
    expected = {
        f"ris_source_messages_5m{source}": 1, f"ris_source_messages_1h{source}": 2, f"ris_source_refused_1h{source}": 1,
        f"ris_source_silent_seconds{source}": 100, f"ris_destination_waiting{queue}": 1, f"ris_destination_parked{queue}": 0,
        f"ris_destination_oldest_seconds{queue}": 100, f"ris_destination_held{queue}": 1, f"ris_destination_delivered_1h{queue}": 0,
        f"ris_destination_failed_1h{queue}": 0, "ris_outbound_held": 0,
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected


def test_a_hold_of_everything_and_open_tasks_are_figures_too(ris: Ris, hospital: Hospital, watcher: Visitor) -> None:
    with ris.uow() as uow:
        hold.hold_all(uow, "restored")
    assert figures(watcher.get("/metrics").text)["ris_outbound_held"] == 1


def test_every_metric_has_a_meaning_and_a_type(watcher: Visitor, hospital: Hospital) -> None:
    lines = watcher.get("/metrics").text.splitlines()
    names = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert names <= {line.split(" ")[2] for line in lines if line.startswith("# HELP")}
    assert names <= {line.split(" ")[2] for line in lines if line.startswith("# TYPE")}


def test_without_a_token_only_this_machine_is_answered(app: Flask, hospital: Hospital) -> None:
    client = app.test_client()
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "::1"}).status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    assert client.get("/healthz", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


def test_with_a_token_everybody_needs_it(settings: Settings, hospital: Hospital) -> None:
    web = settings.web.model_copy(update={"metrics_token": TOKEN_SECRET})
    ris = Ris(settings.model_copy(update={"web": web}))
    client = create_app(ris).test_client()
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong ä"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    ris.close()


def test_the_page_about_metrics_names_each(watcher: Visitor, hospital: Hospital) -> None:
    page = (Path(__file__).parents[2] / "docs/operate/metrics.md").read_text()
    names = {line.split(" ")[2] for line in watcher.get("/metrics").text.splitlines() if line.startswith("# TYPE")}
    assert names
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
