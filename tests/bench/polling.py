"""What a hundred people cost who keep lists open: processor time of pages and database, in a silence and while others work."""

import http.client
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic, sleep

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.patient.model import Patient
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from ris.staff import service as staff
from tests.bench.serving import Web, web_process
from tests.factories.full_day import build_rooms, fill_day
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import booked

USERS, EACH_S = 100, 2.0
SILENCE_S, WORK_S = 60, 30
WANTED = 10
"""Percent of a core."""
LATE = timedelta(hours=9)
"""After the rooms are opened: nothing else is booked there."""
LOOKED_AT = (
    ("scheduler", "/schedule/events?date={day}", 30),
    ("front_desk", "/worklists/arrivals?date={day}", 25),
    ("front_desk", "/worklists/queue?", 15),
    ("technologist", "/worklists/technologist?date={day}", 15),
    ("radiologist", "/worklists/reading?", 15),
)
"""Role, list, and how many of a hundred have it open."""
VERSION = re.compile(rb'"version":"([0-9a-f]+)"|data-version="([0-9a-f]+)" data-count')


@dataclass(frozen=True, slots=True)
class Cost:
    percent: float
    """Of one core."""
    polls: int
    news: int
    late_ms: float
    """The slowest answer but for one in twenty."""


def measure(ris: Ris) -> dict[str, Cost]:
    hospital = build_hospital(ris)
    day = ris.clock().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    rooms = [*(hospital.rooms[code] for code in ("CT1", "MR1", "XR1")), *build_rooms(ris, hospital, 17)]
    fill_day(ris, hospital, rooms, day, bookings=300, waiting=60)
    with web_process(ris) as web:
        open_lists = [(role, path.format(day=f"{day:%Y-%m-%d}")) for role, path, many in LOOKED_AT for _ in range(many)]
        pages = [_Page(web, _session(ris, hospital, role), path) for role, path in open_lists]
        for page in pages:
            page.poll()
        silence = _measured(web, pages, SILENCE_S)
        with _others_at_work(ris, hospital, day):
            alone = _measured(web, [], WORK_S)
            at_work = _measured(web, pages, WORK_S)
    ris.close()
    at_work = replace(at_work, percent=at_work.percent - alone.percent)
    return {"nobody else does anything": silence, "others book and register": at_work}


def report(figures: dict[str, dict[str, Cost]]) -> None:
    head = f"polling: {USERS} people, each {EACH_S:.0f} s; wanted: below {WANTED} % of a core"
    print(f"\n{head:60}{'% of a core':>14}{'polls':>8}{'with news':>12}{'95 % within ms':>16}")
    for engine, found in figures.items():
        for name, cost in found.items():
            print(f"{f'{name}, {engine}':60}{cost.percent:>14.1f}{cost.polls:>8}{cost.news:>12}{cost.late_ms:>16.1f}")


class _Page:
    """An open page, as far as its polls go."""

    def __init__(self, web: Web, token: str, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
        self._headers = {"Cookie": f"ris={token}", "X-Poll": "1", "Accept": "application/json"}
        self._path, self._version = path, "none"

    def poll(self) -> bool:
        """Whether there was news."""
        self._connection.request("GET", f"{self._path}&v={self._version}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status == 204:
            return False
        found = VERSION.search(body)
        if answer.status != 200 or found is None:
            raise SystemExit(f"{self._path}: {answer.status}")
        self._version = (found[1] or found[2]).decode()
        return True


def _session(ris: Ris, hospital: Hospital, role: str) -> str:
    with ris.uow() as uow:
        return staff.open_session(uow, user_id=hospital.users[role], place="127.0.0.1")


def _measured(web: Web, pages: list[_Page], seconds: float) -> Cost:
    """Everybody polls in turn, spread evenly."""
    news: Counter[bool] = Counter()
    taken = []
    begun, worked = monotonic(), web.seconds()
    turn = 0
    while (now := monotonic()) < begun + seconds:
        due = begun + turn * EACH_S / USERS
        sleep(max(min(due, begun + seconds) - now, 0))
        if pages:
            asked = monotonic()
            news[pages[turn % len(pages)].poll()] += 1
            taken.append((monotonic() - asked) * 1000)
        turn += 1
    late = sorted(taken)[len(taken) * 95 // 100] if taken else 0.0
    return Cost((web.seconds() - worked) / (monotonic() - begun) * 100, sum(news.values()), news[True], late)


@contextmanager
def _others_at_work(ris: Ris, hospital: Hospital, day: datetime) -> Iterator[None]:
    """Each quarter of a second a change of somebody's; each eight seconds one that is seen on the day that is looked at."""
    over = threading.Event()
    with ris.read() as session:
        moved = sa.select(ScheduledProcedureStep.id).filter_by(procedure_id=booked(ris, hospital, "XRHAND", "XR1", day + LATE).id)
        step_id = session.scalars(moved).one()

    def change(turn: int) -> None:
        if turn % 32 == 0:
            with ris.uow(hospital.actor("scheduler")) as uow:
                scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["XR1"], starts_at=day + LATE + timedelta(minutes=turn % 64))
        elif turn % 4 == 0:
            booked(ris, hospital, "XRHAND", "XR1")
        else:
            with ris.uow() as uow:
                uow.session.execute(sa.update(Patient).where(Patient.id == 301 + turn % 60).values(phone=str(turn)))

    def work() -> None:
        turn = 0
        while not over.wait(0.25):
            turn += 1
            change(turn)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()
