"""Registering patients at the desk: somebody new past the duplicate guard, somebody unknown, and correcting who is known."""

from collections.abc import Callable
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.clock import local
from ris.base.errors import NotFound, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order.queries import is_visible
from ris.patient import desk, naming
from ris.patient.desk import LooksAlike
from ris.patient.guard import Alike
from ris.patient.model import Patient, Sex
from ris.staff.permission import Permission
from ris.web.access import not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, program, reading, use_key, used_before, working_site
from ris.web.pages.patient.person import SEXES, WAYS, filled, person

bp = Blueprint("registration", __name__, url_prefix="/patients", template_folder="templates")


@bp.get("/new")
@requires(Permission.PATIENT_EDIT)
def new() -> ResponseReturnValue:
    """An empty form, or one with the family and given name of a search that found nobody."""
    family, _, given = request.args.get("q", "")[:200].partition(",")
    return _new(Form({"family": family, "given": given}))


@bp.post("/new")
@requires(Permission.PATIENT_EDIT)
def register() -> ResponseReturnValue:
    """Who looks like somebody known is shown first; the form comes back with a box for each that was looked at."""
    if (before := used_before()) is not None:
        return before
    form = Form(request.form)
    data, earlier = person(form, _today()), form.text("earlier", "The earlier family name", longest=naming.LONGEST)
    if form.errors:
        return _new(form), 422
    looked_at = {int(key) for key in request.form.getlist("looked_at") if key.isdigit()}
    try:
        with changing() as uow:
            patient = desk.register(uow, data, earlier=earlier, looked_at=looked_at if request.form.get("is_other") else ())
            use_key(uow, url_for("patient.show", patient_id=patient.id))
    except LooksAlike as error:
        return _new(form, error.message, error.candidates), error.http_status
    except RisError as error:
        form.errors["other_number"] = f"{error.message[0].upper()}{error.message[1:]}."
        return _new(form), error.http_status
    flash("The patient is registered.")
    return redirect(url_for("patient.show", patient_id=patient.id), 303)


@bp.post("/unknown")
@requires(Permission.PATIENT_EDIT)
def register_unknown() -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    form = Form(request.form)
    sex = form.choice("unknown_sex", "The sex", Sex, default=Sex.unknown) or Sex.unknown
    found = form.text("found", "What is known", longest=200)
    if form.errors:
        return _new(form), 422
    with changing() as uow:
        patient = desk.register_unknown(uow, sex=sex, found=found, site_id=working_site(sites_for(Permission.PATIENT_EDIT)))
        use_key(uow, url_for("patient.show", patient_id=patient.id))
    flash(f"{patient.name} is registered under a made-up name. A task asks for the right one.")
    return redirect(url_for("patient.show", patient_id=patient.id), 303)


@bp.get("/<int:patient_id>/edit")
@requires(Permission.PATIENT_EDIT)
def edit(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id)
    look("patient", Ref("patient", patient_id), patient_id=patient_id)
    return _edit(patient, filled(patient))


@bp.post("/<int:patient_id>/edit")
@requires(Permission.PATIENT_EDIT)
def correct(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id)
    form = Form(request.form)
    data = person(form, _today())
    row_version = form.number("row_version", "The version", least=0, most=2**31, required=True)
    if form.errors or row_version is None:
        return _edit(patient, form), 422

    def work(uow: UnitOfWork) -> None:
        desk.correct(uow, patient_id, data, row_version=row_version, keeps_former=not request.form.get("was_wrong"))

    return _saved(work, patient, form)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _saved(work: Callable[[UnitOfWork], None], patient: Patient, form: Form) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    target = url_for("patient.show", patient_id=patient.id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        form.values["row_version"] = str(_patient(patient.id).row_version)
        return _edit(_patient(patient.id), form, error.message), error.http_status
    flash("The patient is saved.")
    return redirect(target, 303)


def _new(form: Form, refused: str = "", candidates: list[Alike] | None = None) -> str:
    may_see = sites_for(Permission.PATIENT_READ)
    with reading() as session:
        shown = [(row, is_visible(session, row.patient_id, may_see)) for row in candidates or []]
    for row, _ in shown:
        look("duplicate guard", Ref("patient", row.patient_id), patient_id=row.patient_id)
    has_twin = any(row.is_twin for row, _ in shown)
    return render_template("patient/new.html", form=form, refused=refused, candidates=shown, has_twin=has_twin, sexes=SEXES, ways=WAYS)


def _edit(patient: Patient, form: Form, refused: str = "") -> str:
    return render_template("patient/edit.html", patient=patient, form=form, refused=refused, sexes=SEXES, ways=WAYS)


def _patient(patient_id: int) -> Patient:
    with reading() as session:
        patient = session.get(Patient, patient_id)
        if patient is None or patient.merged_into_id is not None:
            raise NotFound("there is no such patient")
        if not is_visible(session, patient_id, sites_for(Permission.PATIENT_EDIT)):
            raise not_here(Permission.PATIENT_EDIT, Ref("patient", patient_id))
        return patient


def _today() -> date:
    """The latest day that it is anywhere: nobody is born after it."""
    return local(program().clock(), "Pacific/Kiritimati").date()
