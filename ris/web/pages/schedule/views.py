"""The schedule: a day of rooms, what waits for an appointment, booking, moving and cancelling, by mouse, by keys, or by plain forms."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Response, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order.queries import ExamRow
from ris.patient import alerts
from ris.patient.alerts import Alert
from ris.protocol.queries import protocol, protocols
from ris.scheduling import offering, queries, service
from ris.scheduling.appointment import AppointmentDetail, rooms_for, site_names, zone_of
from ris.scheduling.offering import Slot
from ris.scheduling.queries import DaySchedule, HeldRow, UnscheduledRow
from ris.scheduling.rules import check
from ris.scheduling.rules.finding import Finding
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, not_here, requires, sites_for
from ris.web.page import look, look_query, program, reading, working_site
from ris.web.pages.schedule import drawn, find
from ris.web.pages.schedule.parts import against, answers, appointment_at, bp, do, exam_at, minutes, moment, panel, room_id

__all__ = ["bp", "find"]

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
    with reading() as session:
        schedule = queries.day(session, site_id, on or _today(session, site_id))
        waiting = queries.unscheduled(session, [site_id])
        held = _held(session, schedule)
        planned = protocols(session, [row.procedure_id for row in waiting])
        known = _known(session, schedule, waiting)
    version = live.version([schedule, *held, *waiting, *planned.values(), *sorted(known.items())], {})
    if request.args.get("v") == version:
        return Response(status=204)
    may_book = may(Permission.SCHEDULE_BOOK, site_id)
    listed = render_block(
        "schedule/day.html", "waiting", waiting=waiting, protocols=planned, alerts=known, zone=schedule.zone, may_book=may_book
    )
    return jsonify(version=version, events=_events(schedule, held, known), waiting=listed, waiting_count=len(waiting))


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
            uow, procedure_id=procedure_id, room_id=room_id(), starts_at=moment(exam.zone), minutes=minutes(), answers=answers()
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
            row_version=request.form.get("row_version", type=int), answers=answers(),
        )  # fmt: skip

    return do(work, f"Exam {found.accession_number} is moved.", found.site_id, lambda error: _show(found, error))


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
    with reading() as session:
        today = _today(session, site_id)
        schedule = queries.day(session, site_id, on or today)
        waiting = queries.unscheduled(session, [site_id])
        held = _held(session, schedule)
        planned = protocols(session, [row.procedure_id for row in waiting])
        known = _known(session, schedule, waiting)
        sites = _sites(session)
    look_query("schedule", {"site_id": site_id, "date": schedule.day.isoformat()})
    first, last = drawn.hours(schedule)
    before, after = drawn.days_around(schedule.day)
    return render_template(
        "schedule/day.html",
        schedule=schedule, waiting=waiting, protocols=planned, alerts=known, own_sites=sites, today=today, before=before, after=after,
        zone=schedule.zone, version=live.version([schedule, *held, *waiting, *planned.values(), *sorted(known.items())], {}),
        now=drawn.floating(program().clock(), schedule.zone),
        may_book=may(Permission.SCHEDULE_BOOK, site_id),
        calendar={"rooms": drawn.rooms(schedule), "events": _events(schedule, held, known), "first": first, "last": last,
                  "site": str(site_id), "date": schedule.day.isoformat()},
    )  # fmt: skip


def _held(session: Session, schedule: DaySchedule) -> list[HeldRow]:
    return queries.holds(session, schedule.site_id, queries.day_span(schedule.day, schedule.zone), program().clock())


def _known(session: Session, schedule: DaySchedule, waiting: list[UnscheduledRow]) -> Mapping[int, tuple[Alert, ...]]:
    """What must be known of each patient on the page."""
    patient_ids = {row.patient_id for row in schedule.appointments} | {row.patient_id for row in waiting}
    return alerts.of_patients(session, patient_ids)


def _events(schedule: DaySchedule, held: list[HeldRow], known: Mapping[int, tuple[Alert, ...]]) -> list[dict[str, Any]]:
    return drawn.events(schedule, known) + drawn.holds(held, schedule.zone)


def _plan(exam: ExamRow, error: RisError | None = None) -> str:
    with reading() as session:
        slots = (
            offering.free_slots(session, procedure_id=exam.procedure_id, after=program().clock(), days=SEARCH_DAYS, limit=9)
            if exam.known else []
        )  # fmt: skip
        rooms = rooms_for(session, exam.procedure_id)
        planned = protocol(session, exam.procedure_id)
        foreseen = _foreseen(session, exam, slots[0]) if slots and error is None else ()
    return panel(
        "schedule/plan.html", exam=exam, slots=slots, rooms=rooms, foreseen=foreseen, protocol=planned, **against(error, exam.site_id)
    )


def _show(found: AppointmentDetail, error: RisError | None = None) -> str:
    with reading() as session:
        rooms = rooms_for(session, found.procedure_id)
        slots = (
            offering.free_slots(session, procedure_id=found.procedure_id, after=program().clock(), days=SEARCH_DAYS, limit=6)
            if found.is_movable else []
        )  # fmt: skip
    return panel("schedule/appointment.html", found=found, rooms=rooms, slots=slots, may_book=may(Permission.SCHEDULE_BOOK, found.site_id),
                  **against(error, found.site_id))  # fmt: skip


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
