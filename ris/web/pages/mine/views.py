"""My reports: approve several at once, take back what has not left, go on with what was sent back, and see what others changed."""

from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from ris.base.errors import NotAllowedNow, RisError, Stale
from ris.base.ref import Ref
from ris.order import queries as orders
from ris.report import mine, service
from ris.staff.permission import Permission
from ris.web.access import person, requires, sites_for
from ris.web.page import changing, exam_here, look, look_query, password_holds_until, reading, require_password

bp = Blueprint("mine", __name__, url_prefix="/my-reports", template_folder="templates")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A report as it stood before the person who chose it."""

    procedure_id: int
    row_version: int
    displayed: str


@bp.get("")
@requires(Permission.REPORT_WRITE)
def index() -> ResponseReturnValue:
    look_query("my reports", {})
    return _page()


@bp.get("/<int:approval_id>")
@requires(Permission.REPORT_WRITE)
def approval(approval_id: int) -> ResponseReturnValue:
    """What was changed in a preliminary reading; for the two people whose readings these are."""
    with reading() as session:
        found = mine.approval(session, approval_id)
    if found is None or person().id not in (found.author_id, found.reviewer_id):
        abort(404)
    exam = exam_here(found.procedure_id, Permission.REPORT_READ)
    about = Ref("procedure", exam.procedure_id)
    look("report", about, patient_id=exam.patient_id, procedure_id=exam.procedure_id, site_id=exam.site_id, approval=approval_id)
    return render_template("mine/approval.html", approval=found, exam=exam, changes=mine.changes(found.preliminary, found.final))


@bp.post("/approve")
@requires(Permission.REPORT_SIGN)
def approve() -> ResponseReturnValue:
    """Signs each chosen preliminary reading as it is displayed; each that is left out is named with the reason."""
    chosen = [_chosen(value) for value in request.form.getlist("report")]
    try:
        if not chosen:
            raise NotAllowedNow("choose at least one report")
        require_password("the password is not right: nothing was signed", lately=True)
    except RisError as error:
        return _page(refused=error.message), error.http_status
    left_out = {each.procedure_id: reason for each in chosen if (reason := _approve(each))}
    return _page(signed=len(chosen) - len(left_out), left_out=left_out), 409 if left_out else 200


def _approve(chosen: Chosen) -> str:
    """Why it was not signed; empty when it was."""
    exam_here(chosen.procedure_id, Permission.REPORT_SIGN)
    try:
        with changing() as uow:
            report = service.open_for(uow, chosen.procedure_id)
            if report.row_version != chosen.row_version:
                raise Stale("it was changed by somebody else meanwhile")
            service.claim(uow, report.id)
            uow.session.flush()
            service.sign_final(
                uow, report_id=report.id, text=report.draft_text, row_version=report.row_version, password_checked=True,
                displayed=chosen.displayed,
            )  # fmt: skip
    except RisError as error:
        return error.message
    return ""


def _page(*, refused: str = "", signed: int = 0, left_out: dict[int, str] | None = None) -> str:
    signs_at = sites_for(Permission.REPORT_SIGN)
    with reading() as session:
        found = mine.of(session, person().id, sites_for(Permission.REPORT_WRITE), signs_at)
        approvals = mine.approvals(session, person().id)
        reasons = [(orders.exam(session, procedure_id), reason) for procedure_id, reason in (left_out or {}).items()]
    return render_template(
        "mine/index.html", mine=found, approvals=approvals, refused=refused, signed=signed, left_out=reasons, may_sign=bool(signs_at),
        password_until=password_holds_until(),
    )  # fmt: skip


def _chosen(value: str) -> Chosen:
    try:
        procedure_id, row_version, displayed = value.split(":")
        return Chosen(int(procedure_id), int(row_version), displayed)
    except ValueError:
        abort(400)
