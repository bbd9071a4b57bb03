"""Everything that the page of a day shows, found once for all who look at the same day."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from ris.base.clock import local
from ris.catalog.model import Modality
from ris.patient import alerts
from ris.patient.alerts import Alert
from ris.program import Program
from ris.protocol.queries import ProtocolRow, protocols
from ris.scheduling import queries
from ris.scheduling.appointment import zone_of
from ris.scheduling.queries import DaySchedule, HeldRow, UnscheduledRow
from ris.web import live
from ris.web.polls import Shown


@dataclass(frozen=True, slots=True)
class AskedDay:
    """`on` None: today by the site's clock; `modality` None: every room; `words` and `shown` narrow the orders that wait."""

    site_id: int
    on: date | None
    modality: Modality | None
    words: str
    shown: int


@dataclass(frozen=True, slots=True)
class Day:
    today: date
    modalities: tuple[str, ...]
    """Of all rooms of the site."""
    schedule: DaySchedule
    held: tuple[HeldRow, ...]
    waiting: tuple[UnscheduledRow, ...]
    count: int
    """How many wait, also those beyond what is shown."""
    protocols: Mapping[int, ProtocolRow]
    known: Mapping[int, tuple[Alert, ...]]
    """What must be known of each patient on the page."""


def gather(program: Program, asked: AskedDay) -> Shown:
    """A `Day`; its version is another as soon as any of it changes."""
    now = program.clock()
    with program.read() as session:
        today = local(now, zone_of(session, asked.site_id)).date()
        whole = queries.day(session, asked.site_id, asked.on or today)
        schedule = _of_modality(whole, asked.modality)
        rooms = {room.id for room in schedule.rooms}
        held = queries.holds(session, asked.site_id, queries.day_span(schedule.day, schedule.zone), now)
        waiting = queries.unscheduled(session, [asked.site_id], asked.words, asked.shown)
        patient_ids = {row.patient_id for row in schedule.appointments} | {row.patient_id for row in waiting}
        day = Day(
            today,
            tuple(sorted({room.modality for room in whole.rooms})),
            schedule,
            tuple(row for row in held if row.room_id in rooms),
            tuple(waiting),
            queries.unscheduled_count(session, [asked.site_id], asked.words),
            protocols(session, [row.procedure_id for row in waiting]),
            alerts.of_patients(session, patient_ids, now),
        )
    return Shown(_version(day), day)


def _version(day: Day) -> str:
    rows = [day.schedule, day.held, day.waiting, sorted(day.protocols.items()), sorted(day.known.items())]
    return live.version(rows, {"count": str(day.count)})


def _of_modality(schedule: DaySchedule, modality: Modality | None) -> DaySchedule:
    if modality is None:
        return schedule
    rooms = tuple(room for room in schedule.rooms if room.modality == modality)
    ids = {room.id for room in rooms}
    return replace(schedule, rooms=rooms, appointments=tuple(a for a in schedule.appointments if a.room_id in ids))
