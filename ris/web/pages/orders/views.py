"""The pages of orders: enter one for a patient, see it, correct, hold, release and cancel it."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask import request as http
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import NotFound, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import ReasonKind
from ris.order import authorized, desk, documents, placer, service, undone
from ris.order.calls import calls
from ris.order.held import held
from ris.order.model import Order, RequestedProcedure
from ris.order.page import OrderPage, number_givers, order_page
from ris.order.queries import is_visible
from ris.patient.queries import PatientRow, patient
from ris.scheduling.appointment import site_names, zone_of
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, program, reading, reason_in, use_key, used_before, working_site
from ris.web.pages.orders import asked

bp = Blueprint("orders", __name__, template_folder="templates")


@bp.get("/patients/<int:patient_id>/orders/new")
@requires(Permission.ORDER_ENTER)
def new(patient_id: int) -> ResponseReturnValue:
    row = _patient(patient_id)
    look("patient", Ref("patient", patient_id), patient_id=patient_id)
    return _new(row, Form({"site_id": str(working_site(sites_for(Permission.ORDER_ENTER)) or "")}))


@bp.post("/patients/<int:patient_id>/orders/new")
@requires(Permission.ORDER_ENTER)
def enter(patient_id: int) -> ResponseReturnValue:
    row = _patient(patient_id)
    if (before := used_before()) is not None:
        return before
    form = Form(http.form)
    own = sites_for(Permission.ORDER_ENTER)
    site_id = form.key("site_id", "The site", own)
    with reading() as session:
        zone = zone_of(session, site_id) if site_id else "UTC"
        partner_ids = [partner_id for partner_id, _ in number_givers(session)]
        wanted = asked.request(
            form, patient_id=patient_id, site_id=site_id or 0, zone=zone, offered=desk.offered(session), sets=desk.order_sets(session),
            partner_ids=partner_ids,
        )  # fmt: skip
    if form.errors:
        return _new(row, form), 422
    try:
        with changing() as uow:
            order = desk.enter(uow, wanted)
            target = url_for("orders.show", order_id=order.id)
            use_key(uow, target)
    except RisError as error:
        return _new(row, form, error.message), error.http_status
    numbers = ", ".join(procedure.accession_number for procedure in order.procedures)
    flash(f"The order is entered: {numbers}.")
    return redirect(target, 303)


@bp.get("/orders/<int:order_id>")
@requires(Permission.EXAM_READ)
def show(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.EXAM_READ)
    look("order", Ref("order", order_id), patient_id=page.order.patient_id, site_id=page.order.site_id)
    return page_of(page)


@bp.post("/orders/<int:order_id>")
@requires(Permission.ORDER_ENTER)
def correct(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    form = Form(http.form)
    said = asked.details(form, page.zone)
    row_version = form.number("row_version", "The version", least=0, most=2**31, required=True)
    if form.errors or row_version is None:
        return page_of(page, form=form), 422
    return do(page, lambda uow: desk.correct(uow, order_id, said, row_version=row_version), "The order is saved.", form)


@bp.post("/orders/<int:order_id>/hold")
@requires(Permission.ORDER_ENTER)
def hold(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    form = Form(http.form)
    reason = reason_in(form, "hold_reason", "Why it is held", ReasonKind.hold)
    until = asked.moment(form, "held_until", "The end of the hold", page.zone)
    if form.errors:
        return page_of(page, holding=form), 422
    return do(page, lambda uow: desk.hold(uow, order_id, reason, until=until), "The order is on hold: nothing of it can be booked.")


@bp.post("/orders/<int:order_id>/release")
@requires(Permission.ORDER_ENTER)
def release(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    return do(page, lambda uow: placer.release(uow, order_id), "The order is released: it can be booked.")


@bp.post("/orders/<int:order_id>/cancel")
@requires(Permission.ORDER_CANCEL)
def cancel(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_CANCEL)
    form = Form(http.form)
    reason = reason_in(form, "cancel_reason", "Why it is cancelled", ReasonKind.cancel)
    if form.errors:
        return page_of(page, cancelling=form), 422
    return do(page, lambda uow: service.cancel(uow, order_id, reason), "The order is cancelled with all its exams; the placer is told.")


@bp.post("/orders/<int:order_id>/exams/<int:procedure_id>/authorization")
@requires(Permission.ORDER_ENTER)
def authorize(order_id: int, procedure_id: int) -> ResponseReturnValue:
    """Puts one exam under an authorisation, or under none."""
    page = order_at(order_id, Permission.ORDER_ENTER)
    if procedure_id not in {line.procedure_id for line in page.procedures}:
        abort(404)
    chosen = http.form.get("authorization_id", type=int)
    done = "The exam is done under the authorisation." if chosen else "The exam is done under no authorisation."
    return do(page, lambda uow: authorized.put_under(uow, procedure_id, chosen), done)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def do(page: OrderPage, work: Callable[[UnitOfWork], object], done: str, form: Form | None = None) -> ResponseReturnValue:
    """Runs a change once; a refused one shows the order as it is now, with what was written."""
    if (before := used_before()) is not None:
        return before
    order_id = page.order.id
    target = url_for("orders.show", order_id=order_id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        now = order_at(order_id, Permission.EXAM_READ)
        if form is not None:
            form.values["row_version"] = str(now.order.row_version)
        return page_of(now, form=form, refused=error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _new(row: PatientRow, form: Form, refused: str = "") -> str:
    with reading() as session:
        return render_template(
            "orders/new.html",
            patient=row, form=form, refused=refused, sites=site_names(session, sites_for(Permission.ORDER_ENTER)),
            offered=desk.offered(session).values(), sets=desk.order_sets(session).values(),
            givers=number_givers(session), rows=asked.ROWS, sides=asked.SIDES,
            priorities=asked.PRIORITIES,
        )  # fmt: skip


def page_of(
    page: OrderPage,
    *,
    form: Form | None = None,
    holding: Form | None = None,
    cancelling: Form | None = None,
    attaching: Form | None = None,
    refused: str = "",
) -> str:
    """The page of an order, with a form as it was written where something in it was wrong."""
    site_id = page.order.site_id
    with reading() as session:
        row = patient(session, page.order.patient_id)
        today = local(program().clock(), page.zone).date()
        agreed = {
            line.procedure_id: authorized.choices(session, patient_id=page.order.patient_id, code=line.code, on=today)
            for line in page.procedures
        }
        papers, made = documents.documents(session, page.order.id), calls(session, [page.order.id]).get(page.order.id, [])
        under = authorized.of_procedures(session, list(agreed))
        for_good = _for_good(session, page)
    return render_template(
        "orders/show.html", for_good=for_good, agreed=agreed, under=under, documents=papers, calls=made, attaching=attaching or Form(),
        page=page, order=page.order, on_hold=held(page.order, page.zone),
        patient=row, form=form or asked.filled(page.order, page.zone), is_open=form is not None,
        holding=holding or Form(), cancelling=cancelling or Form(), refused=refused, priorities=asked.PRIORITIES,
        may_change=may(Permission.ORDER_ENTER, site_id) and not page.has_ended,
        may_attach=may(Permission.ORDER_ENTER, site_id), document_kinds=asked.DOCUMENT_KINDS,
        may_cancel_here=may(Permission.ORDER_CANCEL, site_id),
        may_cancel=may(Permission.ORDER_CANCEL, site_id) and not page.has_ended and not page.has_begun,
    )  # fmt: skip


def _for_good(session: Session, page: OrderPage) -> dict[int, str]:
    """Combined exams, and the order that this one replaces, each with why that stays; an empty reason where it can be taken back."""
    found = {
        line.procedure_id: undone.why_combined_for_good(session, session.get_one(RequestedProcedure, line.procedure_id))
        for line in page.procedures
        if line.combined_into_id
    }
    old_id = page.order.replaces_id
    if old_id is not None:
        found[old_id] = undone.why_replaced_for_good(session, session.get_one(Order, old_id), session.get_one(Order, page.order.id))
    return found


def order_at(order_id: int, permission: Permission) -> OrderPage:
    """The order, for somebody who has the permission at its site; who does one of its exams reads it too."""
    with reading() as session:
        page = order_page(session, order_id)
    if page is None:
        abort(404)
    readers = {line.site_id for line in page.procedures} if permission is Permission.EXAM_READ else set()
    if not any(may(permission, site_id) for site_id in (page.order.site_id, *readers)):
        raise not_here(permission, Ref("order", order_id))
    return page


def _patient(patient_id: int) -> PatientRow:
    with reading() as session:
        row = patient(session, patient_id)
        if row is None or row.merged_into_id is not None:
            raise NotFound("there is no such patient")
        if not is_visible(session, patient_id, sites_for(Permission.ORDER_ENTER)):
            raise not_here(Permission.ORDER_ENTER, Ref("patient", patient_id))
        return row
