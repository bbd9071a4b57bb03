"""Who is on call: seen by everybody, kept by whoever keeps the places."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.catalog.model import Site
from ris.critical import duty
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires, signed_in, sites_for
from ris.web.asked import moment
from ris.web.page import changing, program, reading, use_key, used_before, working_site

bp = Blueprint("on_call", __name__, url_prefix="/on-call", template_folder="templates")


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    return _page()


@bp.post("")
@requires(Permission.PLACE_MANAGE)
def add() -> ResponseReturnValue:
    site_id = request.form.get("site_id", type=int) or 0
    if not may(Permission.PLACE_MANAGE, site_id):
        raise not_here(Permission.PLACE_MANAGE, Ref("site", site_id))
    if (before := used_before()) is not None:
        return before
    target = url_for("on_call.index", site=site_id)
    try:
        with changing() as uow:
            zone = uow.session.get_one(Site, site_id).zone
            begins, ends = (moment(request.form.get(name, ""), zone) for name in ("starts_at", "ends_at"))
            if begins is None or ends is None:
                raise Invalid("say from when until when", error_code="101")
            duty.add_shift(
                uow, list_id=request.form.get("list_id", 0, int), site_id=site_id, user_id=request.form.get("user_id", 0, int),
                starts_at=begins, ends_at=ends, reach=request.form.get("reach", ""),
            )  # fmt: skip
            use_key(uow, target)
    except RisError as error:
        return _page(refused=error.message), error.http_status
    return redirect(target, 303)


@bp.post("/<int:shift_id>/remove")
@requires(Permission.PLACE_MANAGE)
def remove(shift_id: int) -> ResponseReturnValue:
    with reading() as session:
        shift = duty.shift(session, shift_id)
    if shift is None:
        abort(404)
    if not may(Permission.PLACE_MANAGE, shift.site_id):
        raise not_here(Permission.PLACE_MANAGE, Ref("shift", shift_id))
    with changing() as uow:
        duty.remove_shift(uow, shift_id)
    flash("The duty is taken away.")
    return redirect(url_for("on_call.index", site=shift.site_id), 303)


def _page(*, refused: str = "") -> str:
    """The duties of every site of the person, and the form for one site that the person manages."""
    own = sites_for(Permission.PLACE_MANAGE)
    seen = frozenset().union(*(sites_for(permission) for permission in Permission))
    asked = request.values.get("site", type=int) or request.values.get("site_id", type=int)
    chosen = asked if asked in own else working_site(own)
    now = program().clock()
    with reading() as session:
        return render_template(
            "critical/on_call.html", shifts=duty.shifts(session, seen, now), now=now, refused=refused, lists=duty.lists(session),
            sites=[(site.id, site.name) for site in session.query(Site).where(Site.id.in_(own)).order_by(Site.name)], chosen=chosen,
            people=duty.offered(session, chosen) if chosen else (), own=own,
        )  # fmt: skip
