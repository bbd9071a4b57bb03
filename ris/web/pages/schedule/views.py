"""The schedule: a day of rooms, what waits for an appointment, booking, moving and cancelling, by mouse, by keys, or by plain forms."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from ris.base.clock import from_wall_clock, local
from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order import queries as orders
from ris.order.queries import ExamRow
from ris.scheduling import queries, service
from ris.scheduling.appointment import AppointmentDetail, appointment, rooms_for, site_names, zone_of
from ris.scheduling.queries import Slot
from ris.scheduling.rules import check
from ris.scheduling.rules.finding import AgainstRules, Finding
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, not_here, requires, sites_for
from ris.web.page import changing, look, look_query, program, reading, use_key, used_before, working_site
from ris.web.pages.schedule import drawn

bp = Blueprint("schedule", __name__, url_prefix="/schedule", template_folder="templates")

SEARCH_DAYS = 28
"""So far ahead the next free slots are looked for."""
_PLACE = ("room_id", "date", "time", "minutes", "row_version")
_REASON = "reason-"
"""Before the key of a finding: the field with its reason."""


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
    version = live.version([schedule, *waiting], {})
    if request.args.get("v") == version:
        return Response(status=204)
    may_book = may(Permission.SCHEDULE_BOOK, site_id)
    listed = render_block("schedule/day.html", "waiting", waiting=waiting, zone=schedule.zone, may_book=may_book)
    return jsonify(version=version, events=drawn.events(schedule), waiting=listed, waiting_count=len(waiting))


@bp.get("/exams/<int:procedure_id>")
@requires(Permission.SCHEDULE_BOOK)
def plan(procedure_id: int) -> ResponseReturnValue:
    """Where and when an exam could be: the next free slots, and a form for any other time."""
    exam = _exam(procedure_id)
    look("schedule of exam", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _plan(exam)


@bp.post("/exams/<int:procedure_id>/book")
@requires(Permission.SCHEDULE_BOOK)
def book(procedure_id: int) -> ResponseReturnValue:
    exam = _exam(procedure_id)

    def work(uow: UnitOfWork) -> None:
        service.book(
            uow, procedure_id=procedure_id, room_id=_room_id(), starts_at=_moment(exam.zone), minutes=_minutes(), answers=_answers()
        )  # fmt: skip

    return _do(work, f"Exam {exam.accession_number} is booked.", exam.site_id, lambda error: _plan(exam, error))


@bp.get("/appointments/<int:step_id>")
@requires(Permission.SCHEDULE_READ)
def show(step_id: int) -> ResponseReturnValue:
    found = _appointment(step_id, Permission.SCHEDULE_READ)
    look("appointment", Ref("step", step_id), patient_id=found.patient_id, procedure_id=found.procedure_id, site_id=found.site_id)
    return _show(found)


@bp.post("/appointments/<int:step_id>/move")
@requires(Permission.SCHEDULE_BOOK)
def move(step_id: int) -> ResponseReturnValue:
    found = _appointment(step_id, Permission.SCHEDULE_BOOK)

    def work(uow: UnitOfWork) -> None:
        service.move(
            uow, step_id=step_id, room_id=_room_id(), starts_at=_moment(found.zone), minutes=_minutes(),
            row_version=request.form.get("row_version", type=int), answers=_answers(),
        )  # fmt: skip

    return _do(work, f"Exam {found.accession_number} is moved.", found.site_id, lambda error: _show(found, error))


@bp.post("/appointments/<int:step_id>/cancel")
@requires(Permission.SCHEDULE_BOOK)
def cancel(step_id: int) -> ResponseReturnValue:
    found = _appointment(step_id, Permission.SCHEDULE_BOOK)

    def work(uow: UnitOfWork) -> None:
        service.cancel(uow, step_id=step_id, reason=request.form.get("reason", ""))

    done = f"The appointment of exam {found.accession_number} is cancelled; it waits for another one."
    return _do(work, done, found.site_id, lambda error: _show(found, error))


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _day(site_id: int, on: date | None) -> str:
    with reading() as session:
        today = _today(session, site_id)
        schedule = queries.day(session, site_id, on or today)
        waiting = queries.unscheduled(session, [site_id])
        sites = _sites(session)
    look_query("schedule", {"site_id": site_id, "date": schedule.day.isoformat()})
    first, last = drawn.hours(schedule)
    before, after = drawn.days_around(schedule.day)
    return render_template(
        "schedule/day.html",
        schedule=schedule, waiting=waiting, own_sites=sites, today=today, before=before, after=after, zone=schedule.zone,
        version=live.version([schedule, *waiting], {}),
        now=drawn.floating(program().clock(), schedule.zone),
        may_book=may(Permission.SCHEDULE_BOOK, site_id),
        calendar={"rooms": drawn.rooms(schedule), "events": drawn.events(schedule), "first": first, "last": last,
                  "site": str(site_id), "date": schedule.day.isoformat()},
    )  # fmt: skip


def _plan(exam: ExamRow, error: RisError | None = None) -> str:
    with reading() as session:
        slots = (
            queries.free_slots(session, procedure_id=exam.procedure_id, after=program().clock(), days=SEARCH_DAYS, limit=9)
            if exam.known else []
        )  # fmt: skip
        rooms = rooms_for(session, exam.procedure_id)
        foreseen = _foreseen(session, exam, slots[0]) if slots and error is None else ()
    return _panel("schedule/plan.html", exam=exam, slots=slots, rooms=rooms, foreseen=foreseen, **_against(error, exam.site_id))


def _show(found: AppointmentDetail, error: RisError | None = None) -> str:
    with reading() as session:
        rooms = rooms_for(session, found.procedure_id)
        slots = (
            queries.free_slots(session, procedure_id=found.procedure_id, after=program().clock(), days=SEARCH_DAYS, limit=6)
            if found.is_movable else []
        )  # fmt: skip
    return _panel("schedule/appointment.html", found=found, rooms=rooms, slots=slots, may_book=may(Permission.SCHEDULE_BOOK, found.site_id),
                  **_against(error, found.site_id))  # fmt: skip


def _panel(template: str, **context: Any) -> str:
    """The whole page, or only its panel for the dialog of the day."""
    context["when"] = lambda moment, zone: f"{local(moment, zone):%a %d %b %H:%M}"
    is_part = "X-Panel" in request.headers or _wants_json()
    return render_block(template, "panel", **context) if is_part else render_template(template, **context)


def _foreseen(session: Session, exam: ExamRow, slot: Slot) -> tuple[Finding, ...]:
    """What the rules will say to the next free slot."""
    return check.findings(
        session, program().clock(), procedure_id=exam.procedure_id, site_id=exam.site_id, room_id=slot.room_id, starts_at=slot.starts_at,
        ends_at=slot.ends_at,
    )  # fmt: skip


def _against(error: RisError | None, site_id: int) -> dict[str, Any]:
    """Why a booking was refused: in a word, or what the rules found with what this person may answer of it."""
    findings = error.findings if isinstance(error, AgainstRules) else ()
    answerable = {f.key for f in findings if not f.blocks or (f.override and may(Permission(f.override), site_id))}
    place = {name: request.form.get(name, "") for name in _PLACE if name in request.form}
    return {"refused": error.message if error and not findings else "", "findings": findings, "answerable": answerable, "place": place}


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do(work: Callable[[UnitOfWork], None], done: str, site_id: int, again: Callable[[RisError], str]) -> ResponseReturnValue:
    """Runs a change once. The calendar is answered in JSON; a form goes on to the day that it was about, or is shown again."""
    if (before := used_before()) is not None:
        return before
    target = url_for("schedule.day", site=site_id, date=request.form.get("date") or None)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return (_refused(error, again) if _wants_json() else again(error)), error.http_status
    if _wants_json():
        return jsonify(message=done)
    flash(done)
    return redirect(target, 303)


def _refused(error: RisError, again: Callable[[RisError], str]) -> Response:
    """For the calendar: the reason, and the dialog to go on in where rules ask for one."""
    return jsonify(message=error.message, panel=again(error) if isinstance(error, AgainstRules) else "")


def _wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def _answers() -> dict[str, str]:
    """Key of a finding to the reason that the form gives."""
    return {name.removeprefix(_REASON): value for name, value in request.form.items() if name.startswith(_REASON)}


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


def _moment(zone: str) -> datetime:
    """The form's `date` and `time` by the site's wall clock. Raises Invalid for a time that does not exist there."""
    try:
        wall = datetime.fromisoformat(f"{request.form.get('date', '')}T{request.form.get('time', '')}")
        return from_wall_clock(wall.replace(tzinfo=None), zone)
    except ValueError as error:
        reason = str(error) if "clocks" in str(error) else "a day and a time are needed"
        raise Invalid(reason, error_code="101") from error


def _room_id() -> int:
    room_id = request.form.get("room_id", type=int)
    if room_id is None:
        raise Invalid("a room is needed", error_code="101")
    return room_id


def _minutes() -> int | None:
    return request.form.get("minutes", type=int) or None


def _exam(procedure_id: int) -> ExamRow:
    with reading() as session:
        exam = orders.exam(session, procedure_id)
    if exam is None:
        abort(404)
    if not may(Permission.SCHEDULE_BOOK, exam.site_id):
        raise not_here(Permission.SCHEDULE_BOOK, Ref("procedure", procedure_id))
    return exam


def _appointment(step_id: int, permission: Permission) -> AppointmentDetail:
    with reading() as session:
        found = appointment(session, step_id)
    if found is None:
        abort(404)
    if not may(permission, found.site_id):
        raise not_here(permission, Ref("step", step_id))
    return found
