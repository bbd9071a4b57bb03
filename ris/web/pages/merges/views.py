"""The list of merges, the preview of one, and making it; taking one back is the patient page's."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.order.queries import is_visible
from ris.patient import merges, service
from ris.staff.permission import Permission
from ris.web.access import not_here, requires, sites_for
from ris.web.page import changing, look, look_query, reading, use_key, used_before

bp = Blueprint("merges", __name__, url_prefix="/merges", template_folder="templates")


@bp.get("")
@requires(Permission.PATIENT_MERGE)
def index() -> ResponseReturnValue:
    return _page()


@bp.get("/preview")
@requires(Permission.PATIENT_MERGE)
def preview() -> ResponseReturnValue:
    """Both patients side by side, and what would move; nothing is changed."""
    try:
        with reading() as session:
            survivor_id, loser_id = (_named(session, name) for name in ("survivor", "loser"))
            _check_visible(session, survivor_id, loser_id)
            shown = merges.preview(session, survivor_id, loser_id)
    except RisError as error:
        return _page(error.message), error.http_status
    for patient_id in (survivor_id, loser_id):
        look("merge preview", Ref("patient", patient_id), patient_id=patient_id)
    return render_template("merges/preview.html", preview=shown)


@bp.post("")
@requires(Permission.PATIENT_MERGE)
def merge() -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    survivor_id, loser_id = (request.form.get(name, 0, type=int) for name in ("survivor_id", "loser_id"))
    target = url_for("patient.show", patient_id=survivor_id)
    try:
        with reading() as session:
            merges.preview(session, survivor_id, loser_id)
            _check_visible(session, survivor_id, loser_id)
        with changing() as uow:
            service.merge(uow, survivor_id=survivor_id, loser_id=loser_id)
            use_key(uow, target)
    except RisError as error:
        return _page(error.message), error.http_status
    flash("The records are one. What was moved stands on the merges page, and can be taken back there.")
    return redirect(target, 303)


def _named(session: Session, name: str) -> int:
    """By a number that was typed, or by the key that a page has put into `<name>_id`."""
    return request.args.get(f"{name}_id", type=int) or merges.named(session, request.args.get(name, ""))


def _check_visible(session: Session, *patient_ids: int) -> None:
    """Raises NotFound for a patient whose exams are all at sites where the person may not merge."""
    for patient_id in patient_ids:
        if not is_visible(session, patient_id, sites_for(Permission.PATIENT_MERGE)):
            raise not_here(Permission.PATIENT_MERGE, Ref("patient", patient_id))


def _page(refused: str = "") -> str:
    look_query("merges", {})
    with reading() as session:
        visible = [m for m in merges.made(session) if is_visible(session, m.merge.survivor_id, sites_for(Permission.PATIENT_MERGE))]
        return render_template("merges/index.html", merges=visible, survivor=request.args.get("survivor", ""), refused=refused)
