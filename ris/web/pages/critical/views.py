"""Critical results: the open ones of a site, those of an exam, and the panel of them beside the report."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.clock import from_wall_clock, local
from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.critical import queries, service
from ris.critical.queries import CriticalRow
from ris.critical.records import WHOM
from ris.critical.service import Call
from ris.critical.status import LIVE, Outcome, Way
from ris.order.queries import ExamRow
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, not_here, person, requires
from ris.web.asked import choice
from ris.web.page import changing, exam_here, listed_sites, look, look_query, program, reading, use_key, used_before
from ris.web.polls import Shown
from ris.web.worklists.listing import duration

bp = Blueprint("critical", __name__, template_folder="templates")

ENDED_FOR = timedelta(days=7)
"""So long the list can also show what has ended."""
SOON = 0.25
"""Of the time limit is left: then it is due soon."""
PANEL = "X-Panel"
"""Header of a form that wants only the panel back."""


@dataclass(frozen=True, slots=True)
class Left:
    """How long there is still time, in words."""

    text: str
    level: str


@bp.app_template_global("critical_of")
def critical_of(exam: ExamRow) -> dict[str, Any]:
    """What the panel of an exam shows."""
    now = program().clock()
    with reading() as session:
        return {
            "rows": queries.of_exam(session, exam.procedure_id),
            "classes": queries.classes(session),
            "now": now,
            "wall_now": f"{local(now, exam.zone):%Y-%m-%dT%H:%M}",
            "may_flag": may(Permission.REPORT_WRITE, exam.site_id),
            "may_tell": may(Permission.CRITICAL_TELL, exam.site_id),
            "ways": Way,
            "whom": dict(WHOM),
        }


@bp.app_template_global("time_left")
def time_left(row: CriticalRow, now: datetime) -> Left:
    minutes = row.minutes_left(now)
    if minutes < 0:
        return Left(f"{duration(-minutes)} overdue", "late")
    is_soon = row.due_at - now <= SOON * (row.due_at - row.flagged_at)
    return Left(f"{duration(minutes)} left", "soon" if is_soon else "ok")


@bp.get("/critical")
@requires(Permission.REPORT_READ)
def index() -> ResponseReturnValue:
    """The open ones, the soonest due first, or for a poll what has changed; also the ended ones of a week where they are asked for."""
    ended = "1" if request.args.get("ended") else ""
    if "v" not in request.args:
        look_query("critical results", {"ended": ended} if ended else {})
    sites, ris = listed_sites(Permission.REPORT_READ), program()

    def find() -> Shown:
        now = ris.clock()
        with ris.read() as session:
            rows = queries.of_sites(session, sites, since=now - ENDED_FOR if ended else None)
        lines = [(row, time_left(row, now)) for row in rows]
        return Shown(live.version(lines, {"ended": ended}), lines)

    shown = live.shared(("critical", sites, ended), find)
    return live.drawn(
        "critical/index.html", shown.version, rows=shown.content, ended=ended, whom=dict(WHOM),
        row_version=lambda line: live.version([line], {}), live_statuses=LIVE,
    )  # fmt: skip


@bp.get("/critical/<int:critical_id>")
@requires(Permission.REPORT_READ)
def one(critical_id: int) -> ResponseReturnValue:
    row = _row(critical_id, Permission.REPORT_READ)
    return redirect(url_for("critical.show", procedure_id=row.procedure_id, _anchor=f"critical-{critical_id}"), 303)


@bp.get("/exams/<int:procedure_id>/critical")
@requires(Permission.REPORT_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    """Every critical result of the exam's report with who was told and who was fetched."""
    exam = exam_here(procedure_id, Permission.REPORT_READ)
    about = Ref("procedure", procedure_id)
    look("critical results", about, patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return render_template("critical/show.html", exam=exam)


@bp.post("/exams/<int:procedure_id>/critical")
@requires(Permission.REPORT_WRITE)
def flag(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.REPORT_WRITE)
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            class_id = request.form.get("class_id", type=int) or 0
            service.flag(uow, procedure_id=procedure_id, class_id=class_id, detail=request.form.get("detail", ""))
            use_key(uow, _address(exam))
    except RisError as error:
        return _again(exam, error, "flag")
    return _done(exam)


@bp.post("/critical/<int:critical_id>/tell")
@requires(Permission.CRITICAL_TELL)
def tell(critical_id: int) -> ResponseReturnValue:
    """One try to tell somebody, whatever came of it."""
    row = _row(critical_id, Permission.CRITICAL_TELL)
    exam = exam_here(row.procedure_id, Permission.CRITICAL_TELL)
    if (before := used_before()) is not None:
        return before
    try:
        call = _call(row)
        with changing() as uow:
            service.tell(uow, critical_id, call)
            use_key(uow, _address(exam))
    except RisError as error:
        return _again(exam, error, f"tell-{critical_id}")
    return _done(exam)


@bp.post("/critical/<int:critical_id>/withdraw")
@requires(Permission.REPORT_WRITE)
def withdraw(critical_id: int) -> ResponseReturnValue:
    row = _row(critical_id, Permission.REPORT_WRITE)
    exam = exam_here(row.procedure_id, Permission.REPORT_WRITE)
    try:
        with changing() as uow:
            service.withdraw(uow, critical_id, request.form.get("reason", ""))
    except RisError as error:
        return _again(exam, error, f"withdraw-{critical_id}")
    return _done(exam)


def _call(row: CriticalRow) -> Call:
    """What the form says of a try. Raises Invalid."""
    way, outcome = choice(Way, request.form.get("way", "")), choice(Outcome, request.form.get("outcome", ""))
    if way is None or outcome is None:
        raise Invalid("choose how it was told, and what came of it", error_code="101")
    teller = request.form.get("teller", "").strip() or person().name
    said = {name: request.form.get(name, "") for name in ("receiver", "number", "note")}
    return Call(at=_when(request.form.get("at", ""), row.zone), teller=teller, way=way, outcome=outcome, **said)


def _when(text: str, zone: str) -> datetime:
    """The newest moment at which the clock of the site has shown that; now where nothing is said. Raises Invalid."""
    now = program().clock()
    if not text:
        return now
    try:
        wall = datetime.fromisoformat(text).replace(tzinfo=None)
        second = from_wall_clock(wall, zone, second=True)
        return second if second <= now else from_wall_clock(wall, zone)
    except (ValueError, OverflowError) as error:
        raise Invalid("write when it was like 2026-11-30T14:05, a time that there was") from error


def _row(critical_id: int, permission: Permission) -> CriticalRow:
    with reading() as session:
        row = queries.one(session, critical_id)
    if row is None:
        abort(404)
    if not may(permission, row.site_id):
        raise not_here(permission, Ref("critical", critical_id))
    return row


def _address(exam: ExamRow) -> str:
    return url_for("critical.show", procedure_id=exam.procedure_id)


def _done(exam: ExamRow) -> ResponseReturnValue:
    return render_template("critical/_panel.html", exam=exam) if PANEL in request.headers else redirect(_address(exam), 303)


def _again(exam: ExamRow, error: RisError, form: str) -> ResponseReturnValue:
    """The form once more with what was written in it, and what is wrong."""
    template = "critical/_panel.html" if PANEL in request.headers else "critical/show.html"
    return render_template(template, exam=exam, critical_refused=error.message, critical_form=form), error.http_status
