"""The patient page, and taking back a merge."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound
from ris.base.ref import Ref
from ris.order.queries import exams_of_patient
from ris.patient import queries, service
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires, sites_for
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
        look("patient", Ref("patient", patient_id), patient_id=patient_id)
        return render_template(
            "patient/show.html",
            patient=patient,
            identifiers=patient.identifiers,
            visits=queries.visits(session, patient_id),
            exams=exams_of_patient(session, patient_id, sites_for(Permission.PATIENT_READ)),
            merges=queries.merges(session, patient_id),
            may_merge=may_anywhere(Permission.PATIENT_MERGE),
        )


@bp.post("/merges/<int:merge_id>/undo")
@requires(Permission.PATIENT_MERGE)
def undo_merge(patient_id: int, merge_id: int) -> ResponseReturnValue:
    with changing() as uow:
        service.unmerge(uow, merge_id)
    flash("The merge is taken back: everything that it moved is where it was.")
    return redirect(url_for("patient.show", patient_id=patient_id), 303)
