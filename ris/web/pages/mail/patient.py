"""A patient's e-mails at the desk: what was sent and what became of it, whether the patient wants any, and once more by hand."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.notice import consent, queries, service
from ris.notice.status import NOTICE
from ris.order.queries import is_visible
from ris.patient import queries as patients
from ris.patient.model import Patient
from ris.patient.queries import PatientRow
from ris.staff.permission import Permission
from ris.web.access import may, may_anywhere, not_here, requires, sites_for
from ris.web.page import changing, look, reading, use_key, used_before

bp = Blueprint("patient_mail", __name__, template_folder="templates")


@bp.get("/patients/<int:patient_id>/mail")
@requires(Permission.PATIENT_READ)
def show(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_READ)
    look("messages to the patient", Ref("patient", patient_id), patient_id=patient_id)
    with reading() as session:
        wish = consent.wish(session, session.get_one(Patient, patient_id))
        rows = queries.of_patient(session, patient_id, sites_for(Permission.PATIENT_READ))
        may_edit = may_anywhere(Permission.PATIENT_EDIT) and is_visible(session, patient_id, sites_for(Permission.PATIENT_EDIT))
    return render_template(
        "mail/patient.html", patient=patient, wish=wish, rows=rows, may_edit=may_edit,
        can_go_again=NOTICE.by_name["send_again"].sources, can_come_back=NOTICE.by_name["come_back"].sources,
    )  # fmt: skip


@bp.get("/messages-to-patients/<int:notice_id>")
@requires(Permission.PATIENT_READ)
def message(notice_id: int) -> ResponseReturnValue:
    """Leads to the message on its patient's page."""
    with reading() as session:
        row = queries.notice(session, notice_id)
    if row is None or not may(Permission.PATIENT_READ, row.site_id):
        raise not_here(Permission.PATIENT_READ, Ref("notice", notice_id))
    return redirect(url_for("patient_mail.show", patient_id=row.patient_id, _anchor=f"n-{notice_id}"))


@bp.post("/patients/<int:patient_id>/mail/wish")
@requires(Permission.PATIENT_EDIT)
def say(patient_id: int) -> ResponseReturnValue:
    _patient(patient_id, Permission.PATIENT_EDIT)
    given = request.form.get("given") == "yes"
    done = "Noted: the patient agrees to e-mails." if given else "Noted: the patient gets no e-mails."
    return _do(patient_id, lambda uow: consent.say(uow, patient_id, given=given), done)


@bp.post("/patients/<int:patient_id>/mail/stop")
@requires(Permission.PATIENT_EDIT)
def stop(patient_id: int) -> ResponseReturnValue:
    _patient(patient_id, Permission.PATIENT_EDIT)
    return _do(patient_id, lambda uow: consent.stop_at_desk(uow, patient_id), "Nothing more goes to this address.")


@bp.post("/patients/<int:patient_id>/mail/lift")
@requires(Permission.PATIENT_EDIT)
def lift(patient_id: int) -> ResponseReturnValue:
    _patient(patient_id, Permission.PATIENT_EDIT)
    return _do(patient_id, lambda uow: consent.lift_stop(uow, patient_id), "E-mails go to this address again.")


@bp.post("/patients/<int:patient_id>/mail/<int:notice_id>/again")
@requires(Permission.PATIENT_EDIT)
def send_again(patient_id: int, notice_id: int) -> ResponseReturnValue:
    _notice(patient_id, notice_id)
    return _do(patient_id, lambda uow: service.send_again(uow, notice_id), "It is sent once more, to the address that is known now.")


@bp.post("/patients/<int:patient_id>/mail/<int:notice_id>/came-back")
@requires(Permission.PATIENT_EDIT)
def come_back(patient_id: int, notice_id: int) -> ResponseReturnValue:
    _notice(patient_id, notice_id)
    reason = request.form.get("reason", "")[:200]
    return _do(patient_id, lambda uow: service.come_back(uow, notice_id, reason), "Noted: it came back, and there is a task about it.")


@bp.post("/patients/<int:patient_id>/mail/works")
@requires(Permission.PATIENT_EDIT)
def works(patient_id: int) -> ResponseReturnValue:
    _patient(patient_id, Permission.PATIENT_EDIT)
    return _do(patient_id, lambda uow: consent.lift_failure(uow, patient_id), "E-mails go there again: send again what came back.")


def _do(patient_id: int, work: Callable[[UnitOfWork], object], done: str) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    target = url_for("patient_mail.show", patient_id=patient_id)
    with changing() as uow:
        work(uow)
        use_key(uow, target)
    flash(done)
    return redirect(target, 303)


def _patient(patient_id: int, permission: Permission) -> PatientRow:
    with reading() as session:
        row = patients.patient(session, patient_id)
        if row is None or row.merged_into_id is not None:
            raise NotFound("there is no such patient")
        if not is_visible(session, patient_id, sites_for(permission)):
            raise not_here(permission, Ref("patient", patient_id))
        return row


def _notice(patient_id: int, notice_id: int) -> None:
    """Raises NotFound for a message that is not this patient's, or not one of the person's sites."""
    _patient(patient_id, Permission.PATIENT_EDIT)
    with reading() as session:
        row = queries.notice(session, notice_id)
    if row is None or row.patient_id != patient_id or not may(Permission.PATIENT_EDIT, row.site_id):
        raise not_here(Permission.PATIENT_EDIT, Ref("notice", notice_id))
