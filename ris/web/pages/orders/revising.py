"""The page on which an order is changed before it begins: exams changed, split and combined, the order split or replaced."""

from collections.abc import Callable, Collection, Iterable

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import Procedure
from ris.order import desk, undone
from ris.order import revise as orders
from ris.order.page import OrderPage
from ris.order.queries import ExamRow, exams_of_patient
from ris.order.status import NOT_STARTED, ProcedureStatus
from ris.patient.queries import patient
from ris.scheduling import exchange as exchanges
from ris.scheduling.exchange import Appointment, Kind, NoLongerFits
from ris.staff.permission import Permission
from ris.web.access import may, requires
from ris.web.form import Form
from ris.web.page import changing, look, reading, use_key, used_before
from ris.web.pages.orders import asked
from ris.web.pages.orders.views import bp, do, order_at

APPOINTMENTS = {
    Appointment.release: "Release the appointment: the exam waits for another one",
    Appointment.keep: "Keep the appointment as it is, for the reason given",
}


@bp.get("/orders/<int:order_id>/revise")
@requires(Permission.ORDER_ENTER)
def revise(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    look("order", Ref("order", order_id), patient_id=page.order.patient_id, site_id=page.order.site_id)
    chosen = request.args.get("exam", "")
    return _page(page, Form({"change_exam": chosen, "split_exam": chosen, "combine_exam": chosen}))


@bp.post("/orders/<int:order_id>/exchange")
@requires(Permission.ORDER_ENTER)
def exchange(order_id: int) -> ResponseReturnValue:
    """One exam becomes another one, or one of another side."""
    page = order_at(order_id, Permission.ORDER_ENTER)
    form = Form(request.form)
    procedure_id = _line(form, "change_exam", page)
    wanted = _kinds(form, "change")
    reason = form.text("change_reason", "Why it is changed", required=True)
    if not wanted:
        form.errors.setdefault("change_1", "Say which exam it shall be.")

    def work(uow: UnitOfWork) -> object:
        return exchanges.change(uow, procedure_id=procedure_id or 0, to=wanted[0], reason=reason, appointment=_appointment(form, "change"))

    return _do(page, form, work, "The exam is changed; the placer is told.", "change")


@bp.post("/orders/<int:order_id>/exams/<int:procedure_id>/put-back")
@requires(Permission.ORDER_ENTER)
def put_back(order_id: int, procedure_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    line = next((line for line in page.procedures if line.procedure_id == procedure_id), None)
    if line is None:
        abort(404)
    why = {"change_reason": "what was asked for is put back"}
    form = Form({"change_exam": str(procedure_id), "change_1": line.asked, "change_side_1": line.asked_laterality, **why})

    def work(uow: UnitOfWork) -> object:
        return exchanges.put_back(uow, procedure_id=procedure_id)

    return _do(page, form, work, "The exam is again what was asked for; the placer is told.", "change")


@bp.post("/orders/<int:order_id>/split-exam")
@requires(Permission.ORDER_ENTER)
def split_exam(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    form = Form(request.form)
    procedure_id = _line(form, "split_exam", page)
    wanted = _kinds(form, "split")
    reason = form.text("split_reason", "Why it is split", required=True)
    if len(wanted) < 2 and not any(name.startswith("split_") for name in form.errors):
        form.errors["split_2"] = "Name at least two exams."

    def work(uow: UnitOfWork) -> object:
        return exchanges.split(uow, procedure_id=procedure_id or 0, into=wanted, reason=reason, appointment=_appointment(form, "split"))

    return _do(page, form, work, "The exam is split; the placer is told. What is new waits for an appointment.", "split")


@bp.post("/orders/<int:order_id>/split-off")
@requires(Permission.ORDER_ENTER)
def split_off(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    form = Form(request.form)
    chosen = _chosen("off", (line.procedure_id for line in page.open_lines))
    reason = form.text("off_reason", "Why it is split", required=True)
    if not chosen or len(chosen) == len([line for line in page.procedures if line.status is not ProcedureStatus.cancelled]):
        form.errors["off"] = "Choose some of the exams: at least one goes, and at least one stays."
    done = "The exams are an order of their own; the placer is told."
    return _do(page, form, lambda uow: orders.split_off(uow, order_id, chosen, reason), done, "off")


@bp.post("/orders/<int:order_id>/rejoin")
@requires(Permission.ORDER_ENTER)
def rejoin(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    return do(page, lambda uow: orders.rejoin(uow, order_id), "The exams are back in the order that they come from; the placer is told.")


@bp.post("/orders/<int:order_id>/combine")
@requires(Permission.ORDER_CANCEL)
def combine(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_CANCEL)
    form = Form(request.form)
    procedure_id = _line(form, "combine_exam", page)
    with reading() as session:
        others = [row.procedure_id for row in _not_begun(exams_of_patient(session, page.order.patient_id, [page.order.site_id]))]
    absorbed = _chosen("with", (key for key in others if key != procedure_id))
    wanted = _kinds(form, "combine")
    reason = form.text("combine_reason", "Why they are combined", required=True)
    if not absorbed:
        form.errors["with"] = "Choose the exams that are done with it."

    def work(uow: UnitOfWork) -> object:
        return exchanges.combine(
            uow,
            procedure_id=procedure_id or 0,
            absorbed_ids=absorbed,
            to=wanted[0] if wanted else None,
            reason=reason,
            appointment=_appointment(form, "combine"),
        )

    return _do(page, form, work, "One exam answers all of them; the placers of the others are told.", "combine")


@bp.post("/orders/<int:order_id>/replace")
@requires(Permission.ORDER_CANCEL)
def replace(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_CANCEL)
    form = Form(request.form)
    wanted = [desk.procedure_request(procedure, side) for procedure, side in asked.exams(form, _offered(), "new", "new_side")]
    reason = form.text("replace_reason", "Why it is replaced", required=True)
    if not wanted:
        form.errors.setdefault("new_1", "Name at least one exam.")
    done = "This order takes the place of the one before, which is cancelled; the placer is told."
    return _do(page, form, lambda uow: orders.replace(uow, order_id, wanted, reason).id, done, "replace")


@bp.post("/orders/<int:order_id>/unreplace")
@requires(Permission.ORDER_CANCEL)
def unreplace(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_CANCEL)
    done = (
        "The order before is there again, and its exams wait for appointments; the placer is told of the replacement the other way round."
    )
    return do(page, lambda uow: undone.unreplace(uow, order_id), done)


@bp.post("/orders/<int:order_id>/exams/<int:procedure_id>/separate")
@requires(Permission.ORDER_CANCEL)
def separate(order_id: int, procedure_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_CANCEL)
    if procedure_id not in {line.procedure_id for line in page.procedures}:
        abort(404)
    done = "The exam is one of its own again and waits for an appointment. What the other one was changed into stays: put it back there."
    return do(page, lambda uow: undone.separate(uow, procedure_id), done)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do(page: OrderPage, form: Form, work: Callable[[UnitOfWork], object], done: str, card: str) -> ResponseReturnValue:
    """Runs a change once; what is wrong or speaks against it stands on the page with what was written."""
    if (before := used_before()) is not None:
        return before
    if form.errors:
        return _page(page, form, card=card), 422
    try:
        with changing() as uow:
            result = work(uow)
            target = url_for("orders.show", order_id=result if isinstance(result, int) else page.order.id)
            use_key(uow, target)
    except NoLongerFits as error:
        return _page(page, form, card=card, misfits=error), error.http_status
    except RisError as error:
        return _page(order_at(page.order.id, Permission.ORDER_ENTER), form, card=card, refused=error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _page(page: OrderPage, form: Form, *, card: str = "", misfits: NoLongerFits | None = None, refused: str = "") -> str:
    order = page.order
    with reading() as session:
        others = _not_begun(exams_of_patient(session, order.patient_id, [order.site_id]))
        row = patient(session, order.patient_id)
    return render_template(
        "orders/revise.html", page=page, order=order, patient=row, form=form, card=card, misfits=misfits, refused=refused,
        others=others, to_book=[row for row in others if row.status is ProcedureStatus.ordered and row.known],
        offered=_offered().values(), sides=asked.SIDES, rows=asked.ROWS,
        lines=[(line.procedure_id, f"{line.name} · {line.accession_number}") for line in page.open_lines],
        appointments=[(key, text) for key, text in APPOINTMENTS.items() if misfits and (misfits.can_stay or key is not Appointment.keep)],
        may_cancel=may(Permission.ORDER_CANCEL, order.site_id), chosen=lambda name: request.form.getlist(name, type=int),
    )  # fmt: skip


def _offered() -> dict[str, Procedure]:
    with reading() as session:
        return desk.offered(session)


def _not_begun(rows: Collection[ExamRow]) -> list[ExamRow]:
    return [row for row in rows if row.status in NOT_STARTED]


def _line(form: Form, name: str, page: OrderPage) -> int | None:
    return form.key(name, "The exam", [line.procedure_id for line in page.open_lines])


def _kinds(form: Form, name: str) -> list[Kind]:
    return [Kind(procedure.id, side) for procedure, side in asked.exams(form, _offered(), name, f"{name}_side")]


def _appointment(form: Form, name: str) -> Appointment | None:
    text = form.value(f"{name}_appointment")
    return Appointment(text) if text in set(Appointment) else None


def _chosen(name: str, known: Iterable[int]) -> list[int]:
    """What is ticked, of what can be."""
    offered = set(known)
    return [key for key in request.form.getlist(name, type=int) if key in offered]
