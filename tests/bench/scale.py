"""What a message costs above five million stored orders, beside one above ten thousand: orders for patients picked at random."""

import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter, process_time

import sqlalchemy as sa

from ris.base.orm import Base
from ris.bootstrap import METADATA, Ris
from ris.hl7.intake import Intake
from tests.bench.load import make_order
from tests.factories.hospital import build_hospital

FEW, MANY = 10_000, 5_000_000
CHUNK = 50_000
"""Messages whose rows are made by one transaction."""
ROUNDS, GROUPS, GROUP = 8, 10, 32
ARCHIVE, NEW = 900, 901
"""The connections of `make_order` whose numbers the stored orders and the measured ones have."""

_TEXT = f"CAST({ARCHIVE * 10_000_000} + n AS TEXT)"
"""As `make_order` writes the number of message n, but for the zero that it begins with."""
_OWN = {"id": "n", "patient_id": "n", "order_id": "n", "procedure_id": "n", "visit_id": "n", "object_id": "n"}
_COLUMNS: dict[str, dict[str, str]] = {
    "patient": {"id": "n"},
    "patient_identifier": {"key": f"'HOSP|MR|0' || {_TEXT}", "value": f"'0' || {_TEXT}"},
    "visit": {"key": f"'HOSP|V0' || {_TEXT}", "visit_number": f"'V0' || {_TEXT}"},
    "imaging_order": {"placer_key": f"'x|EHR|P0' || {_TEXT}", "placer_number": f"'P0' || {_TEXT}", "filler_number": "'F' || n"},
    "requested_procedure": {"procedure_id": "procedure_id", "accession_number": "'A' || n", "study_instance_uid": "'2.25.' || n"},
    "message": {"control_id": f"'L0' || {_TEXT}", "digest": _TEXT},
    "message_link": {"message_id": "n"},
    "event": {"id": "2 * n + CASE object_kind WHEN 'order' THEN 1 ELSE 0 END", "message_id": "n"},
    "audit_entry": {"id": "2 * n + CASE object_kind WHEN 'order' THEN 1 ELSE 0 END", "message_id": "n"},
    "delivery": {"event_id": "2 * n + 1", "order_key": "n", "control_id": "'R' || n", "message_id": "message_id"},
}
"""What tells the rows of one message from those of another, by table; n is the number of the message."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one message, in microseconds; the medians over the rounds."""

    wall_us: float
    cpu_us: float


def measure(make_ris: Callable[[], Ris], many: int = MANY) -> dict[int, Cost]:
    """Number of stored orders to the cost above them; both databases are asked in turn."""
    intakes = {stored: _filled(make_ris(), stored) for stored in (FEW, many)}
    messages = {stored: _messages(stored) for stored in intakes}
    rounds: dict[int, list[Cost]] = {stored: [] for stored in intakes}
    for _ in range(ROUNDS):
        for stored, intake in intakes.items():
            rounds[stored].append(_round(intake, messages[stored]))
    # The first round of each fills the caches.
    return {
        stored: Cost(statistics.median(c.wall_us for c in costs[1:]), statistics.median(c.cpu_us for c in costs[1:]))
        for stored, costs in rounds.items()
    }


def report(name: str, costs: dict[int, Cost]) -> None:
    few, many = costs.values()
    for stored, cost in costs.items():
        what = f"{name}, {stored:,} orders stored"
        print(f"{what:44}{cost.wall_us:8.0f} µs a message{cost.cpu_us:8.0f} µs of processor time")
    print(f"{name + ', ratio':44}{many.wall_us / few.wall_us:8.2f}{many.cpu_us / few.cpu_us:18.2f}", flush=True)


def _filled(ris: Ris, stored: int) -> Intake:
    """The rows of one message that was taken, so many times over with numbers of their own."""
    build_hospital(ris)
    intake = Intake(ris)
    _take(intake, [make_order(ARCHIVE, 0)])
    for first in range(1, stored + 1, CHUNK):
        with ris.engine.begin() as connection:
            for table, columns in _COLUMNS.items():
                connection.execute(_multiply(METADATA.tables[table], columns), {"first": first, "last": min(first + CHUNK - 1, stored)})
    with ris.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    return intake


def _multiply(table: sa.Table, columns: dict[str, str]) -> sa.TextClause:
    """Rows for the numbers from :first to :last, each like one of those with a real key, which are greater than any number."""
    key = "message_id" if "message_id" in table.primary_key.columns else "id"
    names, values = zip(*((column.name, _value(column, columns)) for column in table.columns), strict=True)
    return sa.text(
        "WITH RECURSIVE numbers(n) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last) "
        f"INSERT INTO {table.name} ({', '.join(names)}) "
        f"SELECT {', '.join(values)} FROM {table.name}, numbers WHERE {table.name}.{key} > {1 << 40}"
    )


def _value(column: sa.Column[Base], columns: dict[str, str]) -> str:
    if column.name in columns:
        return columns[column.name]
    if column.name in _OWN:
        return f"CASE WHEN {column.name} IS NULL THEN NULL ELSE n END"
    return column.name


def _messages(stored: int) -> Iterator[bytes]:
    """New orders for known patients; the same ones each time."""
    chance = random.Random(stored)
    number = 0
    while True:
        number += 1
        patient = make_order(ARCHIVE, chance.randrange(1, stored)).split(b"\r")[1]
        first, _, visit, *rest = make_order(NEW, number).split(b"\r")
        yield b"\r".join([first, patient, visit, *rest])


def _round(intake: Intake, messages: Iterator[bytes]) -> Cost:
    groups = [[next(messages) for _ in range(GROUP)] for _ in range(GROUPS)]
    begun, used = perf_counter(), process_time()
    for group in groups:
        _take(intake, group)
    count = GROUP * GROUPS
    return Cost((perf_counter() - begun) / count * 1e6, (process_time() - used) / count * 1e6)


def _take(intake: Intake, group: list[bytes]) -> None:
    refused = [answer for answer in intake.take([(raw, "bench") for raw in group]) if b"|AA|" not in (answer or b"")]
    if refused:
        raise SystemExit(f"refused: {refused[0]!r}")
