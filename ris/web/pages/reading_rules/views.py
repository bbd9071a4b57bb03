"""How long a reading may wait, by priority."""

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import RisError
from ris.order.status import PRIORITY_RANK, Priority
from ris.report import levels
from ris.report.model import ReadingLevel
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.asked import choice
from ris.web.page import changing, look_query, reading

bp = Blueprint("reading_rules", __name__, url_prefix="/reading-rules", template_folder="templates")


@bp.get("")
@requires(Permission.RULE_MANAGE)
def index() -> ResponseReturnValue:
    look_query("reading rules", {})
    return _page()


@bp.post("/levels")
@requires(Permission.RULE_MANAGE)
def change_levels() -> ResponseReturnValue:
    """All of them at once: either every number is taken, or none."""
    priorities = [priority for text in request.form.getlist("priority") if (priority := choice(Priority, text))]
    try:
        with changing() as uow:
            for priority in priorities:
                soon, late, version = (_number(f"{name}-{priority}") for name in ("soon", "late", "version"))
                levels.change(uow, priority, soon_minutes=soon, late_minutes=late, row_version=version)
    except RisError as error:
        return _page(error.message), error.http_status
    flash("The times are changed: the list shows them from now on.")
    return redirect(url_for("reading_rules.index"), 303)


def _number(name: str) -> int:
    return request.form.get(name, 0, int)


def _page(refused: str = "") -> str:
    with reading() as session:
        rows = sorted(session.scalars(sa.select(ReadingLevel)), key=lambda row: PRIORITY_RANK[row.priority])
        return render_template("reading_rules/index.html", levels=rows, refused=refused)
