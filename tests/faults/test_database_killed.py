"""`kill -9` of PostgreSQL with all its children while the program stays: nothing is lost, and nothing is started again by hand."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.processes import database
from ris.settings import Data, Database, Settings
from ris.web.app import create_app
from tests.bench.load import make_order
from tests.factories.hospital import Hospital, build_hospital
from tests.faults.ledger import Ledger, Sender, answered_otherwise, lost_or_doubled
from tests.hl7.asking import rows
from tests.hl7.listening import listener_process
from tests.postgres import PostgresServer
from tests.web.visitor import Visitor

pytestmark = [pytest.mark.fault, pytest.mark.timeout(200)]

KILLS = 5
CONNECTIONS = 4


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    server = PostgresServer.create()
    yield server
    server.stop()


@pytest.fixture
def house(server: PostgresServer, tmp_path: Path) -> Iterator[Ris]:
    settings = Settings(data=Data(dir=tmp_path), database=Database(url=server.create_database("house")))
    database.upgrade(settings)
    house = Ris(settings)
    yield house
    house.close()


@pytest.fixture
def hospital(house: Ris) -> Hospital:
    return build_hospital(house)


def test_what_was_acknowledged_outlives_five_kills_of_the_database(house: Ris, hospital: Hospital, server: PostgresServer) -> None:
    chance = random.Random(20261124)
    ledger = Ledger()
    app = create_app(house)
    app.testing = False
    clerk = Visitor(app, house)
    clerk.enter(hospital.users["front_desk"])
    with listener_process(house) as listener:
        senders = [Sender(listener.port, (make_order(line, n) for n in range(1_000_000)), ledger) for line in range(CONNECTIONS)]
        for _ in range(KILLS):
            ledger.until_more(chance.randrange(20, 60))
            server.kill()
            assert clerk.get("/worklists/arrivals").status_code == 503
            server.start()
            ledger.until_more(CONNECTIONS)
            ((procedure_id,),) = rows(house, "SELECT min(id) FROM requested_procedure WHERE status = 'ordered'")
            assert clerk.get("/worklists/arrivals").status_code == 200
            assert clerk.post(f"/exams/{procedure_id}/cancel", reason="not wanted").status_code == 303
        for sender in senders:
            sender.stop()
        print(f"{len(ledger.accepted)} accepted, {len(ledger.others)} times not")
        assert {code for _, code in ledger.others} <= {"AE"}
        assert lost_or_doubled(house, ledger) == []
        assert answered_otherwise(listener.port, ledger) == []
