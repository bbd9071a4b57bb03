"""Opens what a scanner has read; a code of another patient than the one on the screen stops."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.order.queries import exam as exam_of
from ris.order.queries import is_visible
from ris.order.status import OPEN, ProcedureStatus
from ris.patient import queries as patients
from ris.staff.permission import Permission
from ris.web.access import may, requires, sites_for
from ris.web.page import look_query, reading
from ris.web.pages.scan.found import Scanned, scanned

bp = Blueprint("scan", __name__, url_prefix="/scan", template_folder="templates")


@bp.get("")
@requires(Permission.EXAM_READ)
def read() -> ResponseReturnValue:
    """The patient and the exam that were on the screen travel along."""
    code = request.args.get("code", "").strip()[:64]
    on_patient, on_exam = request.args.get("patient_id", type=int), request.args.get("procedure_id", type=int)
    look_query("scan", {"code": code})
    sites = sites_for(Permission.EXAM_READ)
    with reading() as session:
        found = scanned(session, code, sites)
        if found is not None and not is_visible(session, found.patient_id, sites):
            found = None
        if found is None:
            return redirect(url_for("search.index", q=code), 303)
        if on_patient is not None and found.patient_id != on_patient:
            return _stop(found, on_patient, code)
        if on_exam is not None and found.procedure_id in (None, on_exam):
            on_screen = exam_of(session, on_exam)
            if on_screen is not None and on_screen.patient_id == found.patient_id and on_screen.site_id in sites:
                flash("The code belongs to the patient and the exam on the screen.")
                return redirect(url_for(_page_of_exam(on_screen.status, on_screen.site_id), procedure_id=on_exam), 303)
    return redirect(_address(found), 303)


def _page_of_exam(status: ProcedureStatus, site_id: int) -> str:
    """Where a technologist goes on: the check list before the start, the room after it."""
    if status in OPEN and may(Permission.EXAM_PERFORM, site_id):
        return "perform.show"
    return "exam.show"


def _stop(found: Scanned, on_patient: int, code: str) -> ResponseReturnValue:
    with reading() as session:
        read, shown = patients.patient(session, found.patient_id), patients.patient(session, on_patient)
        own = sites_for(Permission.EXAM_READ)
        shown = shown if is_visible(session, on_patient, own) else None
    return render_template("scan/stop.html", read=read, shown=shown, code=code, address=_address(found)), 409


def _address(found: Scanned) -> str:
    if found.procedure_id is not None:
        return url_for("exam.show", procedure_id=found.procedure_id)
    return url_for("patient.show", patient_id=found.patient_id)
