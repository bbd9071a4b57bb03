"""The pages of an exam in the room: before it the check list, while it runs and after it what was done."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import MaterialKind, ReasonKind
from ris.exam import checks, otherwise, record, service
from ris.exam.model import UNITS, Quantity
from ris.exam.performed import in_one_go, materials, performed_of, waiting_beside
from ris.exam.queries import room_of_appointment
from ris.order.desk import offered
from ris.order.queries import ExamRow
from ris.order.status import NOT_STARTED
from ris.patient import queries as patients
from ris.patient.queries import AMBULATORY
from ris.scheduling.appointment import rooms_for
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, exam_here, look, program, reading, reason_for, use_key, used_before

bp = Blueprint("perform", __name__, url_prefix="/exams/<int:procedure_id>/perform", template_folder="templates")

LIST = "technologist"
Work = Callable[[UnitOfWork], object]


@bp.get("")
@requires(Permission.EXAM_PERFORM)
def show(procedure_id: int) -> ResponseReturnValue:
    exam = _looked_at(procedure_id)
    return redirect(url_for("perform.check", procedure_id=procedure_id, **_filters()), 303) if exam.status in NOT_STARTED else _room(exam)


@bp.get("/start")
@requires(Permission.EXAM_PERFORM)
def check(procedure_id: int) -> ResponseReturnValue:
    """The check list; also before a later step of an exam that has begun."""
    return _check_list(_looked_at(procedure_id))


@bp.post("/start")
@requires(Permission.EXAM_PERFORM)
def start(procedure_id: int) -> ResponseReturnValue:
    form = request.form
    confirmed = form.getlist("confirmed")
    with reading() as session:
        beside = {row.procedure_id for row in waiting_beside(session, exam_here(procedure_id, Permission.EXAM_PERFORM).procedure_id)}
    together = [other for other in form.getlist("together", type=int) if other in beside]

    def work(uow: UnitOfWork) -> None:
        room_id = form.get("room_id", type=int)
        reasons = {name.removeprefix("reason-"): reason_for(ReasonKind.override, name) for name in form if name.startswith("reason-")}
        otherwise.begin_together(
            uow, procedure_ids=[procedure_id, *together], room_id=room_id, confirmed=confirmed, reasons=reasons
        )  # fmt: skip

    return _do(procedure_id, work, "The exam is started.", leads_to=_list_address())


@bp.post("/pause")
@requires(Permission.EXAM_PERFORM)
def pause(procedure_id: int) -> ResponseReturnValue:
    return _do(procedure_id, lambda uow: _of_all(uow, procedure_id, service.pause), "The exam is paused.")


@bp.post("/resume")
@requires(Permission.EXAM_PERFORM)
def resume(procedure_id: int) -> ResponseReturnValue:
    return _do(procedure_id, lambda uow: _of_all(uow, procedure_id, service.resume), "The exam goes on.")


@bp.post("/give")
@requires(Permission.EXAM_PERFORM)
def give(procedure_id: int) -> ResponseReturnValue:
    form = request.form

    def work(uow: UnitOfWork) -> None:
        material_id = form.get("material_id", type=int)
        giving = record.Giving(
            amount=_number(form.get("amount", ""), "The amount"), lot=form.get("lot", ""), material_id=material_id,
            kind=MaterialKind.supply if material_id else _kind(form.get("kind", "")), name=form.get("name", ""), unit=form.get("unit", ""),
        )  # fmt: skip
        record.give(uow, procedure_id=procedure_id, giving=giving)

    return _do(procedure_id, work, "It is written down.")


@bp.post("/take-back")
@requires(Permission.EXAM_PERFORM)
def take_back(procedure_id: int) -> ResponseReturnValue:
    given_id = request.form.get("given_id", 0, type=int)
    return _do(procedure_id, lambda uow: record.take_back(uow, procedure_id=procedure_id, given_id=given_id), "The entry is taken back.")


@bp.post("/measure")
@requires(Permission.EXAM_PERFORM)
def measure(procedure_id: int) -> ResponseReturnValue:
    def work(uow: UnitOfWork) -> None:
        written = {quantity: request.form.get(quantity, "").strip() for quantity in Quantity}
        values = {quantity: _number(text, quantity.replace("_", " ").capitalize()) for quantity, text in written.items() if text}
        record.measure(uow, procedure_id=procedure_id, values=values)

    return _do(procedure_id, work, "The dose is written down.")


@bp.post("/note")
@requires(Permission.EXAM_PERFORM)
def note(procedure_id: int) -> ResponseReturnValue:
    text = request.form.get("note", "")
    return _do(procedure_id, lambda uow: record.note(uow, procedure_id=procedure_id, text=text), "The note is kept.")


@bp.post("/react")
@requires(Permission.EXAM_PERFORM)
def react(procedure_id: int) -> ResponseReturnValue:
    said = {name: request.form.get(name, "") for name in ("substance", "severity", "reaction")}
    return _do(
        procedure_id, lambda uow: record.react(uow, procedure_id=procedure_id, **said), "It is an allergy of the patient from now on."
    )


@bp.post("/complete")
@requires(Permission.EXAM_PERFORM)
def complete(procedure_id: int) -> ResponseReturnValue:
    form = request.form

    def work(uow: UnitOfWork) -> None:
        count = form.get("image_count", "").strip()
        if count and not count.isdecimal():
            raise Invalid("the number of images is a whole number")
        note, images = form.get("note", "").strip(), int(count) if count else None
        _of_all(uow, procedure_id, partial(service.complete, note=note, image_count=images))

    return _do(procedure_id, work, "The exam is completed; it can be read.", leads_to=_list_address())


@bp.post("/instead")
@requires(Permission.EXAM_PERFORM)
def instead(procedure_id: int) -> ResponseReturnValue:
    done_id = request.form.get("done_id", 0, type=int)
    return _do(
        procedure_id, lambda uow: otherwise.do_instead(uow, procedure_id=procedure_id, done_id=done_id),
        "What is done instead is kept beside what was asked.",
    )  # fmt: skip


@bp.post("/also")
@requires(Permission.EXAM_PERFORM)
def also(procedure_id: int) -> ResponseReturnValue:
    done_id = request.form.get("done_id", 0, type=int)
    return _do(
        procedure_id, lambda uow: otherwise.do_also(uow, procedure_id=procedure_id, done_id=done_id),
        "A further exam of the order has begun in the same go.",
    )  # fmt: skip


@bp.post("/discontinue")
@requires(Permission.EXAM_PERFORM)
def discontinue(procedure_id: int) -> ResponseReturnValue:
    def work(uow: UnitOfWork) -> None:
        service.discontinue(uow, procedure_id=procedure_id, reason=reason_for(ReasonKind.discontinue))

    return _do(procedure_id, work, "The exam is discontinued.", leads_to=_list_address())


@bp.post("/undo")
@requires(Permission.EXAM_PERFORM)
def undo(procedure_id: int) -> ResponseReturnValue:
    """Of the step that came last."""
    return _do(procedure_id, lambda uow: service.undo(uow, procedure_id=procedure_id), "It is undone.")


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do(procedure_id: int, work: Work, done: str, *, leads_to: str = "") -> ResponseReturnValue:
    """Does it and goes on, or shows the page again with the reason why not."""
    exam_here(procedure_id, Permission.EXAM_PERFORM)
    target = leads_to or url_for("perform.show", procedure_id=procedure_id, **_filters())
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        reasons = error.missing if isinstance(error, NotAllowedNow) and error.missing else (error.message,)
        exam = exam_here(procedure_id, Permission.EXAM_PERFORM)
        shows_list = exam.status in NOT_STARTED or request.endpoint == "perform.start"
        return (_check_list if shows_list else _room)(exam, reasons), error.http_status
    flash(done)
    return redirect(target, 303)


def _of_all(uow: UnitOfWork, procedure_id: int, work: Callable[..., object]) -> None:
    otherwise.of_all(uow, procedure_id=procedure_id, work=lambda uow, member: work(uow, procedure_id=member))


def _check_list(exam: ExamRow, refused: tuple[str, ...] = ()) -> str:
    with reading() as session:
        return render_template(
            "perform/start.html",
            **_both(session, exam, refused),
            points=checks.points(session, exam.procedure_id, program().clock()),
            rooms=rooms_for(session, exam.procedure_id),
            room_id=room_of_appointment(session, exam.procedure_id),
            beside=waiting_beside(session, exam.procedure_id),
            together=request.form.getlist("together", type=int),
        )


def _room(exam: ExamRow, refused: tuple[str, ...] = ()) -> str:
    quantities = record.MEASURED.get(exam.modality, ()) if exam.modality else ()
    with reading() as session:
        performed = performed_of(session, exam.procedure_id)
        acquisition_id = performed.acquisition_id if performed else None
        return render_template(
            "perform/show.html",
            **_both(session, exam, refused),
            now=program().clock(),
            performed=performed,
            beside=in_one_go(session, exam.procedure_id, acquisition_id) if acquisition_id else [],
            catalogue=[kind for kind in offered(session).values() if kind.modality is exam.modality],
            materials=materials(session),
            kinds=list(MaterialKind),
            quantities=[(quantity, UNITS[quantity]) for quantity in quantities],
        )


def _both(session: Session, exam: ExamRow, refused: tuple[str, ...]) -> dict[str, Any]:
    return {
        "exam": exam,
        "refused": refused,
        "filters": _filters(),
        "list_address": _list_address(),
        "allergies": patients.allergies(session, exam.patient_id),
        "observations": patients.observations(session, exam.patient_id),
        "ambulatory": [AMBULATORY.get(code, code) for code in (exam.ambulatory_status or "").split()],
    }


def _filters() -> dict[str, Any]:
    """Those of the list from which the person came; they travel in the address."""
    return {name: value for name in ("q", "room", "status", "date") if (value := request.args.get(name))}


def _list_address() -> str:
    return url_for("worklist.show", name=LIST, **_filters())


def _looked_at(procedure_id: int) -> ExamRow:
    exam = exam_here(procedure_id, Permission.EXAM_PERFORM)
    look("exam in the room", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return exam


def _number(text: str, what: str) -> Decimal:
    """A decimal number with a point or a comma."""
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation as error:
        raise Invalid(f"{what} is not a number") from error
    if not number.is_finite():
        raise Invalid(f"{what} is not a number")
    return number


def _kind(text: str) -> MaterialKind:
    try:
        return MaterialKind(text)
    except ValueError as error:
        raise Invalid("say what kind of thing was given") from error
