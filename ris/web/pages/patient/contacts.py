"""The contacts of a patient: whom senders name, and whom the desk adds, corrects and ends."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order.queries import is_visible
from ris.patient import contacts, queries
from ris.patient.contacts import ContactData
from ris.patient.email import is_address
from ris.patient.model import PatientContact
from ris.patient.queries import PatientRow
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, not_here, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, reading, use_key, used_before

bp = Blueprint("contacts", __name__, url_prefix="/patients/<int:patient_id>/contacts", template_folder="templates")

_LONGEST = 100
_TEXTS = {
    "name": "The name", "relation": "The relation", "phone": "The telephone number", "other_phone": "The other number",
    "email": "The e-mail address",
}  # fmt: skip
_FLAGS = ("is_guardian", "is_called_first")


@bp.get("")
@requires(Permission.PATIENT_READ)
def show(patient_id: int) -> ResponseReturnValue:
    """With `?edit=` the form holds one of the desk's contacts."""
    patient = _patient(patient_id, Permission.PATIENT_READ)
    look("contacts", Ref("patient", patient_id), patient_id=patient_id)
    return _show(patient, _filled(patient_id, request.args.get("edit", type=int)))


@bp.post("")
@requires(Permission.PATIENT_EDIT)
def save(patient_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_EDIT)
    form = Form(request.form)
    said = {name: form.text(name, label, required=name == "name", longest=_LONGEST) for name, label in _TEXTS.items()}
    if said["email"] and not is_address(said["email"]):
        form.errors["email"] = "The e-mail address is written like anna@example.org."
    if form.errors:
        return _show(patient, form), 422
    is_guardian, is_called_first = (bool(form.value(name)) for name in _FLAGS)
    data = ContactData(**said, is_guardian=is_guardian, is_called_first=is_called_first)
    contact_id, row_version = (int(form.value(name)) if form.value(name).isdigit() else None for name in ("contact_id", "row_version"))

    def work(uow: UnitOfWork) -> None:
        contacts.save_contact(uow, patient_id, data, contact_id=contact_id, row_version=row_version)

    return _do(patient, work, "The contact is saved.", form)


@bp.post("/<int:contact_id>/end")
@requires(Permission.PATIENT_EDIT)
def end(patient_id: int, contact_id: int) -> ResponseReturnValue:
    patient = _patient(patient_id, Permission.PATIENT_EDIT)
    return _do(patient, lambda uow: contacts.end_contact(uow, patient_id, contact_id), "The contact is ended.", Form())


def _do(patient: PatientRow, work: Callable[[UnitOfWork], None], done: str, form: Form) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    target = url_for("contacts.show", patient_id=patient.patient_id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return _show(patient, form, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _show(patient: PatientRow, form: Form, refused: str = "") -> str:
    with reading() as session:
        may_edit = may_anywhere(Permission.PATIENT_EDIT) and is_visible(session, patient.patient_id, sites_for(Permission.PATIENT_EDIT))
        known = contacts.contacts(session, patient.patient_id)
        return render_template("patient/contacts.html", patient=patient, contacts=known, form=form, refused=refused, may_edit=may_edit)


def _filled(patient_id: int, contact_id: int | None) -> Form:
    if contact_id is None:
        return Form()
    with reading() as session:
        row = session.get(PatientContact, contact_id)
    if row is None or row.patient_id != patient_id or row.partner_id is not None or row.ended_at is not None:
        raise NotFound("the patient has no such contact of the desk's")
    said = {name: getattr(row, name) for name in _TEXTS} | {name: "1" if getattr(row, name) else "" for name in _FLAGS}
    return Form({**said, "contact_id": str(row.id), "row_version": str(row.row_version)})


def _patient(patient_id: int, permission: Permission) -> PatientRow:
    with reading() as session:
        row = queries.patient(session, patient_id)
        if row is None or row.merged_into_id is not None:
            raise NotFound("there is no such patient")
        if not is_visible(session, patient_id, sites_for(permission)):
            raise not_here(permission, Ref("patient", patient_id))
        return row
