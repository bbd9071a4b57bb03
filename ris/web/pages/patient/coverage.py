"""Coverage and authorisations of a patient: what senders say, what the desk adds, corrects and ends."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order import desk
from ris.order.authorized import used
from ris.order.queries import is_visible
from ris.patient import coverage, queries
from ris.patient.coverage import AuthorizationData, CoverageData
from ris.patient.model import Coverage
from ris.patient.queries import PatientRow
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, reading, use_key, used_before

bp = Blueprint("coverage", __name__, url_prefix="/patients/<int:patient_id>/coverage", template_folder="templates")


@bp.get("")
@requires(Permission.PATIENT_READ)
def show(patient_id: int) -> ResponseReturnValue:
    """With `?edit=` the form holds one of the desk's coverages."""
    patient = _patient(patient_id, Permission.PATIENT_READ)
    look("coverage", Ref("patient", patient_id), patient_id=patient_id)
    return _show(patient, _filled(patient_id, request.args.get("edit", type=int)), Form())


@bp.post("")
@requires(Permission.PATIENT_EDIT)
def save(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_EDIT)
    form = Form(request.form)
    data = _coverage(form)
    coverage_id = int(form.value("coverage_id")) if form.value("coverage_id").isdigit() else None
    row_version = int(form.value("row_version")) if form.value("row_version").isdigit() else None
    if form.errors:
        return _show(patient, form, Form()), 422

    def work(uow: UnitOfWork) -> None:
        coverage.save_coverage(uow, patient_id, data, coverage_id=coverage_id, row_version=row_version)

    return _do(patient, work, "The coverage is saved.", form, Form())


@bp.post("/<int:coverage_id>/end")
@requires(Permission.PATIENT_EDIT)
def end(patient_id: int, coverage_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_EDIT)
    return _do(patient, lambda uow: coverage.end_coverage(uow, patient_id, coverage_id), "The coverage is ended.", Form(), Form())


@bp.post("/authorizations")
@requires(Permission.PATIENT_EDIT)
def authorize(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_EDIT)
    form = Form(request.form)
    data = _authorization(form, patient_id)
    if form.errors or data is None:
        return _show(patient, Form(), form), 422
    return _do(patient, lambda uow: coverage.authorize(uow, patient_id, data), "The authorisation is saved.", Form(), form)


@bp.post("/authorizations/<int:authorization_id>/end")
@requires(Permission.PATIENT_EDIT)
def end_authorization(patient_id: int, authorization_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_EDIT)

    def work(uow: UnitOfWork) -> None:
        coverage.end_authorization(uow, patient_id, authorization_id)

    return _do(patient, work, "The authorisation is ended: no further exam can be put under it.", Form(), Form())


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do(patient: PatientRow, work: Callable[[UnitOfWork], object], done: str, covering: Form, authorizing: Form) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    target = url_for("coverage.show", patient_id=patient.patient_id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return _show(patient, covering, authorizing, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _show(patient: PatientRow, covering: Form, authorizing: Form, refused: str = "") -> str:
    patient_id = patient.patient_id
    with reading() as session:
        agreed, covered = coverage.authorizations(session, patient_id), coverage.coverages(session, patient_id)
        return render_template(
            "patient/coverage.html",
            patient=patient,
            coverages=covered,
            payers=[(row.id, row.payer) for row in covered],
            authorizations=agreed,
            used=used(session, [row.id for row in agreed]),
            covering=covering,
            authorizing=authorizing,
            refused=refused,
            may_edit=may_anywhere(Permission.PATIENT_EDIT) and is_visible(session, patient_id, sites_for(Permission.PATIENT_EDIT)),
        )


def _coverage(form: Form) -> CoverageData:
    first = form.day("valid_from", "The first day")
    last = form.day("valid_to", "The last day")
    if first and last and last < first:
        form.errors["valid_to"] = "The last day is before the first."
    return CoverageData(
        payer=form.text("payer", "The payer", required=True),
        payer_code=form.text("payer_code", "The payer's code"),
        plan=form.text("plan", "The plan"),
        member_number=form.text("member_number", "The member number"),
        group_number=form.text("group_number", "The group number"),
        rank=form.number("rank", "The order", least=1, most=9) or 1,
        valid_from=first,
        valid_to=last,
    )


def _authorization(form: Form, patient_id: int) -> AuthorizationData | None:
    with reading() as session:
        offered = desk.offered(session)
        keys = [row.id for row in coverage.coverages(session, patient_id)]
    codes = tuple(code for text in form.text("codes", "The exams").replace(",", " ").split() if (code := text.upper()))
    unknown = [code for code in codes if code not in offered]
    if unknown:
        form.errors["codes"] = f"There is no exam {', '.join(unknown)} in our catalogue."
    first = form.day("from", "The first day")
    last = form.day("to", "The last day")
    if first and last and last < first:
        form.errors["to"] = "The last day is before the first."
    units = form.number("units", "The number of exams", least=1, most=999, required=True)
    number = form.text("number", "The number", required=True)
    coverage_id = form.key("for_coverage", "The coverage", keys, required=False)
    return AuthorizationData(number, units, codes, first, last, coverage_id) if units else None


def _filled(patient_id: int, coverage_id: int | None) -> Form:
    if coverage_id is None:
        return Form({"rank": "1"})
    with reading() as session:
        row = session.get(Coverage, coverage_id)
    if row is None or row.patient_id != patient_id or row.partner_id is not None or row.ended_at is not None:
        raise NotFound("the patient has no such coverage of the desk's")
    said = {name: str(getattr(row, name) or "") for name in CoverageData.__slots__}
    return Form({**said, "coverage_id": str(row.id), "row_version": str(row.row_version)})


def _patient(patient_id: int, permission: Permission) -> PatientRow:
    with reading() as session:
        row = queries.patient(session, patient_id)
        if row is None or row.merged_into_id is not None:
            raise NotFound("there is no such patient")
        if not is_visible(session, patient_id, sites_for(permission)):
            raise not_here(permission, Ref("patient", patient_id))
        return row
