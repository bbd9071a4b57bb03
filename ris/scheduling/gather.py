"""Gathers the facts that search and booking judge by: one query a table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.catalog import model as catalog
from ris.catalog.model import ResourceKind
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority
from ris.patient import queries as patients
from ris.patient import safety
from ris.patient.model import Visit
from ris.scheduling import reserved
from ris.scheduling.facts import Asked, Closed, Elsewhere, Exam, Facts, Patient, Policy, Resource, Room, Step, Wishes
from ris.scheduling.hours import Hours
from ris.scheduling.model import BookingPolicy, Occupancy, ScheduledProcedureStep, SlotHold
from ris.scheduling.spans import Minutes, merged, minute, wall

LONGEST_SEARCH_DAYS = 92


@dataclass(frozen=True, slots=True)
class Own:
    """What does not stand in the way because it is what is being moved, or held for this very booking."""

    step_ids: tuple[int, ...] = ()
    hold_id: int | None = None


NOTHING = Own()


def for_exams(
    session: Session, procedure_ids: Sequence[int], asked: Asked, now: datetime, own: Own = NOTHING, *, site_id: int | None = None
) -> Facts:
    """About requested procedures of one patient at a site, that where they are now unless another one is named.

    Raises NotFound, Invalid, NotAllowedNow for an unmapped code.
    """
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, RequestedProcedure.site_id, RequestedProcedure.procedure_id, Order.patient_id, Order.priority,
            Visit.patient_class,
        )
        .join(Order, Order.id == RequestedProcedure.order_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .where(RequestedProcedure.id.in_(procedure_ids))
    ).all()  # fmt: skip
    by_id = {row.id: row for row in rows}
    if not by_id or set(by_id) != set(procedure_ids):
        raise NotFound("an exam to be scheduled does not exist")
    if len({(site_id or row.site_id, row.patient_id) for row in rows}) > 1:
        raise Invalid("exams of one booking are of one patient at one site")
    if any(row.procedure_id is None for row in rows):
        raise NotAllowedNow("cannot schedule the exam: the ordered code is not in our catalogue yet")
    first = rows[0]
    wanted = [(procedure_id, by_id[procedure_id].procedure_id) for procedure_id in procedure_ids]
    gathering = _Gathering(session, site_id or first.site_id, wanted, asked, now, own)
    is_stat = any(row.priority is Priority.stat for row in rows)
    classes = {row.patient_class for row in rows if row.patient_class}
    return gathering.facts(gathering.patient(first.patient_id, next(iter(sorted(classes)), ""), is_stat))


def for_procedure(session: Session, site_id: int, procedure_id: int, asked: Asked, now: datetime) -> Facts:
    """About a procedure of the catalogue, for somebody who only asks."""
    return _Gathering(session, site_id, [(None, procedure_id)], asked, now, NOTHING).facts(Patient())


def policy(session: Session, site_id: int) -> Policy:
    row = session.get(BookingPolicy, site_id)
    return Policy(**{f.name: getattr(row, f.name) for f in fields(Policy)}) if row else Policy()


def zone_of(session: Session, site_id: int) -> str:
    return session.scalars(sa.select(catalog.Site.zone).where(catalog.Site.id == site_id)).one()


def helper_keys(session: Session, site_id: int, procedures: Iterable[RequestedProcedure], wishes: Wishes) -> list[str]:
    """Keys of everything and everybody at the site that could be chosen for exams; none for exams that need no help."""
    codes = [procedure.procedure_id for procedure in procedures]
    needs_any = bool(wishes.staff_sex) or wishes.with_anaesthesia
    needed = catalog.ProcedureNeed
    if not needs_any and not session.scalar(sa.select(sa.exists().where(needed.procedure_id.in_(codes), needed.active))):
        return []
    of = catalog.Resource
    rows = session.execute(sa.select(of.kind, of.id).where(of.site_id == site_id, of.active))
    return [f"{kind}:{key}" for kind, key in rows]


class _Gathering:
    def __init__(
        self, session: Session, site_id: int, wanted: Sequence[tuple[int | None, int]], asked: Asked, now: datetime, own: Own
    ) -> None:
        self.session, self.wanted, self.asked, self.own = session, wanted, asked, own
        self.site = session.get_one(catalog.Site, site_id)
        self.now = now
        self.codes = {code for _, code in wanted}
        last = min(asked.last, asked.first + timedelta(days=LONGEST_SEARCH_DAYS))
        self.dates = [asked.first + timedelta(days=number) for number in range((last - asked.first).days + 1)]
        self.days = tuple(
            (wall(on, time(), self.site.zone), wall(on + timedelta(days=1), time(), self.site.zone)) for on in self.dates
        )  # fmt: skip
        if not self.days:
            raise Invalid("the last day of the search is before its first")
        self.window = (self.days[0][0], self.days[-1][1])
        self.span = tuple(datetime.fromtimestamp(at * 60, UTC) for at in self.window)
        self.hours = Hours(session, self.site, self.dates)

    def facts(self, patient: Patient) -> Facts:
        minutes = self._minutes()
        exams = self._exams(minutes)
        rooms = self._rows(sa.select(catalog.Room).where(catalog.Room.site_id == self.site.id, catalog.Room.active,
                                                         catalog.Room.id.in_({room_id for room_id, _, _ in minutes})))  # fmt: skip
        helpers = self._helpers(exams)
        taken = self._taken([f"room:{room.id}" for room in rooms] + [f"{helper.kind}:{helper.id}" for helper in helpers])
        closures = self._closures()
        return Facts(
            minute(self.now), self.site.zone, self.site.id, self.window, exams, self._rooms(rooms, taken, closures),
            self._resources(helpers, taken, closures), patient, policy(self.session, self.site.id), self.days, self._starts(),
        )  # fmt: skip

    def _helpers(self, exams: Sequence[Exam]) -> list[catalog.Resource]:
        """Nobody and nothing for exams that need no help: most do not."""
        wishes = self.asked.wishes
        if not (wishes.staff_sex or wishes.with_anaesthesia or any(step.needs for exam in exams for step in exam.steps)):
            return []
        return self._rows(sa.select(catalog.Resource).where(catalog.Resource.site_id == self.site.id, catalog.Resource.active))

    def patient(self, patient_id: int, patient_class: str, is_stat: bool) -> Patient:
        weight = safety.weight_kg(patients.observations(self.session, patient_id))
        return Patient(weight, patient_class, is_stat, self._elsewhere(patient_id))

    def _rows(self, statement: sa.Select[Any]) -> list[Any]:
        return list(self.session.scalars(statement))

    # ── what is looked for ───────────────────────────────────────────────────────────────────────────────────────────

    def _minutes(self) -> dict[tuple[int, int, int], int]:
        """Room, procedure and step to what it takes."""
        of = catalog.RoomProcedure
        rows = self._rows(sa.select(of).where(of.procedure_id.in_(self.codes), of.active))
        return {(row.room_id, row.procedure_id, row.step): row.taken for row in rows}

    def _exams(self, minutes: Mapping[tuple[int, int, int], int]) -> tuple[Exam, ...]:
        procedures = {p.id: p for p in self._rows(sa.select(catalog.Procedure).where(catalog.Procedure.id.in_(self.codes)))}
        plans: dict[int, list[catalog.StepPlan]] = defaultdict(list)
        planned, needed = catalog.StepPlan, catalog.ProcedureNeed
        for plan in self._rows(sa.select(planned).where(planned.procedure_id.in_(self.codes), planned.active).order_by(planned.step)):
            plans[plan.procedure_id].append(plan)
        needs: dict[tuple[int, int], list[str]] = defaultdict(list)
        for need in self._rows(sa.select(needed).where(needed.procedure_id.in_(self.codes), needed.active)):
            needs[need.procedure_id, need.step].append(need.capability)

        def steps(position: int, code: int) -> tuple[Step, ...]:
            numbered = [(p.step, p.name, (p.gap_min_minutes, p.gap_max_minutes)) for p in plans[code]] or [(1, "", (0, 0))]
            return tuple(
                Step(position, number, name, gap if number > 1 else None, tuple(sorted(needs[code, number])),
                     {room: taken for (room, of, step), taken in minutes.items() if (of, step) == (code, number)})
                for number, name, gap in numbered
            )  # fmt: skip

        return tuple(
            Exam(requested, procedures[code].name, procedures[code].modality, procedures[code].contrast, steps(position, code))
            for position, (requested, code) in enumerate(self.wanted)
        )

    def _starts(self) -> tuple[Minutes, ...]:
        first, last = self.asked.not_before or time(), self.asked.not_after
        starts = [
            (self.hours.at(on, first), self.hours.at(on, last) + 1 if last else end)
            for on, (_, end) in zip(self.dates, self.days, strict=True)
        ]
        return tuple(span for span in starts if span[0] < span[1])

    # ── rooms and who helps in them ──────────────────────────────────────────────────────────────────────────────────

    def _rooms(
        self, rooms: Sequence[catalog.Room], taken: Mapping[str, tuple[Minutes, ...]], closures: Sequence[catalog.Closure]
    ) -> dict[int, Room]:
        ids = [room.id for room in rooms]
        of, of_block = catalog.RoomProcedure, catalog.ReservedBlock
        hours = self.hours.of_rooms(rooms)
        kept = reserved.of_rooms(self._rows(sa.select(of_block).where(of_block.room_id.in_(ids))), self.hours)
        shortest = dict(
            self.session.execute(
                sa.select(of.room_id, sa.func.min(of.set_up_minutes + of.minutes + of.clean_up_minutes))
                .where(of.room_id.in_(ids), of.active)
                .group_by(of.room_id)
            ).all()
        )  # fmt: skip
        return {
            room.id: Room(
                room.id, room.site_id, room.name, room.modality, room.weight_limit_kg, room.gives_contrast, room.has_anaesthesia,
                tuple(merged(hours[room.id])),
                tuple(_closed(c) for c in closures if c.resource_id is None and c.room_id in (None, room.id)),
                kept.get(room.id, ()), taken.get(f"room:{room.id}", ()), shortest[room.id],
            )
            for room in sorted(rooms, key=lambda room: room.code)
        }  # fmt: skip

    def _resources(
        self, rows: Sequence[catalog.Resource], taken: Mapping[str, tuple[Minutes, ...]], closures: Sequence[catalog.Closure]
    ) -> tuple[Resource, ...]:
        hours = self.hours.of_resources(rows)
        return tuple(
            Resource(
                row.id, row.kind, row.name, row.sex, frozenset(row.capabilities), tuple(merged(hours[row.id])),
                tuple(sorted([*taken.get(f"{row.kind}:{row.id}", ()), *_absences(row.id, closures)])),
            )
            for row in sorted(rows, key=lambda row: (row.kind is ResourceKind.person, row.code))
        )  # fmt: skip

    def _closures(self) -> list[catalog.Closure]:
        closure = catalog.Closure
        return self._rows(
            sa.select(closure)
            .where(closure.site_id == self.site.id, closure.starts_at < self.span[1], closure.ends_at > self.span[0])
            .order_by(closure.starts_at, closure.id)
        )

    # ── what is taken ────────────────────────────────────────────────────────────────────────────────────────────────

    def _counts(self) -> sa.ColumnElement[bool]:
        """Appointments and running holds within the window, less what is our own."""
        running = sa.select(SlotHold.id).where(SlotHold.held_until > self.now, SlotHold.id != (self.own.hold_id or 0))
        booked = Occupancy.step_id.is_not(None) & Occupancy.step_id.not_in(self.own.step_ids)
        within = sa.and_(Occupancy.starts_at < self.span[1], Occupancy.ends_at > self.span[0])
        return sa.and_(within, sa.or_(booked, Occupancy.hold_id.in_(running)))

    def _taken(self, resources: Sequence[str]) -> dict[str, tuple[Minutes, ...]]:
        taken: dict[str, list[Minutes]] = defaultdict(list)
        rows = self.session.execute(
            sa.select(Occupancy.resource, Occupancy.starts_at, Occupancy.ends_at).where(Occupancy.resource.in_(resources), self._counts())
        )
        for resource, starts_at, ends_at in rows:
            taken[resource].append((minute(starts_at), minute(ends_at)))
        return {resource: tuple(sorted(spans)) for resource, spans in taken.items()}

    def _elsewhere(self, patient_id: int) -> tuple[Elsewhere, ...]:
        step = ScheduledProcedureStep
        rows = self.session.execute(
            sa.select(Occupancy.starts_at, Occupancy.ends_at, step.room_id, sa.func.coalesce(step.site_id, SlotHold.site_id))
            .outerjoin(step, step.id == Occupancy.step_id)
            .outerjoin(SlotHold, SlotHold.id == Occupancy.hold_id)
            .where(Occupancy.resource == f"patient:{patient_id}", self._counts())
            .order_by(Occupancy.starts_at)
        )
        return tuple(Elsewhere((minute(starts), minute(ends)), room_id, site_id) for starts, ends, room_id, site_id in rows)


def _closed(closure: catalog.Closure) -> Closed:
    return Closed((minute(closure.starts_at), minute(closure.ends_at)), closure.reason)


def _absences(resource_id: int, closures: Iterable[catalog.Closure]) -> list[Minutes]:
    whole_site = [c for c in closures if c.resource_id is None and c.room_id is None]
    return [_closed(c).span for c in (*whole_site, *(c for c in closures if c.resource_id == resource_id))]
