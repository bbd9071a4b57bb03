"""The form for somebody who stands at the desk without an appointment."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.catalog.model import ReasonKind
from ris.catalog.queries import rooms_at
from ris.exam.walkin import WalkIn, walk_in
from ris.order.desk import offered
from ris.order.queries import is_visible
from ris.order.status import Priority
from ris.patient import queries as patients
from ris.patient.queries import PatientRow
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, reading, reason_in, use_key, used_before, working_site

bp = Blueprint("walkin", __name__, url_prefix="/patients/<int:patient_id>/walk-in", template_folder="templates")


@bp.get("")
@requires(Permission.RECEPTION_ARRIVE)
def show(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id)
    look("walk-in", Ref("patient", patient_id), patient_id=patient_id)
    return _page(patient, Form())


@bp.post("")
@requires(Permission.RECEPTION_ARRIVE)
def come(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id)
    if (before := used_before()) is not None:
        return before
    form = Form(request.form)
    procedure_id = form.number("procedure_id", "The exam", least=1, most=2**63 - 1, required=True)
    reason = form.text("reason", "The reason", required=True, longest=500)
    priority = form.choice("priority", "The priority", Priority, default=Priority.routine)
    room_id = form.number("room_id", "The room", least=1, most=2**63 - 1)
    overbook_reason = reason_in(form, "overbook_reason", "The reason to overbook", ReasonKind.overbook, required=False)
    if form.errors or procedure_id is None or priority is None:
        return _page(patient, form), 422
    coming = WalkIn(
        patient_id, _site(), procedure_id, reason, form.text("orderer_name", "Ordered by"), priority, room_id,
        overbook_reason,
    )  # fmt: skip
    target = url_for("worklist.show", name="arrivals")
    try:
        with changing() as uow:
            exam = walk_in(uow, coming)
            use_key(uow, target)
    except RisError as error:
        return _page(patient, form, error.message), error.http_status
    flash(f"Exam {exam.accession_number} is ordered, has an appointment, and the patient is checked in.")
    return redirect(target, 303)


def _page(patient: PatientRow, form: Form, refused: str = "") -> str:
    site_id = _site()
    with reading() as session:
        kinds = [(kind.id, f"{kind.name} ({kind.code})") for kind in offered(session).values()]
        rooms = rooms_at(session, site_id)
    return render_template(
        "walkin/show.html", patient=patient, form=form, refused=refused, kinds=kinds, rooms=rooms, site_id=site_id,
        may_overbook=may(Permission.SCHEDULE_OVERBOOK, site_id),
    )  # fmt: skip


def _site() -> int:
    """Where the person works now."""
    site_id = working_site(sites_for(Permission.RECEPTION_ARRIVE))
    if site_id is None:
        abort(404)
    return site_id


def _patient(patient_id: int) -> PatientRow:
    with reading() as session:
        patient = patients.patient(session, patient_id)
        if patient is None:
            abort(404)
        if not is_visible(session, patient_id, sites_for(Permission.RECEPTION_ARRIVE)):
            raise not_here(Permission.RECEPTION_ARRIVE, Ref("patient", patient_id))
    return patient
