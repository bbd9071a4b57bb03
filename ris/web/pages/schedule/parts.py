"""What all views of the schedule use: a change run once, what a form says of place and time, things of the person's sites only."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block

from ris.base.clock import from_wall_clock, local, which_of_two
from ris.base.errors import Invalid, Missing, NotAllowedNow, Occupied, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import ReasonKind
from ris.order import queries as orders
from ris.order.queries import ExamRow
from ris.scheduling.appointment import AppointmentDetail, appointment
from ris.scheduling.rules.finding import AgainstRules
from ris.staff.permission import Permission
from ris.web.access import may, not_here
from ris.web.page import changing, reading, reason_for, use_key, used_before

bp = Blueprint("schedule", __name__, url_prefix="/schedule", template_folder="templates")

_PLACE = ("room_id", "date", "time", "minutes", "second", "row_version", "overbook_reason")
_REASON = "reason-"
"""Before the key of a finding: the field with its reason."""


def panel(template: str, **context: Any) -> str:
    """The whole page, or only its panel for the dialog of the day."""
    context["when"] = lambda moment, zone: f"{local(moment, zone):%a %d %b %H:%M} {which_of_two(moment, zone)}".rstrip()
    is_part = "X-Panel" in request.headers or wants_json()
    return render_block(template, "panel", **context) if is_part else render_template(template, **context)


def against(error: RisError | None, site_id: int) -> dict[str, Any]:
    """Why a booking was refused: in a word, or what the rules found with what this person may answer of it."""
    findings = error.findings if isinstance(error, AgainstRules) else ()
    answerable = {f.key for f in findings if not f.blocks or (f.override and may(Permission(f.override), site_id))}
    place = {name: request.form.get(name, "") for name in _PLACE if name in request.form}
    return {
        "refused": error.message if error and not findings else "",
        "refused_rule": _rule_of(error),
        "findings": findings,
        "answerable": answerable,
        "place": place,
        "is_full": isinstance(error, Occupied),
        "overbookable": isinstance(error, Occupied) and error.may_overbook,
        "may_overbook": may(Permission.SCHEDULE_OVERBOOK, site_id),
    }


def _rule_of(error: RisError | None) -> str:
    """What a refusal that comes from no rule of the table goes back to, as a person calls it."""
    if isinstance(error, Missing):
        return "What the form says"
    names = ((Occupied, "One at a time"), (NotAllowedNow, "The state of the exam"), (Invalid, "What the room can do, and when it is open"))
    return next((name for kind, name in names if isinstance(error, kind)), "What was there before")


def do(work: Callable[[UnitOfWork], None], done: str, site_id: int, again: Callable[[RisError], str]) -> ResponseReturnValue:
    """Runs a change once. The calendar is answered in JSON; a form goes on to the day that it was about, or is shown again."""
    if (before := used_before()) is not None:
        return before
    target = url_for("schedule.day", site=site_id, date=request.form.get("date") or None)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return (_refused(error, again) if wants_json() else again(error)), error.http_status
    if wants_json():
        return jsonify(message=done)
    flash(done)
    return redirect(target, 303)


def _refused(error: RisError, again: Callable[[RisError], str]) -> Response:
    """For the calendar: the reason, and the dialog to go on in where rules ask for one, or something else is free; of a form its dialog."""
    has_ways = isinstance(error, AgainstRules | Occupied) or (isinstance(error, Invalid) and "form_key" in request.form)
    return jsonify(message=error.message, panel=again(error) if has_ways else "")


def wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def answers() -> dict[str, str]:
    """Key of a finding to the reason that the form gives. Raises Invalid for one that says too little."""
    return {name.removeprefix(_REASON): reason_for(ReasonKind.override, name) for name in request.form if name.startswith(_REASON)}


def overbook_reason() -> str:
    return reason_for(ReasonKind.overbook, "overbook_reason")


def moment(zone: str) -> datetime:
    """The form's `date` and `time` by the site's wall clock, the `second` of two in the hour that comes twice.

    Raises Invalid for a time that does not exist there.
    """
    try:
        wall = datetime.fromisoformat(f"{request.form.get('date', '')}T{request.form.get('time', '')}")
        return from_wall_clock(wall.replace(tzinfo=None), zone, second=request.form.get("second") == "yes")
    except ValueError as error:
        reason = str(error) if "clocks" in str(error) else "a day and a time are needed"
        raise Missing(reason) from error


def room_id() -> int:
    room_id = request.form.get("room_id", type=int)
    if room_id is None:
        raise Missing("a room is needed")
    return room_id


def minutes() -> int | None:
    return request.form.get("minutes", type=int) or None


def exam_at(procedure_id: int) -> ExamRow:
    """An exam of a site where the person books."""
    with reading() as session:
        exam = orders.exam(session, procedure_id)
    if exam is None:
        abort(404)
    if not may(Permission.SCHEDULE_BOOK, exam.site_id):
        raise not_here(Permission.SCHEDULE_BOOK, Ref("procedure", procedure_id))
    return exam


def appointment_at(step_id: int, permission: Permission) -> AppointmentDetail:
    with reading() as session:
        found = appointment(session, step_id)
    if found is None:
        abort(404)
    if not may(permission, found.site_id):
        raise not_here(permission, Ref("step", step_id))
    return found
