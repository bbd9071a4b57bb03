"""The exam page with its trail, and its cancellation."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound
from ris.base.ref import Ref
from ris.billing.queries import charges_of
from ris.catalog.model import ReasonKind
from ris.notice.queries import of_exam
from ris.order import queries as orders
from ris.order import service
from ris.order.documents import documents
from ris.order.held import held
from ris.order.next import next_steps
from ris.order.status import NOT_STARTED
from ris.order.trail import trail
from ris.patient import alerts
from ris.patient import queries as patients
from ris.patient.queries import AMBULATORY
from ris.patient.safety import against_contrast
from ris.patient.screening import screened
from ris.program import Program
from ris.protocol.queries import needs_protocol, protocol
from ris.questionnaire import queries as forms
from ris.report.reading import statuses
from ris.scheduling.rules.limits import limits_for
from ris.scheduling.rules.queries import answers
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, requires
from ris.web.page import changing, exam_here, look, program, reason_for
from ris.web.polls import Shown

bp = Blueprint("exam", __name__, url_prefix="/exams/<int:procedure_id>", template_folder="templates")

NEXT = {
    "schedule": Permission.SCHEDULE_BOOK, "arrive": Permission.RECEPTION_ARRIVE, "start": Permission.EXAM_PERFORM,
    "complete": Permission.EXAM_PERFORM,
}  # fmt: skip
"""The steps that an exam has ahead of it, to the right that each needs."""


@bp.get("")
@requires(Permission.EXAM_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    """The whole page, or for a poll what has changed."""
    exam = exam_here(procedure_id, Permission.EXAM_READ)
    if "v" not in request.args:
        look("exam", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    ris = program()
    shown = live.shared(("exam", procedure_id), lambda: _gather(ris, procedure_id))
    return live.drawn(
        "exam/show.html",
        shown.version,
        block="exam",
        **shown.content,
        may_answer_rules=may(Permission.RULE_OVERRIDE, exam.site_id) and exam.status in NOT_STARTED,
        may_screen=may(Permission.PATIENT_SCREEN, exam.site_id),
        may_do={name for name, permission in NEXT.items() if may(permission, exam.site_id)},
        may_read_raw=may(Permission.INTERFACE_READ, exam.site_id),
        may_cancel=may(Permission.ORDER_CANCEL, exam.site_id) and exam.status in NOT_STARTED,
    )


def _gather(ris: Program, procedure_id: int) -> Shown:
    """Everything about an exam that all see who may open it."""
    with ris.read() as session:
        exam = orders.exam(session, procedure_id)
        if exam is None:
            raise NotFound("there is no such exam")
        allergies, observations = patients.allergies(session, exam.patient_id), patients.observations(session, exam.patient_id)
        found = {
            "exam": exam,
            "alerts": alerts.of_patients(session, (exam.patient_id,), ris.clock()).get(exam.patient_id, ()),
            "allergies": allergies,
            "observations": observations,
            "against_contrast": against_contrast(allergies, observations, limits_for(session, procedure_id).lowest_egfr)
            if exam.contrast
            else [],
            "ambulatory": [AMBULATORY.get(code, code) for code in (exam.ambulatory_status or "").split()],
            "screening": screened(session, exam.patient_id, ris.clock()),
            "forms": forms.states(session, procedure_id, ris.clock()),
            "charges": charges_of(session, procedure_id),
            "documents": documents(session, exam.order_id),
            "answers": answers(session, procedure_id),
            "protocol": protocol(session, procedure_id),
            "needs_protocol": needs_protocol(session, procedure_id),
            "report_status": statuses(session, [procedure_id]).get(procedure_id),
            "on_hold": held(exam, exam.zone),
            "next_steps": next_steps(exam.status, is_known=exam.known, on_hold=held(exam, exam.zone)),
            "mails": of_exam(session, procedure_id),
            "trail": trail(session, procedure_id),
        }
    return Shown(live.version(found.values(), {}), found)


@bp.post("/cancel")
@requires(Permission.ORDER_CANCEL)
def cancel(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.ORDER_CANCEL)
    with changing() as uow:
        service.cancel_procedure(uow, procedure_id, reason_for(ReasonKind.cancel))
    flash(f"Exam {exam.accession_number} is cancelled; the placer is told.")
    return redirect(url_for("exam.show", procedure_id=procedure_id), 303)
