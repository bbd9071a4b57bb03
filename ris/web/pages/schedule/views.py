"""The schedule: a day of rooms, what waits for an appointment, booking, moving and cancelling, by mouse, by keys, or by plain forms."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from flask import Response, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import Occupied, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import Modality
from ris.order.queries import ExamRow
from ris.patient import alerts
from ris.patient.alerts import Alert
from ris.protocol.queries import protocol, protocols
from ris.scheduling import offering, queries, service
from ris.scheduling import waiting as waitlisted
from ris.scheduling.appointment import AppointmentDetail, helpers_of, rooms_for, site_names, step_ids, zone_of
from ris.scheduling.facts import Asked
from ris.scheduling.gather import NOTHING, Own
from ris.scheduling.offering import OfferRow, Slot
from ris.scheduling.queries import DaySchedule, HeldRow, UnscheduledRow
from ris.scheduling.rules import check
from ris.scheduling.rules.finding import Finding
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, not_here, requires, sites_for
from ris.web.asked import LONGEST, choice
from ris.web.page import look, look_query, program, reading, working_site
from ris.web.pages.schedule import drawn, find, waitlist
from ris.web.pages.schedule.parts import (
    against,
    answers,
    appointment_at,
    bp,
    do,
    exam_at,
    minutes,
    moment,
    overbook_reason,
    panel,
    room_id,
)

__all__ = ["bp", "find", "waitlist"]

MOST_SHOWN = 2_000
"""Waiting orders on one page."""
SEARCH_DAYS = 28
"""So far ahead the next free slots are looked for."""


@bp.get("")
@requires(Permission.SCHEDULE_READ)
def day() -> ResponseReturnValue:
    return _day(_site(), _date_asked())


@bp.get("/events")
@requires(Permission.SCHEDULE_READ)
def events() -> ResponseReturnValue:
    """What the calendar and the list beside it show; 204 when it is what the page has already."""
    site_id, on = _site(), _date_asked()
    words, shown = _narrowed()
    with reading() as session:
        schedule = _of_modality(queries.day(session, site_id, on or _today(session, site_id)))
        waiting = queries.unscheduled(session, [site_id], words, shown)
        count = queries.unscheduled_count(session, [site_id], words)
        held = _held(session, schedule)
        planned = protocols(session, [row.procedure_id for row in waiting])
        known = _known(session, schedule, waiting)
    version = live.version([schedule, *held, *waiting, *planned.values(), *sorted(known.items())], {"q": words, "count": str(count)})
    if request.args.get("v") == version:
        return Response(status=204)
    may_book = may(Permission.SCHEDULE_BOOK, site_id)
    listed = render_block(
        "schedule/day.html", "waiting", waiting=waiting, count=count, words=words, protocols=planned, alerts=known, zone=schedule.zone,
        may_book=may_book, schedule=schedule,
    )  # fmt: skip
    return jsonify(version=version, events=_events(schedule, held, known), waiting=listed, waiting_count=count)


@bp.get("/exams/<int:procedure_id>")
@requires(Permission.SCHEDULE_BOOK)
def plan(procedure_id: int) -> ResponseReturnValue:
    """Where and when an exam could be: the next free slots, and a form for any other time."""
    exam = exam_at(procedure_id)
    look("schedule of exam", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _plan(exam)


@bp.post("/exams/<int:procedure_id>/book")
@requires(Permission.SCHEDULE_BOOK)
def book(procedure_id: int) -> ResponseReturnValue:
    exam = exam_at(procedure_id)

    def work(uow: UnitOfWork) -> None:
        service.book(
            uow, procedure_id=procedure_id, room_id=room_id(), starts_at=moment(exam.zone), minutes=minutes(), answers=answers(),
            overbook_reason=overbook_reason(),
        )  # fmt: skip

    return do(work, f"Exam {exam.accession_number} is booked.", exam.site_id, lambda error: _plan(exam, error))


@bp.get("/appointments/<int:step_id>")
@requires(Permission.SCHEDULE_READ)
def show(step_id: int) -> ResponseReturnValue:
    found = appointment_at(step_id, Permission.SCHEDULE_READ)
    look("appointment", Ref("step", step_id), patient_id=found.patient_id, procedure_id=found.procedure_id, site_id=found.site_id)
    return _show(found)


@bp.post("/appointments/<int:step_id>/move")
@requires(Permission.SCHEDULE_BOOK)
def move(step_id: int) -> ResponseReturnValue:
    found = appointment_at(step_id, Permission.SCHEDULE_BOOK)

    def work(uow: UnitOfWork) -> None:
        service.move(
            uow, step_id=step_id, room_id=room_id(), starts_at=moment(found.zone), minutes=minutes(),
            row_version=request.form.get("row_version", type=int), answers=answers(), overbook_reason=overbook_reason(),
        )  # fmt: skip

    return do(work, f"Exam {found.accession_number} is moved.", found.site_id, lambda error: _show(found, error))


@bp.post("/exams/<int:procedure_id>/move")
@requires(Permission.SCHEDULE_BOOK)
def move_all(procedure_id: int) -> ResponseReturnValue:
    """All steps of an exam to the places of an offer."""
    exam = exam_at(procedure_id)
    places = [find.place_of(text) for text in request.form.getlist("place")]

    def work(uow: UnitOfWork) -> None:
        service.move_all(uow, procedure_id=procedure_id, places=places, answers=answers())

    def again(error: RisError) -> str:
        with reading() as session:
            steps = step_ids(session, procedure_id)
        return _show(appointment_at(steps[0], Permission.SCHEDULE_BOOK), error) if steps else find.full([exam], places, error)

    return do(work, f"Exam {exam.accession_number} is moved.", exam.site_id, again)


@bp.post("/appointments/<int:step_id>/cancel")
@requires(Permission.SCHEDULE_BOOK)
def cancel(step_id: int) -> ResponseReturnValue:
    found = appointment_at(step_id, Permission.SCHEDULE_BOOK)

    def work(uow: UnitOfWork) -> None:
        service.cancel(uow, step_id=step_id, reason=request.form.get("reason", ""))

    done = f"The appointment of exam {found.accession_number} is cancelled; it waits for another one."
    return do(work, done, found.site_id, lambda error: _show(found, error))


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _day(site_id: int, on: date | None) -> str:
    words, shown = _narrowed()
    with reading() as session:
        today = _today(session, site_id)
        whole = queries.day(session, site_id, on or today)
        schedule = _of_modality(whole)
        waiting = queries.unscheduled(session, [site_id], words, shown)
        count = queries.unscheduled_count(session, [site_id], words)
        held = _held(session, schedule)
        planned = protocols(session, [row.procedure_id for row in waiting])
        known = _known(session, schedule, waiting)
        proposals = waitlisted.open_proposals(session, site_id, program().clock())
        sites = _sites(session)
    look_query("schedule", {"site_id": site_id, "date": schedule.day.isoformat()})
    first, last = drawn.hours(schedule)
    before, after = drawn.days_around(schedule.day)
    return render_template(
        "schedule/day.html",
        schedule=schedule, waiting=waiting, count=count, words=words, shown=shown, proposals=proposals, protocols=planned, alerts=known,
        own_sites=sites, modalities=sorted({room.modality for room in whole.rooms}),
        modality=request.args.get("modality") or None, today=today, before=before, after=after, zone=schedule.zone,
        version=live.version([schedule, *held, *waiting, *planned.values(), *sorted(known.items())], {"q": words, "count": str(count)}),
        now=drawn.floating(program().clock(), schedule.zone),
        may_book=may(Permission.SCHEDULE_BOOK, site_id),
        room_names={room.id: room.name for room in schedule.rooms},
        calendar={"rooms": drawn.rooms(schedule), "events": _events(schedule, held, known), "first": first, "last": last,
                  "scroll_to": drawn.scroll_to(schedule, program().clock()), "site": str(site_id), "date": schedule.day.isoformat()},
    )  # fmt: skip


def _narrowed() -> tuple[str, int]:
    """The words that the list of waiting orders is narrowed by, and how many of it are shown at most."""
    shown = request.args.get("shown", queries.WAITING_SHOWN, type=int)
    return request.args.get("q", "").strip()[:LONGEST], min(max(shown, queries.WAITING_SHOWN), MOST_SHOWN)


def _of_modality(schedule: DaySchedule) -> DaySchedule:
    """Only the rooms of the modality asked for, if there is one."""
    modality = choice(Modality, request.args.get("modality", ""))
    if modality is None:
        return schedule
    rooms = tuple(room for room in schedule.rooms if room.modality == modality)
    ids = {room.id for room in rooms}
    return replace(schedule, rooms=rooms, appointments=tuple(a for a in schedule.appointments if a.room_id in ids))


def _held(session: Session, schedule: DaySchedule) -> list[HeldRow]:
    held = queries.holds(session, schedule.site_id, queries.day_span(schedule.day, schedule.zone), program().clock())
    ids = {room.id for room in schedule.rooms}
    return [row for row in held if row.room_id in ids]


def _known(session: Session, schedule: DaySchedule, waiting: list[UnscheduledRow]) -> Mapping[int, tuple[Alert, ...]]:
    """What must be known of each patient on the page."""
    patient_ids = {row.patient_id for row in schedule.appointments} | {row.patient_id for row in waiting}
    return alerts.of_patients(session, patient_ids)


def _events(schedule: DaySchedule, held: list[HeldRow], known: Mapping[int, tuple[Alert, ...]]) -> list[dict[str, Any]]:
    return drawn.events(schedule, known) + drawn.holds(held, schedule.zone)


def _plan(exam: ExamRow, error: RisError | None = None) -> str:
    with reading() as session:
        slots = _slots(session, exam.procedure_id, exam.zone, error, 9) if exam.known else []
        entry = waitlisted.entry_of(session, exam.procedure_id)
        rooms = rooms_for(session, exam.procedure_id)
        planned = protocol(session, exam.procedure_id)
        foreseen = _foreseen(session, exam, slots[0]) if slots and error is None else ()
    return panel(
        "schedule/plan.html", exam=exam, entry=entry, slots=slots, rooms=rooms, foreseen=foreseen, protocol=planned,
        **against(error, exam.site_id),
    )  # fmt: skip


def _show(found: AppointmentDetail, error: RisError | None = None) -> str:
    with reading() as session:
        rooms = rooms_for(session, found.procedure_id, found.number)
        own = Own(tuple(step_ids(session, found.procedure_id)))
        has_steps = bool(found.step_name)
        slots = _slots(session, found.procedure_id, found.zone, error, 6, own) if found.is_movable and not has_steps else []
        offers = _whole_moves(session, found, own) if found.is_movable and has_steps else ()
        entry = waitlisted.entry_of(session, found.procedure_id)
        helpers = helpers_of(session, found.step_id)
    return panel("schedule/appointment.html", found=found, entry=entry, helpers=helpers, rooms=rooms, slots=slots, offers=offers,
                 written=find.written,
                 clock=find.clock(found.zone), may_book=may(Permission.SCHEDULE_BOOK, found.site_id),
                 **against(error, found.site_id))  # fmt: skip


def _slots(session: Session, procedure_id: int, zone: str, error: RisError | None, limit: int, own: Own = NOTHING) -> list[Slot]:
    """The next free slots of an exam; where one was asked for that cannot be had, those nearest to it."""
    now = program().clock()
    if isinstance(error, Occupied):
        parts = [offer.parts[0] for offer in offering.near(session, [procedure_id], moment(zone), zone, now, own)[:limit]]
        return [Slot(part.room_id, part.room_name, part.starts_at, part.ends_at) for part in parts]
    return offering.free_slots(session, procedure_id=procedure_id, after=now, days=SEARCH_DAYS, limit=limit, own=own)


def _whole_moves(session: Session, found: AppointmentDetail, own: Own) -> tuple[OfferRow, ...]:
    now = program().clock()
    today = local(now, found.zone).date()
    asked = Asked(today, today + timedelta(days=SEARCH_DAYS))
    return offering.for_exams(session, [found.procedure_id], asked, now, own=own, limit=6, a_day=2).offers


def _foreseen(session: Session, exam: ExamRow, slot: Slot) -> tuple[Finding, ...]:
    """What the rules will say to the next free slot."""
    return check.findings(
        session, program().clock(), procedure_id=exam.procedure_id, site_id=exam.site_id, room_id=slot.room_id, starts_at=slot.starts_at,
        ends_at=slot.ends_at,
    )  # fmt: skip


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _site() -> int:
    """The one asked for, else the one where the person works."""
    own = sites_for(Permission.SCHEDULE_READ)
    asked = request.args.get("site", type=int)
    if asked is not None and asked not in own:
        raise not_here(Permission.SCHEDULE_READ, Ref("site", asked))
    site_id = asked if asked is not None else working_site(own)
    if site_id is None:
        abort(404)
    return site_id


def _sites(session: Session) -> list[tuple[int, str]]:
    return site_names(session, sites_for(Permission.SCHEDULE_READ))


def _today(session: Session, site_id: int) -> date:
    return local(program().clock(), zone_of(session, site_id)).date()


def _date_asked() -> date | None:
    text = request.args.get("date", "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        abort(404)
