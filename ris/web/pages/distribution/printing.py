"""The print queue of the desk: letters and faxes that wait, one file of all of them, marked as printed, and taken back."""

from datetime import timedelta

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import RisError
from ris.distribution import queries, service
from ris.distribution.status import PAPER
from ris.documents import report_sheet
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, listed_sites, look_query, program, reading, use_key, used_before
from ris.web.pages.distribution.views import dispatch_here, look_at_letter

bp = Blueprint("printing", __name__, url_prefix="/print-queue", template_folder="templates")

DONE_SHOWN = timedelta(hours=24)
MOST_AT_ONCE = 50
"""Letters of one file."""


@bp.get("")
@requires(Permission.RESULT_SEND)
def index() -> ResponseReturnValue:
    look_query("print queue", {})
    return _page()


@bp.post("/letters.pdf")
@requires(Permission.RESULT_SEND)
def letters() -> ResponseReturnValue:
    """The chosen ones in one file, each with page numbers of its own."""
    rows = [dispatch_here(key, Permission.RESULT_SEND) for key in _chosen(request.form.getlist("d"))]
    rows = [row for row in rows if row.channel in PAPER]
    if not rows:
        flash("Choose what is to be printed.")
        return redirect(url_for("printing.index"), 303)
    for row in rows:
        look_at_letter(row)
    with reading() as session:
        drawn = report_sheet.draw_all([report_sheet.read(session, row.version_id, row.letter_to) for row in rows])
    return Response(drawn, mimetype="application/pdf", headers={"Content-Disposition": 'inline; filename="letters.pdf"'})


@bp.post("/printed")
@requires(Permission.RESULT_SEND)
def mark() -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    chosen = [dispatch_here(key, Permission.RESULT_SEND).dispatch_id for key in _chosen(request.form.getlist("d"))]
    target = url_for("printing.index")
    with changing() as uow:
        marked = service.mark_printed(uow, chosen)
        use_key(uow, target)
    flash(f"{marked} marked as printed." if marked else "Nothing was marked: choose what was printed.")
    return redirect(target, 303)


@bp.post("/<int:dispatch_id>/undo")
@requires(Permission.RESULT_SEND)
def undo(dispatch_id: int) -> ResponseReturnValue:
    dispatch_here(dispatch_id, Permission.RESULT_SEND)
    try:
        with changing() as uow:
            service.undo_printed(uow, dispatch_id)
    except RisError as error:
        return _page(error.message), error.http_status
    flash("It waits at the printer again.")
    return redirect(url_for("printing.index"), 303)


def _chosen(keys: list[str]) -> list[int]:
    if len(keys) > MOST_AT_ONCE or not all(key.isascii() and key.isdigit() for key in keys):
        abort(400, f"At most {MOST_AT_ONCE} letters at once.")
    return [int(key) for key in keys]


def _page(refused: str = "") -> str:
    sites = listed_sites(Permission.RESULT_SEND)
    with reading() as session:
        waiting = queries.to_print(session, sites)
        done = queries.printed(session, sites, program().clock() - DONE_SHOWN)
    shown, more = waiting[:MOST_AT_ONCE], len(waiting) > MOST_AT_ONCE
    return render_template("distribution/queue.html", waiting=shown, more=more, done=done, refused=refused)
