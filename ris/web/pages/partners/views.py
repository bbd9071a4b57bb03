"""The list of partners, and one partner with its policies and codes."""

from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound, RisError
from ris.base.uow import UnitOfWork
from ris.catalog import service as catalog
from ris.catalog.model import CodeMap, Site
from ris.partner import policy, service
from ris.partner.model import Partner
from ris.partner.service import PartnerData
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, look_query, reading, use_key, used_before

bp = Blueprint("partners", __name__, url_prefix="/partners", template_folder="templates")


@bp.get("")
@requires(Permission.INTERFACE_MANAGE)
def index() -> ResponseReturnValue:
    return _list()


@bp.post("")
@requires(Permission.INTERFACE_MANAGE)
def add() -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            partner_id = service.add(uow, _asked(request.form.get("name", ""))).id
            target = url_for("partners.show", partner_id=partner_id)
            use_key(uow, target)
    except RisError as error:
        return _list(error.message), error.http_status
    flash("The partner is added: its next message is known.")
    return redirect(target, 303)


@bp.get("/<int:partner_id>")
@requires(Permission.INTERFACE_MANAGE)
def show(partner_id: int) -> ResponseReturnValue:
    return _one(partner_id)


@bp.post("/<int:partner_id>")
@requires(Permission.INTERFACE_MANAGE)
def change(partner_id: int) -> ResponseReturnValue:
    """Everything of the form at once. What has its default is not kept: a later default is taken up."""
    try:
        agreed = {name: policy.read(name, _typed(name)) for name in policy.POLICIES}
        kept = {name: value for name, value in agreed.items() if value != policy.DEFAULTS[name]}
        data = replace(_asked(request.form.get("name", "")), policies=kept, active="active" in request.form)
        with changing() as uow:
            service.change(uow, partner_id, data, row_version=request.form.get("row_version", type=int))
    except RisError as error:
        return _one(partner_id, error.message), error.http_status
    flash("It is agreed; the next messages are read by it.")
    return redirect(url_for("partners.show", partner_id=partner_id), 303)


@bp.post("/<int:partner_id>/codes")
@requires(Permission.INTERFACE_MANAGE)
def map_code(partner_id: int) -> ResponseReturnValue:
    kind, theirs, ours = (request.form.get(name, "").strip() for name in ("kind", "their_code", "our_code"))
    return _code(partner_id, lambda uow: catalog.map_code(uow, partner_id=partner_id, kind=kind, their_code=theirs, our_code=ours))


@bp.post("/<int:partner_id>/codes/forget")
@requires(Permission.INTERFACE_MANAGE)
def unmap_code(partner_id: int) -> ResponseReturnValue:
    kind, theirs = request.form.get("kind", ""), request.form.get("their_code", "")
    return _code(partner_id, lambda uow: catalog.unmap_code(uow, partner_id=partner_id, kind=kind, their_code=theirs))


def _code(partner_id: int, work: Callable[[UnitOfWork], object]) -> ResponseReturnValue:
    try:
        with changing() as uow:
            _found(uow, partner_id)
            work(uow)
    except RisError as error:
        return _one(partner_id, error.message), error.http_status
    flash("The next messages are read by it; what waited for the code is resolved.")
    return redirect(url_for("partners.show", partner_id=partner_id) + "#codes", 303)


def _found(uow: UnitOfWork, partner_id: int) -> None:
    if uow.session.get(Partner, partner_id) is None:
        raise NotFound("there is no such partner")


def _typed(name: str) -> str:
    """A box that is not ticked is not sent."""
    unsaid = "false" if isinstance(policy.DEFAULTS[name], bool) else str(policy.DEFAULTS[name])
    return request.form.get(name, unsaid).strip()


def _asked(name: str) -> PartnerData:
    def text(key: str) -> str:
        return request.form.get(key, "").strip()

    return PartnerData(
        name.strip(), text("application"), text("facility"), text("zone"), charset=text("charset"), authority=text("authority"),
        site_id=request.form.get("site_id", type=int),
    )  # fmt: skip


def _list(refused: str = "") -> str:
    look_query("partners", {})
    with reading() as session:
        partners = session.scalars(sa.select(Partner).order_by(Partner.name)).all()
        sites = session.scalars(sa.select(Site).order_by(Site.name)).all()
        return render_template("partners/index.html", partners=partners, sites=sites, label=policy.label, refused=refused)


def _one(partner_id: int, refused: str = "") -> str:
    look_query("partner", {"partner_id": partner_id})
    with reading() as session:
        partner = session.get(Partner, partner_id)
        if partner is None:
            raise NotFound("there is no such partner")
        codes = session.scalars(sa.select(CodeMap).where(CodeMap.partner_id == partner_id).order_by(CodeMap.kind, CodeMap.their_code)).all()
        return render_template(
            "partners/show.html",
            partner=partner,
            agreed={name: policy.policy(partner.policies, name) for name in policy.POLICIES},
            policies=policy.POLICIES,
            label=policy.label,
            codes=codes,
            kinds=catalog.MAPPED_KINDS,
            sites=session.scalars(sa.select(Site).order_by(Site.name)).all(),
            refused=refused,
        )
