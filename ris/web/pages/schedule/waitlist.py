"""The waiting list: who wants an earlier slot, and the proposals that a person decides with the patient on the telephone."""

from collections.abc import Callable
from datetime import time
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from ris.base.errors import Conflict, Invalid, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.scheduling import waiting, waitlist
from ris.scheduling.appointment import site_names, zone_of
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, not_here, requires, sites_for
from ris.web.page import changing, look_query, program, reading
from ris.web.pages.schedule.find import booking_site
from ris.web.pages.schedule.parts import against, answers, bp, do, exam_at
from ris.web.polls import VERSION, Shown


@bp.get("/waitlist")
@requires(Permission.SCHEDULE_BOOK)
def waitlist_index() -> ResponseReturnValue:
    """The whole page, or for a poll what has changed."""
    site_id = booking_site()
    if VERSION not in request.args:
        return _page(site_id)
    shown = _shared(site_id)
    return live.told(shown, "text/html", lambda _known: render_block("schedule/waitlist.html", "waiting", **_part(shown), **live.FOR_MANY))


@bp.post("/exams/<int:procedure_id>/wait")
@requires(Permission.SCHEDULE_BOOK)
def wait(procedure_id: int) -> ResponseReturnValue:
    """Puts an exam on the waiting list, or changes what it waits for."""
    exam = exam_at(procedure_id)

    def work(uow: UnitOfWork) -> None:
        waitlist.wait(
            uow, procedure_id=procedure_id, not_before=_clock("not_before"), not_after=_clock("not_after"),
            notice_minutes=60 * (request.form.get("notice_hours", type=int) or 0), note=request.form.get("note", "").strip()[:200],
        )  # fmt: skip

    done = f"Exam {exam.accession_number} is on the waiting list: what comes free is proposed there."
    return do(work, done, exam.site_id, lambda error: _page(exam.site_id, error))


@bp.post("/waitlist/<int:entry_id>/withdraw")
@requires(Permission.SCHEDULE_BOOK)
def withdraw(entry_id: int) -> ResponseReturnValue:
    site_id = _site_of(waiting.site_of_entry, Ref("waitlist", entry_id))
    with changing() as uow:
        waitlist.withdraw(uow, entry_id=entry_id)
    flash("The exam keeps the appointment that it has.")
    return redirect(url_for("schedule.waitlist_index", site=site_id), 303)


@bp.post("/proposals/<int:proposal_id>/accept")
@requires(Permission.SCHEDULE_BOOK)
def accept(proposal_id: int) -> ResponseReturnValue:
    site_id = _site_of(waiting.site_of_proposal, Ref("proposal", proposal_id))
    try:
        with changing() as uow:
            waitlist.accept(uow, proposal_id=proposal_id, answers=answers())
    except Conflict as error:
        return _page(site_id, error, proposal_id), error.http_status
    flash("The appointment is moved up.")
    return redirect(url_for("schedule.waitlist_index", site=site_id), 303)


@bp.post("/proposals/<int:proposal_id>/decline")
@requires(Permission.SCHEDULE_BOOK)
def decline(proposal_id: int) -> ResponseReturnValue:
    site_id = _site_of(waiting.site_of_proposal, Ref("proposal", proposal_id))
    with changing() as uow:
        waitlist.decline(uow, proposal_id=proposal_id)
    flash("The exam goes on waiting; the slot is proposed to the next whom it suits.")
    return redirect(url_for("schedule.waitlist_index", site=site_id), 303)


def _page(site_id: int, error: RisError | None = None, proposal_id: int = 0) -> str:
    with reading() as session:
        sites = site_names(session, sites_for(Permission.SCHEDULE_BOOK))
    look_query("waiting list", {"site_id": site_id})
    return render_template(
        "schedule/waitlist.html",
        **_part(_shared(site_id)),
        site_id=site_id,
        own_sites=sites,
        refused_id=proposal_id,
        **against(error, site_id),
    )


def _shared(site_id: int) -> Shown:
    """Who waits at a site, and the zone of its clock."""
    ris = program()

    def find() -> Shown:
        with ris.read() as session:
            rows, zone = waiting.of_site(session, site_id, ris.clock()), zone_of(session, site_id)
        return Shown(live.version(rows, {"zone": zone}), (rows, zone))

    return live.shared(("waiting list", site_id), find)


def _part(shown: Shown) -> dict[str, Any]:
    rows, zone = shown.content
    return {"rows": rows, "proposals": [row for row in rows if row.parts], "zone": zone, "version": shown.version}


def _site_of(find: Callable[[Session, int], int | None], about: Ref) -> int:
    with reading() as session:
        site_id = find(session, about.id)
    if site_id is None or not may(Permission.SCHEDULE_BOOK, site_id):
        raise not_here(Permission.SCHEDULE_BOOK, about)
    return site_id


def _clock(name: str) -> time | None:
    text = request.form.get(name, "")
    try:
        return time.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid("a time is written like 14:05", error_code="101") from error
