"""The patient page, its alerts and other names, and taking back a merge."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ref import Ref
from ris.notice import consent as mail_consent
from ris.order.queries import exams_of_patient, is_visible
from ris.patient import alerts, contacts, naming, proposals, queries, service
from ris.patient.model import AlertKind, Patient
from ris.patient.naming import NameKind, OtherName
from ris.patient.queries import PatientRow
from ris.report.reading import statuses
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, program, reading

bp = Blueprint("patient", __name__, url_prefix="/patients/<int:patient_id>", template_folder="templates")

CAN_BE_PUT_BACK = timedelta(days=1)
"""So long an alert or a name that was ended is shown with a way back."""


@bp.get("")
@requires(Permission.PATIENT_READ)
def show(patient_id: int) -> ResponseReturnValue:
    """A merged patient's address leads to the survivor."""
    with reading() as session:
        patient = queries.patient(session, patient_id)
        if patient is None:
            raise NotFound("there is no such patient")
        if patient.merged_into_id is not None:
            return redirect(url_for("patient.show", patient_id=patient.merged_into_id))
        _check_visible(session, patient_id, Permission.PATIENT_READ)
        look("patient", Ref("patient", patient_id), patient_id=patient_id)
    return _show(patient, Form())


@bp.post("/alerts")
@requires(Permission.PATIENT_EDIT)
def raise_alert(patient_id: int) -> ResponseReturnValue:
    patient = _editable(patient_id)
    form = Form(request.form)
    kind = form.choice("alert_kind", "The kind of alert", AlertKind)
    text = form.text("alert_text", "What it is about", required=kind is not AlertKind.vip, longest=alerts.LONGEST)
    if form.errors or kind is None:
        return _show(patient, form), 422
    with changing() as uow:
        alerts.raise_alert(uow, patient_id, kind, text)
    flash("The alert stands beside the name, wherever the patient is shown.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


@bp.post("/alerts/<int:alert_id>/end")
@requires(Permission.PATIENT_EDIT)
def end_alert(patient_id: int, alert_id: int) -> ResponseReturnValue:
    _editable(patient_id)
    with changing() as uow:
        alerts.end_alert(uow, patient_id, alert_id)
    flash("The alert is ended. Until tomorrow it can be put back.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


@bp.post("/alerts/<int:alert_id>/restore")
@requires(Permission.PATIENT_EDIT)
def restore_alert(patient_id: int, alert_id: int) -> ResponseReturnValue:
    _editable(patient_id)
    with changing() as uow:
        alerts.restore_alert(uow, patient_id, alert_id)
    flash("The alert is put back.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


@bp.post("/names")
@requires(Permission.PATIENT_EDIT)
def add_name(patient_id: int) -> ResponseReturnValue:
    patient = _editable(patient_id)
    form = Form(request.form)
    kind = form.choice("name_kind", "What name it is", NameKind)
    family = form.text("other_family", "The family name", required=True, longest=naming.LONGEST)
    given = form.text("other_given", "The given name", longest=naming.LONGEST)
    if form.errors or kind is None:
        return _show(patient, form), 422
    try:
        with changing() as uow:
            naming.add(uow, patient_id, OtherName(kind, family, given))
    except Invalid as error:
        form.errors["other_family"] = f"{error.message[0].upper()}{error.message[1:]}."
        return _show(patient, form), 422
    flash("The name is kept: the search finds the patient by it.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


@bp.post("/names/<int:name_id>/end")
@requires(Permission.PATIENT_EDIT)
def end_name(patient_id: int, name_id: int) -> ResponseReturnValue:
    _editable(patient_id)
    with changing() as uow:
        naming.end(uow, patient_id, name_id)
    flash("The name is taken off. Until tomorrow it can be put back.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


@bp.post("/names/<int:name_id>/restore")
@requires(Permission.PATIENT_EDIT)
def restore_name(patient_id: int, name_id: int) -> ResponseReturnValue:
    _editable(patient_id)
    with changing() as uow:
        naming.restore(uow, patient_id, name_id)
    flash("The name is put back.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


@bp.post("/merges/<int:merge_id>/undo")
@requires(Permission.PATIENT_MERGE)
def undo_merge(patient_id: int, merge_id: int) -> ResponseReturnValue:
    with reading() as session:
        if merge_id not in {merge.id for merge in queries.merges(session, patient_id)}:
            raise NotFound("this patient has no such merge")
        _check_visible(session, patient_id, Permission.PATIENT_MERGE)
    with changing() as uow:
        service.unmerge(uow, merge_id)
    flash("The merge is taken back: everything that it moved is where it was.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)


def _show(patient: PatientRow, form: Form) -> str:
    patient_id, now = patient.patient_id, program().clock()
    with reading() as session:
        may_merge = may_anywhere(Permission.PATIENT_MERGE) and _is_visible(session, patient_id, Permission.PATIENT_MERGE)
        exams = exams_of_patient(session, patient_id, sites_for(Permission.PATIENT_READ))
        return render_template(
            "patient/show.html",
            patient=patient,
            identifiers=patient.identifiers,
            reach=session.get_one(Patient, patient_id),
            email_fails=patient_id in mail_consent.failing(session, [patient_id]),
            contacts=contacts.contacts(session, patient_id),
            visits=queries.visits(session, patient_id),
            exams=exams,
            reports=statuses(session, [exam.procedure_id for exam in exams]),
            merges=queries.merges(session, patient_id),
            alerts=alerts.raised(session, patient_id, now, ended_after=now - CAN_BE_PUT_BACK),
            allergies=alerts.allergies(session, patient_id),
            alert_kinds=[(kind.value, alerts.LABELS[kind]) for kind in alerts.SAID_AT_THE_DESK],
            other_names=naming.names(session, patient_id, ended_after=now - CAN_BE_PUT_BACK),
            name_kinds=[(kind.value, naming.WORDS[kind]) for kind in naming.SAID_AT_THE_DESK],
            form=form,
            may_edit=may_anywhere(Permission.PATIENT_EDIT) and _is_visible(session, patient_id, Permission.PATIENT_EDIT),
            may_order=may_anywhere(Permission.ORDER_ENTER) and _is_visible(session, patient_id, Permission.ORDER_ENTER),
            may_check_in=may_anywhere(Permission.RECEPTION_ARRIVE) and _is_visible(session, patient_id, Permission.RECEPTION_ARRIVE),
            may_merge=may_merge,
            duplicates=len(proposals.proposed(session, patient_id=patient_id)) if may_merge else 0,
        )


def _editable(patient_id: int) -> PatientRow:
    with reading() as session:
        patient = queries.patient(session, patient_id)
        if patient is None or patient.merged_into_id is not None:
            raise NotFound("there is no such patient")
        _check_visible(session, patient_id, Permission.PATIENT_EDIT)
        return patient


def _check_visible(session: Session, patient_id: int, permission: Permission) -> None:
    """Raises NotFound for a patient whose exams are all at sites where the person has not this permission."""
    if not _is_visible(session, patient_id, permission):
        raise not_here(permission, Ref("patient", patient_id))


def _is_visible(session: Session, patient_id: int, permission: Permission) -> bool:
    return is_visible(session, patient_id, sites_for(permission))
