"""Which exams the demo hospital has had, has today and tomorrow: room, procedure, patient, time, and how each ended."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from ris.catalog.model import Procedure, Room, Site
from ris.order.status import Priority
from ris.processes.demo.catalog import Hospital
from ris.scheduling import queries

DAYS_BACK, DAYS_AHEAD = 14, 3
FULLEST = 5
"""At most so many exams in a room on a day."""
PRIORITIES = (Priority.routine,) * 8 + (Priority.asap, Priority.stat)
ENDINGS = ("done",) * 43 + ("preliminary",) * 3 + ("cancelled",) * 2 + ("discontinued",) + ("addended",)


@dataclass(frozen=True, slots=True)
class Planned:
    """One exam: everything about it that chance decides."""

    room: Room
    site: Site
    procedure: Procedure
    patient: int
    """Position in the list of patients; nobody has two exams on a day."""
    starts_at: datetime
    minutes: int
    priority: Priority
    ending: str
    """One of ENDINGS."""
    reading_hours: float
    """From the end of the exam to the signature."""


def days(hospital: Hospital, session: Session, chance: random.Random, now: datetime, patients: int) -> Iterator[tuple[date, list[Planned]]]:
    """Each day with its exams in the order of their times."""
    for offset in range(-DAYS_BACK, DAYS_AHEAD + 1):
        day = now.date() + timedelta(days=offset)
        free = iter(chance.sample(range(patients), patients))
        exams = [exam for room in hospital.rooms for exam in _room(hospital, session, chance, room, day, free)]
        yield day, sorted(exams, key=lambda exam: (exam.starts_at, exam.room.code))


def _room(hospital: Hospital, session: Session, chance: random.Random, room: Room, day: date, free: Iterator[int]) -> Iterator[Planned]:
    site = next(site for site in hospital.sites.values() if site.id == room.site_id)
    offered = [procedure for procedure in hospital.procedures.values() if (room.id, procedure.id) in hospital.minutes]
    spans = queries.opening(session, site, [room], day)[room.id]
    if not spans or not offered:
        return
    start = spans[0].starts_at + timedelta(minutes=5 * chance.randrange(12))
    for _ in range(chance.randint(2, FULLEST)):
        procedure = chance.choice(offered)
        minutes = hospital.minutes[room.id, procedure.id]
        if start + timedelta(minutes=minutes) > spans[0].ends_at:
            return
        yield Planned(
            room, site, procedure, next(free), start, minutes, chance.choice(PRIORITIES), chance.choice(ENDINGS), _reading_hours(chance)
        )
        start += timedelta(minutes=minutes + 5 * chance.randrange(2, 24))


def _reading_hours(chance: random.Random) -> float:
    """Most are read the same day, some only the next: there is always something to be read."""
    return chance.uniform(14, 40) if chance.random() < 0.4 else chance.uniform(0.5, 9)
