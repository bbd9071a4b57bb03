"""The reading list: views with counts, filters that are saved and shared, own columns, pages, and the next exam to read."""

from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from ris.base.errors import RisError
from ris.catalog.model import Modality, Site
from ris.order.status import Priority
from ris.report import queries
from ris.report.queries import ReadingRow
from ris.staff import queries as staff
from ris.staff import reads, saved
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may_anywhere, person, requires
from ris.web.page import changing, listed_sites, program, reading
from ris.web.pages.worklist import onward
from ris.web.polls import VERSION, Shown
from ris.web.worklists.listing import View, with_alerts, zones_of
from ris.web.worklists.reading import CLASSES, COLUMNS, FACETS, NAME, VIEWS, WORKLIST, chosen, drawn, narrowed, narrowed_sites, view_of

bp = Blueprint("reading", __name__, url_prefix="/worklists/reading", template_folder="templates")
TEMPLATE = "worklist/reading.html"
PAGE = 50
"""Exams of one page."""


def draw(refused: str = "") -> ResponseReturnValue:
    """A page of the list, or for a poll what has changed in it."""
    filters, after = _filters(), request.args.get("after", "")
    own = person()
    sites = narrowed_sites(filters, listed_sites(WORKLIST.permission))
    ris = program()

    def find() -> Shown:
        with ris.read() as session:
            view = View(own.id, zones_of(session, sites), ris.clock())
            asked = narrowed(filters, own.id, reads.of(session, own.id), after)
            rows = queries.reading_worklist(session, sites, view.now, asked, PAGE + 1)
            columns = chosen(saved.choice(session, NAME, own.id).columns)
            lines = with_alerts(session, drawn(session, rows[:PAGE], view, columns), view.now)
            count, urgent = (onward.said(number) for number in queries.counted(session, sites, view.now, asked))
        versions = {str(line.procedure_id): live.version((line,), {}) for line in lines}
        content = {"lines": lines, "count": count, "urgent": urgent, "columns": columns, "further": _further(rows)}
        return Shown(live.version([count, urgent, columns, *versions.items()], filters), content, versions)

    shown = live.shared((NAME, sites, own.id, tuple(filters.items()), after), find)
    page = {
        "worklist": WORKLIST, "filters": filters, "view": view_of(filters), "version": shown.version, "versions": shown.rows,
        "may_assign": may_anywhere(Permission.REPORT_SIGN), **shown.content,
    }  # fmt: skip

    def rows_for(known: str) -> str:
        return render_block(TEMPLATE, "rows", **page, same=shown.unchanged_since(known), **live.FOR_MANY)

    if VERSION in request.args:
        return live.told(shown, "text/html", rows_for)
    return render_template(TEMPLATE, **page, same=(), after=after, refused=refused, catalogue=COLUMNS, **_around(filters, sites))


def first_address() -> str:
    """Where the list opens with for a person who has chosen that, when nothing else is asked for; empty otherwise."""
    if request.args:
        return ""
    with reading() as session:
        first = next((row for row in saved.filters(session, NAME, person().id) if row.is_first), None)
    return onward.list_address(dict(first.filters)) if first else ""


@bp.post("/next")
@requires(Permission.REPORT_WRITE)
def read_next() -> ResponseReturnValue:
    """The first exam of the list that is free is claimed, and its report opens."""
    return redirect(onward.claim_next(_filters()), 303)


@bp.post("/filters")
@requires(Permission.REPORT_WRITE)
def save_filter() -> ResponseReturnValue:
    """Under a name; an empty choice of people means oneself."""
    filters = _filters()
    whose = request.form.get("whose", "")
    role_id = int(whose) if whose.isdecimal() else None
    try:
        with changing() as uow:
            name = request.form.get("name", "")
            row = saved.save(uow, worklist=NAME, name=name, filters=filters, role_id=role_id, is_shared=whose == "everybody")
            if request.form.get("first"):
                saved.choose_first(uow, NAME, row.id)
    except RisError as error:
        again = make_response(draw(error.message))
        again.status_code = error.http_status
        return again
    flash("The filter is saved.")
    return redirect(onward.list_address(filters), 303)


@bp.post("/filters/<int:filter_id>/remove")
@requires(Permission.REPORT_WRITE)
def remove_filter(filter_id: int) -> ResponseReturnValue:
    with changing() as uow:
        saved.remove(uow, filter_id)
    flash("The filter is removed.")
    return redirect(onward.list_address(_filters()), 303)


@bp.post("/first")
@requires(Permission.REPORT_WRITE)
def open_with() -> ResponseReturnValue:
    """What the list opens with from now on; without a filter: with everything."""
    with changing() as uow:
        saved.choose_first(uow, NAME, request.form.get("filter_id", type=int))
    flash("The list opens like this from now on.")
    return redirect(onward.list_address(_filters()), 303)


@bp.post("/columns")
@requires(Permission.REPORT_WRITE)
def choose_columns() -> ResponseReturnValue:
    """Those that are ticked, by their numbers."""
    ticked = [name for name in COLUMNS if name in request.form.getlist("column")]
    ticked.sort(key=lambda name: request.form.get(f"place-{name}", len(COLUMNS), int))
    with changing() as uow:
        saved.choose_columns(uow, NAME, [] if request.form.get("usual") else ticked)
    return redirect(onward.list_address(_filters()), 303)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _around(filters: dict[str, str], sites: frozenset[int]) -> dict[str, Any]:
    """What stands around the rows; only a page that opens shows it anew."""
    own = person()
    everywhere = listed_sites(WORKLIST.permission)
    with reading() as session:
        views = tuple(VIEWS.values())
        counts = queries.counted_views(session, everywhere, program().clock(), views, own.id, reads.of(session, own.id))
        return {
            "tabs": [(view, {**filters, "view": view.name}) for view in views],
            "counts": {name: onward.said(count) for name, count in counts.items()},
            "choices": _choices(session, everywhere),
            "saved_filters": saved.filters(session, NAME, own.id),
            "roles": saved.own_roles(session, own.id),
            "readers": _readers(session, sites),
        }


def _choices(session: Session, sites: frozenset[int]) -> dict[str, list[tuple[str, str]]]:
    """Each filter with its values and what a person reads for them; one without a choice is left out."""
    places = session.query(Site.id, Site.name).where(Site.id.in_(sites)).order_by(Site.name)
    found = {
        "modality": [(modality.value, modality.value) for modality in Modality],
        "subspecialty": [(name, name) for name in queries.subspecialties(session)],
        "site": [(str(site_id), name) for site_id, name in places],
        "class": list(CLASSES.items()),
        "priority": [(priority.value, priority.name.replace("_", " ")) for priority in Priority],
    }
    return {name: values for name, values in found.items() if len(values) > 1}


def _readers(session: Session, sites: frozenset[int]) -> list[tuple[str, str]]:
    """Login and name of everybody to whom an exam can be given."""
    if not may_anywhere(Permission.REPORT_SIGN):
        return []
    found = {user.login: user.name for site_id in sites for user in staff.who_may(session, Permission.REPORT_WRITE, site_id)}
    return sorted(found.items(), key=lambda pair: pair[1])


def _filters() -> dict[str, str]:
    """Those that are set, from the address or from a form."""
    return {name: value for name in ("q", *FACETS) if (value := request.values.get(name, "").strip()[:100])}


def _further(rows: list[ReadingRow]) -> str:
    """Where the next page begins; empty when there is none."""
    return str(rows[PAGE - 1].place) if len(rows) > PAGE else ""
