"""The listener beside peers and a floor: short runs in turn, so that whatever else the machine does falls on all alike."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from ris.bootstrap import Ris
from tests.bench.load import LoadResult, drive, make_order
from tests.factories.hospital import build_hospital
from tests.running import ROOT, Running

CONNECTIONS = (1, 8, 32)
ROUNDS = 3
SECONDS = 2.0
PEERS = {
    "floor": [sys.executable, "-m", "tests.bench.peers", "floor"],
    "python-hl7": [sys.executable, "-m", "tests.bench.peers", "python-hl7"],
    "@medplum/hl7": ["node", "tests/bench/medplum/server.mjs"],
}
TABLES = ("message", "patient", "patient_identifier", "visit", "imaging_order", "requested_procedure", "event", "audit_entry", "delivery")
MUST_GROW = TABLES[:6]


@dataclass(slots=True)
class Served:
    """Processes that do the same job, with the ports that a load is dealt out to."""

    name: str
    ports: Sequence[int]
    pids: Sequence[int]
    ris: Ris | None = None
    runs: dict[int, list["Run"]] = field(default_factory=dict)
    """By number of connections."""

    def median(self, connections: int, of: str) -> float:
        return statistics.median(getattr(run, of) for run in self.runs[connections])


@dataclass(frozen=True, slots=True)
class Run:
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Processor time of the servers for each message."""


def measure(work: Path, ris_on: dict[str, tuple[Ris, int]]) -> list[Served]:
    """`ris_on` names programs on empty databases, with how many listener processes each has."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_peer(name, work)) for name in PEERS]
        servers.append(stack.enter_context(_peers("@medplum/hl7", 2, work)))
        servers += [stack.enter_context(_listeners(name, ris, processes)) for name, (ris, processes) in ris_on.items()]
        loads = iter(range(0, 9_000, max(CONNECTIONS)))
        for _ in range(ROUNDS):
            for connections in CONNECTIONS:
                for server in servers:
                    server.runs.setdefault(connections, []).append(_run(server, connections, first=next(loads)))
        return servers


def report(servers: Sequence[Served]) -> None:
    print(f"\n{'intake: messages a second (p50 / p99 ms; processor µs)':56}" + "".join(f"{c:>27} conn" for c in CONNECTIONS))
    for server in servers:
        cells = (
            f"{server.median(c, 'rate'):6.0f} ({server.median(c, 'p50_ms'):.1f} / {server.median(c, 'p99_ms'):.1f}; "
            f"{server.median(c, 'cpu_us'):.0f})"
            for c in CONNECTIONS
        )
        print(f"{server.name:56}" + "".join(f"{cell:>32}" for cell in cells))
    for server in servers:
        if server.ris is not None:
            for peer in servers:
                if peer.ris is None and len(peer.pids) == len(server.pids):
                    print(f"{server.name + ' / ' + peer.name:56}" + "".join(f"{_ratio(server, peer, c):>32.2f}" for c in CONNECTIONS))


def _ratio(server: Served, peer: Served, connections: int) -> float:
    """The median of the rounds' own ratios: the two runs of a round were neighbours."""
    pairs = zip(server.runs[connections], peer.runs[connections], strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def _run(server: Served, connections: int, first: int) -> Run:
    rows, used = _counts(server.ris), _cpu_seconds(server.pids)
    results = asyncio.run(_load(server.ports, connections, first))
    used = _cpu_seconds(server.pids) - used
    acked = sum(len(result.acked) for result in results)
    _check_rows(rows, _counts(server.ris), acked)
    together = LoadResult(latencies_ms=[ms for result in results for ms in result.latencies_ms])
    return Run(sum(result.rate for result in results), together.p50_ms, together.p99_ms, used / acked * 1_000_000)


async def _load(ports: Sequence[int], connections: int, first: int) -> list[LoadResult]:
    """The connections dealt out to the ports, at least one to each."""
    shares = [max(1, connections // len(ports))] * len(ports)
    starts = [first + sum(shares[:n]) for n in range(len(ports))]
    loads = [
        drive(
            "127.0.0.1", port, connections=share, seconds=SECONDS,
            make_message=lambda connection, n, start=start: make_order(start + connection, n),
        )
        for port, share, start in zip(ports, shares, starts, strict=True)
    ]  # fmt: skip
    results = await asyncio.gather(*loads)
    for result in results:
        if result.errors or result.unanswered:
            raise SystemExit(f"the load was not answered: {result.errors[:3]} {len(result.unanswered)} unanswered")
    return results


def _cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that these processes have had (proc(5), utime and stime)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _counts(ris: Ris | None) -> dict[str, int]:
    if ris is None:
        return {}
    with ris.read() as session:
        return {table: session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES}


def _check_rows(before: dict[str, int], after: dict[str, int], acked: int) -> None:
    """Every acknowledged message has left all its rows."""
    short = [table for table in MUST_GROW if table in after and after[table] - before[table] < acked]
    if short:
        raise SystemExit(f"{acked} messages were acknowledged, but these tables grew by less: {short}")


@contextmanager
def _peers(name: str, count: int, work: Path) -> Iterator[Served]:
    with ExitStack() as stack:
        each = [stack.enter_context(_peer(name, work)) for _ in range(count)]
        yield Served(f"{name}, {count} processes", [one.ports[0] for one in each], [one.pids[0] for one in each])


@contextmanager
def _peer(name: str, work: Path) -> Iterator[Served]:
    """A peer server in a process of its own, on a fresh durable SQLite file; it prints its port when it is ready."""
    database = Path(tempfile.mkdtemp(dir=work)) / "peer.db"
    process = subprocess.Popen([*PEERS[name], str(database)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Served(name, [int(process.stdout.readline())], [process.pid])
    finally:
        process.kill()
        process.wait()


@contextmanager
def _listeners(name: str, ris: Ris, processes: int) -> Iterator[Served]:
    build_hospital(ris)
    environment = {"RIS_DATABASE__URL": ris.settings.database_url, "RIS_DATA__DIR": str(ris.settings.data.dir), "RIS_MLLP__PORT": "0"}
    with ExitStack() as stack:
        each = [
            stack.enter_context(Running("listener", ready=r"listener ready on 127\.0\.0\.1:(\d+)", **environment)) for _ in range(processes)
        ]
        yield Served(name, [one.port for one in each], [one.process.pid for one in each], ris)
        for one in each:
            one.stop()
    ris.close()
