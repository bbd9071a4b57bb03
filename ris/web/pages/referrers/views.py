"""The list of referrers, and one of them with its practices and numbers."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, NotFound, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.partner import queries as partners
from ris.patient.email import is_address
from ris.referrer import queries, service
from ris.referrer.model import Delivery, Referrer, ReferrerPractice
from ris.referrer.npi import is_npi
from ris.referrer.service import PracticeData, ReferrerData, is_folder
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.form import Form
from ris.web.page import changing, look, look_query, reading, use_key, used_before

bp = Blueprint("referrers", __name__, url_prefix="/referrers", template_folder="templates")

WAYS = tuple(
    (way.value, label)
    for way, label in zip(Delivery, ("HL7 message", "e-mail", "fax", "printed letter", "PDF file", "nothing"), strict=True)
)
_PERSON = {"family": "The family name", "given": "The given name", "title": "The title", "specialty": "The specialty", "npi": "The NPI"}
_PRACTICE = {
    "name": "The name", "street": "The street", "postal_code": "The postal code", "city": "The city", "region": "The state or region",
    "phone": "The telephone number", "fax": "The fax number", "email": "The e-mail address", "folder": "The folder",
}  # fmt: skip


@bp.get("")
@requires(Permission.ORDER_ENTER)
def index() -> ResponseReturnValue:
    """Everybody, who is found by `?q=`, or with `?open=1` those whom nobody has completed."""
    return _index(Form({"is_active": "1"}))


@bp.post("")
@requires(Permission.ORDER_ENTER)
def add() -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    form = Form(request.form)
    data = _person(form)
    if form.errors:
        return _index(form), 422
    try:
        with changing() as uow:
            row = service.add(uow, data)
            use_key(uow, url_for("referrers.show", referrer_id=row.id))
    except RisError as error:
        form.errors["npi"] = f"{error.message[0].upper()}{error.message[1:]}."
        return _index(form), error.http_status
    flash("The referrer is added. Say where results go.")
    return redirect(url_for("referrers.show", referrer_id=row.id), 303)


@bp.get("/<int:referrer_id>")
@requires(Permission.ORDER_ENTER)
def show(referrer_id: int) -> ResponseReturnValue:
    """With `?practice=` the second form holds one of the practices."""
    row = _referrer(referrer_id)
    if row.joined_to_id is not None:
        return redirect(url_for("referrers.show", referrer_id=row.joined_to_id))
    look("referrer", Ref("referrer", referrer_id))
    return _show(row, _filled(row), _filled_practice(referrer_id, request.args.get("practice", type=int)))


@bp.post("/<int:referrer_id>")
@requires(Permission.ORDER_ENTER)
def save(referrer_id: int) -> ResponseReturnValue:
    row, form = _referrer(referrer_id), Form(request.form)
    data = _person(form)
    if form.errors:
        return _show(row, form, Form()), 422
    version = _number(form, "row_version")
    return _do(row, lambda uow: service.save(uow, referrer_id, data, row_version=version), "The referrer is saved.", form, Form())


@bp.post("/<int:referrer_id>/practices")
@requires(Permission.ORDER_ENTER)
def save_practice(referrer_id: int) -> ResponseReturnValue:
    row, form = _referrer(referrer_id), Form(request.form)
    data = _practice(form)
    if form.errors or data is None:
        return _show(row, _filled(row), form), 422
    key, version = _number(form, "practice_id"), _number(form, "row_version")

    def work(uow: UnitOfWork) -> None:
        service.save_practice(uow, referrer_id, data, practice_id=key, row_version=version)

    return _do(row, work, "The practice is saved.", _filled(row), form)


@bp.post("/<int:referrer_id>/practices/<int:practice_id>/end")
@requires(Permission.ORDER_ENTER)
def end_practice(referrer_id: int, practice_id: int) -> ResponseReturnValue:
    row = _referrer(referrer_id)
    return _do(
        row, lambda uow: service.end_practice(uow, referrer_id, practice_id), "Nothing is sent there any more.", _filled(row), Form()
    )


@bp.post("/<int:referrer_id>/join")
@requires(Permission.ORDER_ENTER)
def join(referrer_id: int) -> ResponseReturnValue:
    """Takes the entry that the name or number leads to into this one."""
    row, text = _referrer(referrer_id), request.form.get("other", "").strip()

    def work(uow: UnitOfWork) -> None:
        found = [one for one in queries.search(uow.session, text) if one.referrer_id != referrer_id] if text else []
        if len(found) != 1:
            raise Invalid("write a name or number that one other referrer has" if not found else "several referrers are called so")
        service.join(uow, survivor_id=referrer_id, loser_id=found[0].referrer_id)

    return _do(row, work, "The two entries are one.", _filled(row), Form())


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _do(row: Referrer, work: Callable[[UnitOfWork], object], done: str, person: Form, practice: Form) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    target = url_for("referrers.show", referrer_id=row.id)
    try:
        with changing() as uow:
            work(uow)
            use_key(uow, target)
    except RisError as error:
        return _show(row, person, practice, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _index(form: Form) -> str:
    text, is_open = request.args.get("q", "")[:100], request.args.get("open") == "1"
    look_query("referrers", {"q": text} if text else {})
    with reading() as session:
        waiting = queries.to_complete(session)
        found = waiting if is_open else queries.search(session, text)
    return render_template(
        "referrers/index.html", referrers=found, waiting=len(waiting), text=text, is_open=is_open, form=form, way_names=dict(WAYS)
    )


def _show(row: Referrer, person: Form, practice: Form, refused: str = "") -> str:
    with reading() as session:
        return render_template(
            "referrers/show.html", referrer=row, practices=queries.practices(session, row.id), aliases=queries.aliases(session, row.id),
            person=person, practice=practice, refused=refused, ways=WAYS, way_names=dict(WAYS), destinations=partners.destinations(session),
        )  # fmt: skip


def _person(form: Form) -> ReferrerData:
    said = {name: form.text(name, label, required=name == "family", longest=100) for name, label in _PERSON.items()}
    if said["npi"] and not is_npi(said["npi"]):
        form.errors["npi"] = "The NPI has ten digits, and its last one must fit the others."
    return ReferrerData(**said, is_active=bool(form.value("is_active")))


def _practice(form: Form) -> PracticeData | None:
    said = {name: form.text(name, label, required=name == "name", longest=100) for name, label in _PRACTICE.items()}
    delivery = form.choice("delivery", "The way of results", Delivery)
    if said["email"] and not is_address(said["email"]):
        form.errors["email"] = "The e-mail address is written like anna@example.org."
    for way, name in ((Delivery.email, "email"), (Delivery.fax, "fax"), (Delivery.folder, "folder")):
        if delivery is way and not said[name]:
            form.errors[name] = f"{_PRACTICE[name]} is needed: results go there."
    if said["folder"] and not is_folder(said["folder"]):
        form.errors["folder"] = "A folder is named with letters, digits, dots and hyphens only."
    destination_id = _number(form, "destination_id")
    return PracticeData(delivery=delivery, destination_id=destination_id, is_main=bool(form.value("is_main")), **said) if delivery else None


def _filled(row: Referrer) -> Form:
    said = {name: getattr(row, name) for name in _PERSON}
    return Form({**said, "is_active": "1" if row.is_active else "", "row_version": str(row.row_version)})


def _filled_practice(referrer_id: int, practice_id: int | None) -> Form:
    if practice_id is None:
        return Form({"delivery": Delivery.print.value})
    with reading() as session:
        row = session.get(ReferrerPractice, practice_id)
    if row is None or row.referrer_id != referrer_id or row.ended_at is not None:
        raise NotFound("the referrer has no such practice")
    said = {name: getattr(row, name) for name in _PRACTICE} | {
        "delivery": row.delivery.value,
        "is_main": "1" if row.is_main else "",
        "destination_id": str(row.destination_id or ""),
    }
    return Form({**said, "practice_id": str(row.id), "row_version": str(row.row_version)})


def _referrer(referrer_id: int) -> Referrer:
    with reading() as session:
        row = session.get(Referrer, referrer_id)
    if row is None:
        raise NotFound("there is no such referrer")
    return row


def _number(form: Form, name: str) -> int | None:
    return int(form.value(name)) if form.value(name).isdigit() else None
