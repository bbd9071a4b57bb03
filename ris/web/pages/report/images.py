"""From a report to the images: one step to the viewer of the site, written down before it is taken."""

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from ris.base.errors import NotAllowedNow, Stale
from ris.base.ref import Ref
from ris.report.writing import viewer
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import current_user, exam_here, look, program, reading
from ris.web.pages.report.shown import viewer_key

bp = Blueprint("images", __name__, url_prefix="/exams/<int:procedure_id>/images")


@bp.get("")
@requires(Permission.REPORT_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    """Raises Stale unless patient and study are those that the page showed: images of somebody else beside a report are worse than none."""
    exam = exam_here(procedure_id, Permission.REPORT_READ)
    if (request.args.get("patient", type=int), request.args.get("study")) != (exam.patient_id, exam.study_instance_uid):
        raise Stale("patient and images do not belong together any more: load the report again")
    with reading() as session:
        address = viewer.address_of(session, exam.site_id)
    key = viewer_key()
    if not (address and key):
        raise NotAllowedNow("no image viewer is set up for this site")
    look("images", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    link = viewer.link(
        address, key, program().clock(), study=exam.study_instance_uid, accession=exam.accession_number, patient=exam.mrn or "",
        user=current_user().login,
    )  # fmt: skip
    return redirect(link, 303)
