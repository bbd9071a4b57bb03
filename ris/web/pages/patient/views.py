"""The patient page, and taking back a merge."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import NotFound
from ris.base.ref import Ref
from ris.order.queries import exams_of_patient, is_visible
from ris.patient import queries, service
from ris.report.reading import statuses
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, not_here, requires, sites_for
from ris.web.page import changing, look, reading

bp = Blueprint("patient", __name__, url_prefix="/patients/<int:patient_id>", template_folder="templates")


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
        exams = exams_of_patient(session, patient_id, sites_for(Permission.PATIENT_READ))
        return render_template(
            "patient/show.html",
            patient=patient,
            identifiers=patient.identifiers,
            visits=queries.visits(session, patient_id),
            exams=exams,
            reports=statuses(session, [exam.procedure_id for exam in exams]),
            merges=queries.merges(session, patient_id),
            may_edit=_is_visible(session, patient_id, Permission.PATIENT_EDIT) and may_anywhere(Permission.PATIENT_EDIT),
            may_order=_is_visible(session, patient_id, Permission.ORDER_ENTER) and may_anywhere(Permission.ORDER_ENTER),
            may_merge=may_anywhere(Permission.PATIENT_MERGE) and _is_visible(session, patient_id, Permission.PATIENT_MERGE),
        )


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


def _check_visible(session: Session, patient_id: int, permission: Permission) -> None:
    """Raises NotFound for a patient whose exams are all at sites where the person has not this permission."""
    if not _is_visible(session, patient_id, permission):
        raise not_here(permission, Ref("patient", patient_id))


def _is_visible(session: Session, patient_id: int, permission: Permission) -> bool:
    return is_visible(session, patient_id, sites_for(permission))
