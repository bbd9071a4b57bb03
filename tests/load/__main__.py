"""`make load`: thirty clerks book, move and cancel at random for a minute, by HTTP against PostgreSQL, each in a session of their own.

Each makes a change every ten seconds, as five clicks one after the other without a pause: several times as many as people do. Times are
printed, never judged; what is judged is that nothing is booked twice, that nothing that was promised is lost, and that every conflict says
who has it.
"""

import sys
import tempfile
from pathlib import Path

from ris.bootstrap import Ris
from ris.processes.database import upgrade
from ris.settings import Data, Database, Settings
from tests.bench.serving import web_process
from tests.factories.full_day import build_rooms
from tests.factories.hospital import build_hospital
from tests.load.desks import employ, report, run
from tests.postgres import PostgresServer

CLERKS, SECONDS = 30, 60
EXAMS = 60
"""That wait for each clerk."""
ROOMS = 8
PAUSE_S = (5.0, 15.0)
WANTED_MS = 300


def main() -> None:
    postgres = PostgresServer.create()
    try:
        with tempfile.TemporaryDirectory() as folder:
            ris = Ris(Settings(data=Data(dir=Path(folder)), database=Database(url=postgres.create_database("load"))))
            upgrade(ris.settings)
            sys.exit(_load(ris))
    finally:
        postgres.stop()


def _load(ris: Ris) -> str | None:
    hospital = build_hospital(ris)
    build_rooms(ris, hospital, ROOMS)
    with web_process(ris) as web:
        clerks = employ(ris, hospital, web.port, CLERKS, EXAMS, PAUSE_S)
        worked = web.seconds()
        outcome = run(ris, clerks, SECONDS)
        worked = web.seconds() - worked
    report(outcome, SECONDS, WANTED_MS)
    requests = sum(len(ledger.timings) for ledger in outcome.ledgers)
    print(f"{worked / requests * 1000:.1f} ms of processor time a request, pages and database together")
    ris.close()
    wrong = outcome.double or outcome.lost or outcome.unnamed or outcome.faults
    return "what must not be has been: see above" if wrong else None


if __name__ == "__main__":
    main()
