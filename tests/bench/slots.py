"""How long the search for a slot takes: 30 days of 20 rooms with 5,000 bookings, beside reading the same rows as they are."""

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time

import sqlalchemy as sa

from ris.base.ids import new_id
from ris.bootstrap import Ris
from ris.catalog.model import Modality, OpeningHours, Room, RoomProcedure
from ris.scheduling import offering
from ris.scheduling import service as scheduling
from ris.scheduling.facts import Asked
from ris.scheduling.model import Occupancy
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import new_exam

ROOMS, DAYS, BOOKINGS = 20, 30, 5_000
FIRST = date(2026, 12, 1)
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
RUNS = 20


def measure(ris: Ris) -> dict[str, tuple[float, float]]:
    """Milliseconds of a search and of reading the bookings alone: the median and the best of the runs."""
    hospital = build_hospital(ris)
    exam = new_exam(ris, hospital)
    rooms = _rooms(ris, hospital)
    other = new_exam(ris, hospital, "MRBRAIN")
    with ris.uow(hospital.actor("scheduler")) as uow:
        step_id = scheduling.book(uow, procedure_id=other.id, room_id=hospital.rooms["MR1"], starts_at=NOW).id
    _fill(ris, rooms, step_id)
    asked = Asked(FIRST, FIRST + timedelta(days=DAYS - 1))

    def search() -> None:
        with ris.read() as session:
            assert offering.for_exams(session, [exam.id], asked, NOW).offers

    def read() -> None:
        with ris.read() as session:
            session.execute(sa.select(Occupancy.resource, Occupancy.starts_at, Occupancy.ends_at)).all()

    figures = {"search": _timed(search), "rows alone": _timed(read)}
    ris.close()
    return figures


def report(figures: dict[str, dict[str, tuple[float, float]]]) -> None:
    head = "".join(f"{name:>24}" for name in ("median ms", "best ms", "best / rows alone"))
    print(f"\n{f'slots: {DAYS} days x {ROOMS} rooms, {BOOKINGS} bookings':44}{head}")
    for engine, found in figures.items():
        for what, (median, best) in found.items():
            print(f"{f'{what}, {engine}':44}{median:>24.1f}{best:>24.1f}{best / found['rows alone'][1]:>24.2f}")


def _rooms(ris: Ris, hospital: Hospital) -> list[int]:
    ids = []
    with ris.uow() as uow:
        for number in range(ROOMS):
            room = uow.add(
                Room(id=new_id(), site_id=hospital.sites["MAIN"], code=f"B{number}", name=f"Bench {number}", modality=Modality.CT)
            )
            ids.append(room.id)
            for weekday in range(7):
                uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=clock_time(7), closes=clock_time(19)))
            uow.add(RoomProcedure(room_id=room.id, procedure_id=hospital.procedures["CTHEAD"], minutes=20))
    return ids


def _fill(ris: Ris, rooms: list[int], step_id: int) -> None:
    """Bookings of 20 to 60 minutes at random, half an hour's grid of each room at most once."""
    dice = random.Random(1)
    cells = [(room, day, half) for room in rooms for day in range(DAYS) for half in range(24)]
    with ris.uow() as uow:
        for room, day, half in dice.sample(cells, BOOKINGS):
            starts_at = datetime(2026, 12, 1, 12, tzinfo=UTC) + timedelta(days=day, minutes=30 * half)
            row = {"id": new_id(), "resource": f"room:{room}", "lane": 0, "starts_at": starts_at,
                   "ends_at": starts_at + timedelta(minutes=dice.choice((15, 20, 30))), "step_id": step_id}  # fmt: skip
            uow.append(Occupancy, {**row, "hold_id": None, "patient_id": None})


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(times), min(times)
