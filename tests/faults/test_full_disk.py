"""A disk that is full and then grows, under either engine: nothing is accepted that is not kept, and nobody has to start anything again."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.processes import database
from ris.settings import Data, Database, Settings
from ris.web.app import create_app
from tests.factories.hospital import Hospital, build_hospital
from tests.faults.ledger import Ledger, Sender, answered_otherwise, lost_or_doubled, orders
from tests.faults.volume import Volume
from tests.hl7.asking import rows
from tests.hl7.listening import listener_process
from tests.postgres import PostgresServer
from tests.waiting import until
from tests.web.visitor import Visitor

pytestmark = [pytest.mark.fault, pytest.mark.timeout(200)]

SIZE_MB = {"sqlite": 8, "postgresql": 120}
ROOMY_MB = 400
LEFT_BYTES = 200_000


@pytest.fixture
def volume(engine_name: str) -> Iterator[Volume]:
    with Volume(SIZE_MB[engine_name]) as volume:
        yield volume


@pytest.fixture
def house(engine_name: str, volume: Volume, tmp_path: Path) -> Iterator[Ris]:
    with ExitStack() as stack:
        if engine_name == "postgresql":
            server = PostgresServer.create(volume.folder)
            stack.callback(server.stop)
            url = server.create_database("house")
        else:
            url = f"sqlite:///{volume.folder / 'ris.db'}"
        settings = Settings(data=Data(dir=tmp_path), database=Database(url=url))
        database.upgrade(settings)
        house = Ris(settings)
        stack.callback(house.close)
        yield house


@pytest.fixture
def hospital(house: Ris) -> Hospital:
    return build_hospital(house)


def test_on_a_full_disk_nothing_is_accepted_and_all_goes_on_when_there_is_room(house: Ris, hospital: Hospital, volume: Volume) -> None:
    ledger = Ledger()
    app = create_app(house)
    app.testing = False
    clerk = Visitor(app, house)
    clerk.enter(hospital.users["front_desk"])
    with listener_process(house) as listener:
        Sender(listener.port, orders(1, 20), ledger).finish()
        procedure_ids = [each for (each,) in rows(house, "SELECT id FROM requested_procedure")]
        volume.fill(but=LEFT_BYTES)
        senders = [Sender(listener.port, orders(line, 100), ledger) for line in (2, 3)]
        until(lambda: len(ledger.others) > 20)
        assert {code for _, code in ledger.others} == {"AE"}
        volume.fill()
        # A page of PostgreSQL that has room takes a row even now.
        said = {each: clerk.post(f"/exams/{each}/cancel", reason="not wanted") for each in procedure_ids}
        refused = [each for each, answer in said.items() if answer.status_code == 503]
        assert refused
        assert {answer.status_code for answer in said.values()} <= {303, 503}
        assert "The database does not answer now. Nothing was changed; please try again." in said[refused[0]].text
        kept = rows(house, "SELECT id FROM requested_procedure WHERE status = 'cancelled'")
        assert {each for (each,) in kept} == said.keys() - refused
        # What is only read, as by the poll of a worklist, goes on.
        assert clerk.get("/worklists/arrivals?v=older", X_Poll="1").status_code == 200
        assert lost_or_doubled(house, ledger) == []
        volume.grow(ROOMY_MB)
        for sender in senders:
            sender.finish()
        assert clerk.post(f"/exams/{refused[0]}/cancel", reason="not wanted").status_code == 303
        assert lost_or_doubled(house, ledger) == []
        assert answered_otherwise(listener.port, ledger) == []
