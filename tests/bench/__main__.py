"""`make bench`, or `python -m tests.bench search` for one part: figures as ratios beside a peer and a floor, measured in one run.

Absolute times are printed, never judged.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic
from typing import TypeVar

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.processes.database import upgrade
from ris.settings import Data, Database, Reports, Settings
from tests.bench import pages, search, sender, slots
from tests.bench.load import LoadResult, drive, make_order
from tests.factories.hospital import build_hospital
from tests.postgres import PostgresServer
from tests.running import ROOT, Running

Part = Callable[[Path, PostgresServer], None]

CONNECTIONS = (1, 8, 32)
SECONDS = 4.0
PEERS = {
    "floor": [sys.executable, "-m", "tests.bench.peers", "floor"],
    "python-hl7": [sys.executable, "-m", "tests.bench.peers", "python-hl7"],
    "@medplum/hl7": ["node", "tests/bench/medplum/server.mjs"],
}
TABLES = ("message", "patient", "patient_identifier", "visit", "imaging_order", "requested_procedure", "event", "audit_entry", "delivery")


def main() -> None:
    """Every part, or those that are named."""
    wanted = sys.argv[1:] or list(PARTS)
    if not set(wanted) <= PARTS.keys():
        raise SystemExit(f"there are the parts {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        postgres = PostgresServer.create()
        try:
            for name in wanted:
                begun = monotonic()
                PARTS[name](Path(folder), postgres)
                print(f"({name}: {monotonic() - begun:.0f} s)", flush=True)
        finally:
            postgres.stop()


def _intake(work: Path, postgres: PostgresServer) -> None:
    rates: dict[str, dict[int, LoadResult]] = {}
    for name in PEERS:
        rates[name] = _measure(lambda name=name: _peer(name, work))
    rates["RIS on SQLite"] = _measure_ris(work, "")
    rates["RIS on PostgreSQL"] = _measure_ris(work, _another(postgres, "intake"))
    _print(rates)


Measured = TypeVar("Measured")


def _on_both(name: str, measure: Callable[[Ris], Measured], report: Callable[[dict[str, Measured]], None]) -> Part:
    def run(work: Path, postgres: PostgresServer) -> None:
        report({engine: measure(_ris(work, url)) for engine, url in (("SQLite", ""), ("PostgreSQL", _another(postgres, name)))})

    return run


PARTS: dict[str, Part] = {
    "intake": _intake,
    "sender": _on_both("sender", sender.measure, sender.report),
    "pages": _on_both("pages", pages.measure, pages.report),
    "search": _on_both("search", search.measure, search.report),
    "slots": _on_both("slots", slots.measure, slots.report),
}


def _measure(serve: Callable[[], AbstractContextManager[int]]) -> dict[int, LoadResult]:
    results = {}
    for connections in CONNECTIONS:
        with serve() as port:
            results[connections] = _load(port, connections)
    return results


def _ris(work: Path, url: str) -> Ris:
    """On an empty database; what is signed is published at once."""
    data = Path(tempfile.mkdtemp(dir=work))
    ris = Ris(Settings(data=Data(dir=data), database=Database(url=url), reports=Reports(publication_delay_seconds=0)))
    upgrade(ris.settings)
    return ris


def _another(postgres: PostgresServer, name: str) -> str:
    postgres.create_database(f"bench_{name}")
    return postgres.url(f"bench_{name}")


def _measure_ris(work: Path, url: str) -> dict[int, LoadResult]:
    ris = _ris(work, url)
    build_hospital(ris)
    results = {}
    for connections in CONNECTIONS:
        before = _counts(ris)
        with Running("listener", ready=r"listener ready on 127\.0\.0\.1:(\d+)", **_ris_environment(ris)) as listener:
            results[connections] = _load(listener.port, connections, first=connections * 1_000)
            listener.stop()
        _check_rows(before, _counts(ris), len(results[connections].acked))
    ris.close()
    return results


def _ris_environment(ris: Ris) -> dict[str, str]:
    return {"RIS_DATABASE__URL": ris.settings.database_url, "RIS_DATA__DIR": str(ris.settings.data.dir), "RIS_MLLP__PORT": "0"}


def _load(port: int, connections: int, first: int = 0) -> LoadResult:
    result = asyncio.run(
        drive(
            "127.0.0.1", port, connections=connections, seconds=SECONDS,
            make_message=lambda connection, n: make_order(first + connection, n),
        )
    )  # fmt: skip
    if result.errors or result.unanswered:
        raise SystemExit(f"the load was not answered: {result.errors[:3]} {len(result.unanswered)} unanswered")
    return result


def _counts(ris: Ris) -> dict[str, int]:
    with ris.read() as session:
        return {table: session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES}


def _check_rows(before: dict[str, int], after: dict[str, int], acked: int) -> None:
    """Every acknowledged message has left all its rows."""
    grown = {table: after[table] - before[table] for table in TABLES}
    print("    rows per table:", ", ".join(f"{table} {count}" for table, count in grown.items()), flush=True)
    short = [t for t in ("message", "patient", "patient_identifier", "visit", "imaging_order", "requested_procedure") if grown[t] < acked]
    if short:
        raise SystemExit(f"{acked} messages were acknowledged, but these tables grew by less: {short}")


@contextmanager
def _peer(name: str, work: Path) -> Iterator[int]:
    """A peer server in a process of its own, on a fresh durable SQLite file; it prints its port when it is ready."""
    database = Path(tempfile.mkdtemp(dir=work)) / "peer.db"
    process = subprocess.Popen([*PEERS[name], str(database)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _print(rates: dict[str, dict[int, LoadResult]]) -> None:
    print(f"\n{'intake: messages a second (p50 / p99 ms)':44}" + "".join(f"{c:>24} conn" for c in CONNECTIONS))
    for name, results in rates.items():
        cells = (f"{r.rate:8.0f} ({r.p50_ms:.1f} / {r.p99_ms:.1f})" for r in results.values())
        print(f"{name:44}" + "".join(f"{cell:>29}" for cell in cells))
    for name in ("RIS on SQLite", "RIS on PostgreSQL"):
        for peer in PEERS:
            ratios = (rates[name][c].rate / rates[peer][c].rate for c in CONNECTIONS)
            print(f"{name + ' / ' + peer:44}" + "".join(f"{ratio:>29.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
