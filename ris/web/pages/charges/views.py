"""The list of charges, and the release of a held one."""

from decimal import Decimal, InvalidOperation

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, RisError
from ris.base.ref import Ref
from ris.billing import queries, service
from ris.billing.model import ChargeStatus
from ris.staff.permission import Permission
from ris.web.access import may, not_here, requires, sites_for
from ris.web.asked import choice
from ris.web.page import changing, listed_sites, look_query, reading, use_key, used_before

bp = Blueprint("charges", __name__, url_prefix="/charges", template_folder="templates")


@bp.get("")
@requires(Permission.CHARGE_READ)
def index() -> ResponseReturnValue:
    return _page(choice(ChargeStatus, request.args.get("status", "")) or ChargeStatus.held)


@bp.post("/<int:charge_id>/release")
@requires(Permission.CHARGE_RELEASE)
def release(charge_id: int) -> ResponseReturnValue:
    """Again with the same form leads where the first click led."""
    with reading() as session:
        site_id = queries.site_of(session, charge_id)
    if site_id is None:
        abort(404)
    if not may(Permission.CHARGE_RELEASE, site_id):
        raise not_here(Permission.CHARGE_RELEASE, Ref("charge", charge_id))
    if (before := used_before()) is not None:
        return before
    target = url_for("charges.index")
    try:
        with changing() as uow:
            code, reason = request.form.get("code", ""), request.form.get("reason", "")
            service.release(uow, charge_id=charge_id, code=code, amount=_minor_units(request.form.get("amount", "")), reason=reason)
            use_key(uow, target)
    except RisError as error:
        again = make_response(_page(ChargeStatus.held, error.message))
        again.status_code = error.http_status
        return again
    flash("The charge is released; tonight's file carries it.")
    return redirect(target, 303)


def _page(status: ChargeStatus, refused: str = "") -> ResponseReturnValue:
    look_query("charges", {"status": status})
    site_ids = listed_sites(Permission.CHARGE_READ)
    with reading() as session:
        return render_template(
            "charges/index.html",
            status=status,
            counts=queries.counts(session, site_ids),
            charges=queries.charges(session, site_ids, status),
            releasable=sites_for(Permission.CHARGE_RELEASE),
            refused=refused,
        )


def _minor_units(text: str) -> int:
    """`72.5` as 7250. Raises Invalid for what is no amount with at most two decimals."""
    try:
        amount = Decimal(text.strip()) * 100
    except InvalidOperation as error:
        raise Invalid("an amount is written like 72.50") from error
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise Invalid("an amount is written like 72.50")
    return int(amount)
