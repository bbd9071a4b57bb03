"""Everything of a site on one page, and one page for each thing: to be added, changed, taken away or taken back."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.csv_text import csv_text
from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import Site
from ris.imports import places
from ris.scheduling.administration import queries, service
from ris.scheduling.administration.field import Wrong
from ris.scheduling.administration.holiday_sheet import HolidaySheet
from ris.scheduling.administration.queries import SiteRow
from ris.scheduling.administration.service import HitsAppointments, version
from ris.scheduling.administration.sheet import Sheet, Texts
from ris.staff.permission import Permission
from ris.web.access import may, may_anywhere, requires, sites_for
from ris.web.form import Form
from ris.web.page import changing, look, look_query, program, reading, use_key, used_before, working_site
from ris.web.pages.places.parts import bp, check_site, drawn, own_sites, sheet_of

__all__ = ["bp"]

NOT_FIELDS = ("csrf_token", "form_key", "known", "why", "accepts", "year")
FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Of the calendar of holidays."""


@bp.get("")
@requires(Permission.PLACE_MANAGE)
def index() -> ResponseReturnValue:
    asked = request.args.get("site", type=int)
    if asked is not None:
        check_site(asked, Ref("site", asked))
    with reading() as session:
        sites = own_sites(session)
        site_id = asked or working_site(sites_for(Permission.PLACE_MANAGE))
        site = next(row for row in sites if row.id == site_id)
        found = queries.whereabouts(session, site, program().clock())
    look_query("places", {"site_id": site.id})
    return render_template(
        "places/index.html", own_sites=sites, site=site, found=found, zone=site.zone, may_take_in=may_anywhere(Permission.IMPORT_RUN)
    )


@bp.get("/<kind>/file")
@requires(Permission.PLACE_MANAGE)
def file(kind: str) -> ResponseReturnValue:
    """All of a kind at the person's sites, as a file that can be taken in again."""
    if kind not in places.FILED:
        abort(404)
    look_query("places file", {"kind": kind})
    with reading() as session:
        rows = places.export(session, kind, sites_for(Permission.PLACE_MANAGE))
        text = csv_text([places.columns(kind), *rows])
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename={kind}.csv"})


@bp.get("/<kind>/new")
@requires(Permission.PLACE_MANAGE)
def new(kind: str) -> ResponseReturnValue:
    sheet = _addable(kind)
    return _form(sheet, None, {name: text for name, text in request.args.items() if name != "site"})


@bp.post("/<kind>/new")
@requires(Permission.PLACE_MANAGE)
def add(kind: str) -> ResponseReturnValue:
    sheet = _addable(kind)
    texts = _typed(sheet)
    if sheet.name != "site":
        with reading() as session:
            check_site(sheet.site_of(session, texts), Ref(kind, 0))
    done = f"{sheet.label} added: it counts from the next search on."
    return _save(sheet, None, texts, lambda uow: service.add(uow, kind, texts, why=_why(), accepts=_accepts()), done)


@bp.get("/<kind>/<int:key>")
@requires(Permission.PLACE_MANAGE)
def show(kind: str, key: int) -> ResponseReturnValue:
    sheet = sheet_of(kind)
    _check(sheet, key)
    look(kind, Ref(kind, key))
    return _form(sheet, key, None)


@bp.post("/<kind>/<int:key>")
@requires(Permission.PLACE_MANAGE)
def change(kind: str, key: int) -> ResponseReturnValue:
    sheet = sheet_of(kind)
    _check(sheet, key)
    texts = _typed(sheet)

    def work(uow: UnitOfWork) -> int:
        service.change(uow, kind, key, texts, known=request.form.get("known", ""), why=_why(), accepts=_accepts())
        return key

    return _save(sheet, key, texts, work, "Saved: it counts from the next search on.")


@bp.post("/<kind>/<int:key>/remove")
@requires(Permission.PLACE_MANAGE)
def remove(kind: str, key: int) -> ResponseReturnValue:
    sheet = sheet_of(kind)
    _check(sheet, key)

    def work(uow: UnitOfWork) -> int:
        service.remove(uow, kind, key, known=request.form.get("known", ""), why=_why(), accepts=_accepts())
        return key

    return _save(sheet, key, None, work, f"{sheet.label} taken away; it can be taken back below.")


@bp.post("/<kind>/<int:key>/undo")
@requires(Permission.PLACE_MANAGE)
def undo(kind: str, key: int) -> ResponseReturnValue:
    sheet = sheet_of(kind)
    _check(sheet, key)

    def work(uow: UnitOfWork) -> int:
        service.undo(uow, kind, key, change_id=request.form.get("change", 0, type=int), accepts=_accepts())
        return key

    return _save(sheet, key, None, work, "Taken back.")


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _save(
    sheet: Sheet, key: int | None, texts: Texts | None, work: Callable[[UnitOfWork], int], done: str
) -> ResponseReturnValue:  # fmt: skip
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            target = url_for("places.show", kind=sheet.name, key=work(uow))
            use_key(uow, target)
    except RisError as error:
        return _form(sheet, key, texts, error), error.http_status
    flash(done)
    return redirect(target, 303)


def _form(sheet: Sheet, key: int | None, typed: Texts | None, error: RisError | None = None) -> str:
    """A thing as it is with what was typed over it; for one that was taken away its history alone."""
    with reading() as session:
        stored = sheet.read(session, key) if key is not None else None
        changes = queries.history(session, sheet.name, key) if key is not None else []
        site = _site_of(sheet, key, stored or (dict(changes[0].before) if changes else None))
        texts = _texts(sheet, stored, site, typed)
        of_kind = _holidays(session, key) if isinstance(sheet, HolidaySheet) and key is not None else {}
        fields = drawn(session, sheet, site, texts, is_new=key is None)
    form = Form(texts)
    form.errors = error.errors if isinstance(error, Wrong) else {}
    hits = error if isinstance(error, HitsAppointments) else None
    return render_template(
        "places/holidays.html" if of_kind else "places/sheet.html",
        sheet=sheet, key=key, stored=stored, site=site, form=form, fields=fields, changes=changes, hits=hits,
        refused=error.message if error and not form.errors and hits is None else "", title=sheet.title(stored or texts) if key else "",
        known=(hits and request.form.get("known")) or version(stored), why=_why(), asked=request.form, action=request.endpoint,
        zone=site.zone if site else "UTC", may_see=site is not None and may(Permission.SCHEDULE_READ, site.id), **of_kind,
    )  # fmt: skip


def _holidays(session: Session, site_id: int) -> dict[str, Any]:
    """The calendar of the year that is asked for, of this one else."""
    now = program().clock()
    year = min(max(request.values.get("year", now.year, type=int), FIRST_YEAR), LAST_YEAR)
    others = session.scalar(sa.select(Site.other_holidays).where(Site.id == site_id))
    return {"year": year, "days": queries.holidays_of(session, site_id, year, now), "others": others}


def _texts(sheet: Sheet, stored: Texts | None, site: SiteRow | None, typed: Texts | None) -> Texts:
    begun = stored or {field.name: field.default for field in sheet.fields}
    here = {"site": site.code} if site is not None and stored is None and sheet.name != "site" else {}
    return begun | here | (typed or {})


def _site_of(sheet: Sheet, key: int | None, texts: Texts | None) -> SiteRow | None:
    """The site of a thing; of a new one that which the address or the form names, else where the person works."""
    with reading() as session:
        own = own_sites(session)
        if texts is not None:
            site_id = sheet.site_of(session, texts)
        elif sheet.name == "site":
            return None
        else:
            code = request.form.get("site", "")
            site_id = next((row.id for row in own if row.code == code), None) or request.args.get("site", type=int)
            site_id = site_id or working_site(sites_for(Permission.PLACE_MANAGE))
    check_site(site_id, Ref(sheet.name, key or 0))
    return next(row for row in own if row.id == site_id)


def _check(sheet: Sheet, key: int) -> None:
    """404 for what never was, and for what is at a site of others."""
    with reading() as session:
        texts = sheet.read(session, key)
        if texts is None:
            last = queries.last_change(session, sheet.name, key)
            texts = dict(last.before) if last else {}
        site_id = sheet.site_of(session, texts)
    check_site(site_id, Ref(sheet.name, key))


def _addable(kind: str) -> Sheet:
    sheet = sheet_of(kind)
    if not sheet.is_added:
        check_site(None, Ref(kind, 0))
    return sheet


def _typed(sheet: Sheet) -> Texts:
    return {name: text.strip() for name, text in request.form.items() if name not in NOT_FIELDS}


def _why() -> str:
    return request.form.get("why", "").strip()[:200]


def _accepts() -> str:
    return request.form.get("accepts", "")
