"""Pairs of records that may be one person's: side by side, merged from here or told apart."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import NotFound
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order.queries import visible_of
from ris.patient import proposals
from ris.staff.permission import Permission
from ris.web.access import not_here, requires, sites_for
from ris.web.page import changing, look_query, reading, use_key, used_before

bp = Blueprint("proposals", __name__, url_prefix="/merges/proposals", template_folder="templates")

SHOWN = 25


@bp.get("")
@requires(Permission.PATIENT_MERGE)
def index() -> ResponseReturnValue:
    """Those of one patient with `?patient=`; a pair is shown to who may see both."""
    patient_id = request.args.get("patient", type=int)
    look_query("merge proposals", {"patient_id": patient_id} if patient_id else {})
    with reading() as session:
        found = proposals.proposed(session, patient_id=patient_id)
        apart = [] if patient_id else proposals.told_apart(session)
        seen = _visible(session, {key for p in found for key in (p.one.patient_id, p.other.patient_id)})
        seen_apart = _visible(session, {key for row in apart for key in (row.one_id, row.other_id)})
        shown = [p for p in found if {p.one.patient_id, p.other.patient_id} <= seen]
        return render_template(
            "merges/proposals.html",
            proposals=shown[:SHOWN],
            more=len(shown[SHOWN:]),
            apart=[row for row in apart if {row.one_id, row.other_id} <= seen_apart],
            looked=proposals.looked(session),
            patient_id=patient_id,
        )


@bp.post("/look")
@requires(Permission.PATIENT_MERGE)
def look_now() -> ResponseReturnValue:
    with changing() as uow:
        proposals.ask(uow)
    flash("All patients are being looked through. Load this page again in a moment.")
    return redirect(url_for("proposals.index"), 303)


@bp.post("/<int:proposal_id>/apart")
@requires(Permission.PATIENT_MERGE)
def tell_apart(proposal_id: int) -> ResponseReturnValue:
    return _do(proposal_id, proposals.tell_apart, "They are remembered as two persons. This can be taken back below.")


@bp.post("/<int:proposal_id>/again")
@requires(Permission.PATIENT_MERGE)
def propose_again(proposal_id: int) -> ResponseReturnValue:
    return _do(proposal_id, proposals.propose_again, "The pair is proposed again.")


def _do(proposal_id: int, work: Callable[[UnitOfWork, int], None], done: str) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    with reading() as session:
        pair = proposals.both(session, proposal_id)
        if pair is None:
            raise NotFound("this pair is proposed no more")
        for patient_id in set(pair) - _visible(session, set(pair)):
            raise not_here(Permission.PATIENT_MERGE, Ref("patient", patient_id))
    with changing() as uow:
        work(uow, proposal_id)
        use_key(uow, url_for("proposals.index"))
    flash(done)
    return redirect(url_for("proposals.index"), 303)


def _visible(session: Session, patient_ids: set[int]) -> set[int]:
    return visible_of(session, patient_ids, sites_for(Permission.PATIENT_MERGE))
