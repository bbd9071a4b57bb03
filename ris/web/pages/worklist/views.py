"""One page shows every worklist, keeps it fresh, and does what can be done with a line."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.exam.queries import site_of
from ris.web import live
from ris.web.access import may, may_anywhere, not_here, person, signed_in
from ris.web.page import changing, listed_sites, look_query, program, reading, use_key, used_before
from ris.web.pages.worklist import reading as reading_page
from ris.web.polls import VERSION, Shown
from ris.web.worklists import WORKLISTS
from ris.web.worklists.listing import Deed, Line, View, Worklist, keyed, narrowed, with_alerts, zones_of
from ris.web.worklists.reading import NAME as READING

bp = Blueprint("worklist", __name__, url_prefix="/worklists", template_folder="templates")


@bp.get("/<name>")
@signed_in
def show(name: str) -> ResponseReturnValue:
    """The whole list, or for a poll what has changed."""
    worklist = _worklist(name)
    if name == READING and (first := reading_page.first_address()):
        return redirect(first)
    if VERSION not in request.args:
        look_query(f"worklist {name}", _filters(worklist))
    return _page(worklist)


@bp.get("/<name>/<int:procedure_id>/<deed_name>")
@signed_in
def ask(name: str, procedure_id: int, deed_name: str) -> ResponseReturnValue:
    """The question of a deed on a page of its own, for browsers that show no dialogs."""
    worklist = _worklist(name)
    deed = _deed(worklist, procedure_id, deed_name)
    return render_template("worklist/ask.html", worklist=worklist, deed=deed, procedure_id=procedure_id, filters=_filters(worklist))


@bp.post("/<name>/<int:procedure_id>/<deed_name>")
@signed_in
def act(name: str, procedure_id: int, deed_name: str) -> ResponseReturnValue:
    worklist = _worklist(name)
    deed = _deed(worklist, procedure_id, deed_name)
    if deed.run is None:
        filters: dict[str, Any] = _filters(worklist)
        return redirect(url_for(deed.opens, procedure_id=procedure_id, **filters), 303)
    target = _target(worklist, deed, procedure_id)
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            deed.run(uow, procedure_id, request.form.get("answer", "").strip())
            use_key(uow, target)
    except RisError as error:
        again = make_response(_page(worklist, refused=error.message))
        again.status_code = error.http_status
        return again
    if deed.done:
        flash(deed.done)
    return redirect(target, 303)


def _page(worklist: Worklist, refused: str = "") -> ResponseReturnValue:
    if worklist.name == READING:
        return reading_page.draw(refused)
    filters = _filters(worklist)
    on, sites, user_id = _date(filters.get("date", "")), listed_sites(worklist.permission), person().id if worklist.is_personal else 0
    ris = program()

    def find() -> Shown:
        with ris.read() as session:
            view = View(user_id, zones_of(session, sites), ris.clock(), on)
            everything = with_alerts(session, worklist.lines(session, view), view.now)
        rows = keyed(narrowed(everything, filters))
        versions = {key: live.version([line], {}) for key, line in rows}
        return Shown(live.version(versions.items(), filters), (rows, _choices(worklist, everything, filters)), versions)

    shown = live.shared((worklist.name, sites, user_id, tuple(filters.items())), find)
    rows, choices = shown.content
    page = {"rows": rows, "versions": shown.rows, "filters": filters, "worklist": worklist, "version": shown.version}

    def draw(known: str) -> str:
        return render_block("worklist/show.html", "rows", **page, same=shown.unchanged_since(known), **live.FOR_MANY)

    if VERSION in request.args:
        return live.told(shown, "text/html", draw)
    return render_template("worklist/show.html", **page, same=(), choices=choices, refused=refused)


def _filters(worklist: Worklist) -> dict[str, str]:
    """Those that are set, from the address, or from the form of a deed."""
    names = ("q", *worklist.facets, *(("date",) if worklist.is_dated else ()))
    return {name: value for name in names if (value := request.values.get(name, "").strip())}


def _address(worklist: Worklist) -> str:
    values: dict[str, Any] = {**_filters(worklist)}
    return url_for("worklist.show", name=worklist.name, **values)


def _target(worklist: Worklist, deed: Deed, procedure_id: int) -> str:
    """Where a deed leads; a page that goes on through the list is told which list."""
    if not deed.leads_to:
        return _address(worklist)
    in_list: dict[str, Any] = {"list": urlencode(filters)} if worklist.name == READING and (filters := _filters(worklist)) else {}
    return url_for(deed.leads_to, procedure_id=procedure_id, **in_list)


def _choices(worklist: Worklist, lines: list[Line], filters: dict[str, str]) -> dict[str, list[str]]:
    """What each facet can be narrowed to: what is there, and what is chosen already."""
    found: dict[str, set[str]] = {name: {filters[name]} if name in filters else set() for name in worklist.facets}
    for line in lines:
        for name, value in line.facets.items():
            found[name].add(value)
    return {name: sorted(values) for name, values in found.items()}


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _worklist(name: str) -> Worklist:
    worklist = WORKLISTS.get(name)
    if worklist is None:
        abort(404)
    if not may_anywhere(worklist.permission):
        raise not_here(worklist.permission)
    return worklist


def _deed(worklist: Worklist, procedure_id: int, name: str) -> Deed:
    """What shall be done, if there is such a thing and the exam is at a site of this person."""
    deed = worklist.deed(name)
    with reading() as session:
        site_id = site_of(session, procedure_id)
    if deed is None or site_id is None:
        abort(404)
    if not may(worklist.permission, site_id):
        raise not_here(worklist.permission, Ref("procedure", procedure_id))
    return deed
