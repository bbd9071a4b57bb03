"""The task list, closing a task, and mapping an unknown procedure code where it is met."""

import sqlalchemy as sa
from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.ref import Ref
from ris.catalog.model import Procedure
from ris.catalog.service import map_code
from ris.staff.permission import Permission
from ris.task import queries, service
from ris.task.kinds import KINDS
from ris.task.queries import TaskRow
from ris.web import live
from ris.web.access import may, may_anywhere, not_here, requires
from ris.web.page import changing, listed_sites, look_query, program, reading
from ris.web.polls import VERSION, Shown
from ris.web.worklists.listing import zones_of

bp = Blueprint("tasks", __name__, url_prefix="/tasks", template_folder="templates")


@bp.get("")
@requires(Permission.TASK_READ)
def index() -> ResponseReturnValue:
    """The whole list, or for a poll what has changed."""
    kind = request.args.get("kind", "")
    kind = kind if kind in KINDS else ""
    if VERSION not in request.args:
        look_query("tasks", {"kind": kind})
    ris, site_ids = program(), listed_sites(Permission.TASK_READ)

    def find() -> Shown:
        with ris.read() as session:
            tasks, zones = queries.open_tasks(session, site_ids, kind), zones_of(session, site_ids)
        return Shown(live.version([tasks, zones], {"kind": kind}), (tasks, zones))

    shown = live.shared(("tasks", site_ids, kind), find)
    tasks, zones = shown.content
    with reading() as session:
        offered = session.execute(sa.select(Procedure.code, Procedure.name).where(Procedure.active).order_by(Procedure.code)).all()
    return live.drawn(
        "tasks/index.html",
        shown.version,
        tasks=tasks,
        zones=zones,
        kinds=KINDS,
        kind=kind,
        procedures=offered,
        row_version=lambda task: live.version([task], {}),
        may_map=may_anywhere(Permission.INTERFACE_MANAGE),
        may_close=may_anywhere(Permission.TASK_CLOSE),
    )


@bp.post("/<int:task_id>/close")
@requires(Permission.TASK_CLOSE)
def close(task_id: int) -> ResponseReturnValue:
    _task(task_id, Permission.TASK_CLOSE)
    with changing() as uow:
        service.close(uow, task_id, request.form.get("outcome", "").strip())
    flash("The task is closed.")
    return redirect(url_for("tasks.index"), 303)


@bp.post("/<int:task_id>/map")
@requires(Permission.INTERFACE_MANAGE)
def map_code_of(task_id: int) -> ResponseReturnValue:
    """Maps the sender's code once; every exam that waited for it is resolved."""
    task = _task(task_id, Permission.INTERFACE_MANAGE)
    if task.kind != "map_procedure":
        abort(404)
    with changing() as uow:
        map_code(
            uow,
            partner_id=task.facts["partner_id"],
            kind="procedure",
            their_code=task.facts["code"],
            our_code=request.form.get("our_code", "").strip(),
        )
    flash("The code is mapped; every exam with it is resolved.")
    return redirect(url_for("tasks.index"), 303)


def _task(task_id: int, permission: Permission) -> TaskRow:
    with reading() as session:
        task = queries.task(session, task_id)
    if task is None:
        abort(404)
    if not (may(permission, task.site_id) if task.site_id else may_anywhere(permission)):
        raise not_here(permission, Ref("task", task_id))
    return task
