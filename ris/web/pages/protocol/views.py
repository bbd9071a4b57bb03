"""The protocol of an exam, and what each of those concerned can do with it."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order.queries import ExamRow
from ris.order.status import NOT_STARTED
from ris.patient import queries as patients
from ris.patient.screening import screened
from ris.protocol import queries, service
from ris.protocol.service import Plan
from ris.protocol.status import PROTOCOL, Urgency
from ris.staff.permission import Permission
from ris.web.access import may, person, requires
from ris.web.page import changing, exam_here, look, program, reading, use_key, used_before

bp = Blueprint("protocol", __name__, url_prefix="/exams/<int:procedure_id>/protocol", template_folder="templates")

URGENCIES = {
    Urgency.immediate: "Immediate: within two hours",
    Urgency.urgent: "Urgent: within two days",
    Urgency.soon: "Soon: within two weeks",
    Urgency.elective: "Elective: as there is room",
}


@bp.get("")
@requires(Permission.EXAM_READ)
def show(procedure_id: int) -> ResponseReturnValue:
    exam = exam_here(procedure_id, Permission.EXAM_READ)
    look("protocol", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _page(exam)


@bp.post("/propose")
@requires(Permission.PROTOCOL_PROPOSE)
def propose(procedure_id: int) -> ResponseReturnValue:
    done = "The protocol is proposed: somebody else approves it."
    return _do(
        procedure_id, Permission.PROTOCOL_PROPOSE, done, lambda uow: service.propose(uow, procedure_id, _plan(), row_version=_version())
    )


@bp.post("/approve")
@requires(Permission.PROTOCOL_APPROVE)
def approve(procedure_id: int) -> ResponseReturnValue:
    done = "The protocol is approved: the desk and the room see it now."
    return _do(
        procedure_id, Permission.PROTOCOL_APPROVE, done, lambda uow: service.approve(uow, procedure_id, _plan(), row_version=_version())
    )


@bp.post("/send-back")
@requires(Permission.PROTOCOL_APPROVE)
def send_back(procedure_id: int) -> ResponseReturnValue:
    done = "The proposal is sent back with your remark."
    return _do(procedure_id, Permission.PROTOCOL_APPROVE, done, lambda uow: service.send_back(uow, procedure_id, _said()))


@bp.post("/reject")
@requires(Permission.PROTOCOL_PROPOSE)
def reject(procedure_id: int) -> ResponseReturnValue:
    done = "The exam is back at the desk, with your remark as a task."
    return _do(procedure_id, Permission.PROTOCOL_PROPOSE, done, lambda uow: service.reject(uow, procedure_id, _said()))


@bp.post("/resubmit")
@requires(Permission.SCHEDULE_BOOK)
def resubmit(procedure_id: int) -> ResponseReturnValue:
    done = "It is handed in again: the radiologists see it on their list."
    return _do(procedure_id, Permission.SCHEDULE_BOOK, done, lambda uow: service.resubmit(uow, procedure_id, _said()))


@bp.post("/reopen")
@requires(Permission.PROTOCOL_APPROVE)
def reopen(procedure_id: int) -> ResponseReturnValue:
    done = "The protocol is open again; until it is approved anew the exam has none."
    return _do(procedure_id, Permission.PROTOCOL_APPROVE, done, lambda uow: service.reopen(uow, procedure_id))


def _do(procedure_id: int, permission: Permission, done: str, work: Callable[[UnitOfWork], object]) -> ResponseReturnValue:
    exam = exam_here(procedure_id, permission)
    if (before := used_before()) is not None:
        return before
    target = url_for("protocol.show", procedure_id=procedure_id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return _page(exam, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _page(exam: ExamRow, refused: str = "") -> str:
    with reading() as session:
        protocol = queries.protocol(session, exam.procedure_id)
        allergies, observations = patients.allergies(session, exam.patient_id), patients.observations(session, exam.patient_id)
        return render_template(
            "protocol/show.html",
            exam=exam, protocol=protocol, refused=refused, urgencies=URGENCIES, typed=request.form if refused else {},
            codes=queries.codes_for(session, exam.modality) if exam.modality else [],
            is_needed=queries.needs_protocol(session, exam.procedure_id),
            allergies=allergies, observations=observations, screening=screened(session, exam.patient_id, program().clock()),
            steps=PROTOCOL.open_steps(protocol.status) if exam.status in NOT_STARTED else (),
            is_own=protocol.proposed_by_id == person().id,
            may_propose=may(Permission.PROTOCOL_PROPOSE, exam.site_id), may_approve=may(Permission.PROTOCOL_APPROVE, exam.site_id),
            may_resubmit=may(Permission.SCHEDULE_BOOK, exam.site_id),
        )  # fmt: skip


def _plan() -> Plan:
    """The form's plan. Raises Invalid for an urgency that is none."""
    urgency = request.form.get("urgency", "")
    if urgency not in set(Urgency):
        raise Invalid("choose how urgent it is")
    codes = tuple(code for code in dict.fromkeys(request.form.getlist("codes")) if code)
    return Plan(codes, request.form.get("instructions", ""), Urgency(urgency))


def _version() -> int | None:
    return request.form.get("row_version", type=int)


def _said() -> str:
    return request.form.get("said", "")
