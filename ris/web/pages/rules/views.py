"""The list of rules, a new one, and one rule to be changed."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound, RisError
from ris.base.uow import UnitOfWork
from ris.scheduling.appointment import site_names
from ris.scheduling.rules import queries, service
from ris.scheduling.rules.kinds import KINDS
from ris.scheduling.rules.model import Moment, Severity
from ris.scheduling.rules.queries import RuleRow
from ris.scheduling.rules.service import OVERRIDES, RuleData
from ris.staff.permission import Permission
from ris.web.access import may, requires, sites_for
from ris.web.page import changing, look_query, reading, use_key, used_before

bp = Blueprint("rules", __name__, url_prefix="/rules", template_folder="templates")

OVERRIDE_NAMES = {
    "": "nobody",
    Permission.RULE_OVERRIDE: "people with the right to override rules of planning",
    Permission.SAFETY_OVERRIDE: "people with the right to override rules of safety",
}
SEVERITY_NAMES = {
    Severity.off: "Off: says nothing",
    Severity.warn: "Warns: whoever books gives a reason",
    Severity.block: "Blocks: only who has the right goes on, with a reason",
}


MOMENT_NAMES = {
    Moment.booking: "when it is booked or moved",
    Moment.start: "when it is begun",
    Moment.both: "when it is booked and when it is begun",
}


@bp.get("")
@requires(Permission.RULE_MANAGE)
def index() -> ResponseReturnValue:
    look_query("rules", {})
    with reading() as session:
        found = queries.rules(session)
    return render_template("rules/index.html", rules=found, kinds=KINDS, override_names=OVERRIDE_NAMES, moments=MOMENT_NAMES)


@bp.get("/new")
@requires(Permission.RULE_MANAGE)
def new() -> ResponseReturnValue:
    return _form(_kind_asked(), None)


@bp.post("/new")
@requires(Permission.RULE_MANAGE)
def add() -> ResponseReturnValue:
    kind = _kind_asked()
    return _save(kind, None, lambda uow: service.add(uow, _asked(kind)).id, "The rule is added: it holds from the next booking on.")


@bp.get("/<int:rule_id>")
@requires(Permission.RULE_MANAGE)
def show(rule_id: int) -> ResponseReturnValue:
    row = _row(rule_id)
    return _form(row.kind, row)


@bp.post("/<int:rule_id>")
@requires(Permission.RULE_MANAGE)
def change(rule_id: int) -> ResponseReturnValue:
    row = _row(rule_id)
    version = request.form.get("row_version", type=int)
    done = "The rule is changed: it holds from the next booking on."
    return _save(row.kind, row, lambda uow: service.change(uow, rule_id, _asked(row.kind), row_version=version).id, done)


def _save(kind: str, row: RuleRow | None, work: Callable[[UnitOfWork], int], done: str) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            target = url_for("rules.show", rule_id=work(uow))
            use_key(uow, target)
    except RisError as error:
        return _form(kind, row, error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _form(kind: str, row: RuleRow | None, refused: str = "") -> str:
    with reading() as session:
        sites = site_names(session, sites_for(Permission.RULE_MANAGE))
        changes = queries.history(session, row.id) if row else []
    return render_template(
        "rules/rule.html",
        rule=row, kind=KINDS[kind], kind_name=kind, sites=sites, changes=changes, refused=refused, overrides=OVERRIDES,
        override_names=OVERRIDE_NAMES, severities=SEVERITY_NAMES, moments=MOMENT_NAMES, typed=request.form,
    )  # fmt: skip


def _kind_asked() -> str:
    """The one chosen, else the first of the table."""
    asked = request.values.get("kind", "")
    return asked if asked in KINDS else next(iter(KINDS))


def _row(rule_id: int) -> RuleRow:
    with reading() as session:
        row = queries.rule(session, rule_id)
    if row is None or (row.site_id is not None and not may(Permission.RULE_MANAGE, row.site_id)):
        abort(404)
    return row


def _asked(kind: str) -> RuleData:
    """The form's rule. Raises NotFound for a site at which this person has no say."""
    site_id = request.form.get("site_id", type=int)
    if site_id is not None and not may(Permission.RULE_MANAGE, site_id):
        raise NotFound("this site is not one of yours")
    parameters = {p.name: request.form[f"parameter-{p.name}"] for p in KINDS[kind].parameters if f"parameter-{p.name}" in request.form}
    return RuleData(
        request.form.get("name", ""),
        kind,
        request.form.get("severity", ""),
        request.form.get("override", ""),
        parameters,
        site_id,
        request.form.get("moment", Moment.booking),
    )
