"""The schedule: a day of rooms, what waits for an appointment, booking, moving and cancelling, by mouse, by keys, or by plain forms."""

from datetime import date, timedelta
from typing import Any

from flask import abort, json, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import Occupied, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.catalog.model import Modality, ReasonKind
from ris.order import whereabouts
from ris.order.queries import ExamRow
from ris.protocol.queries import protocol
from ris.scheduling import offering, queries, service
from ris.scheduling import waiting as waitlisted
from ris.scheduling.appointment import AppointmentDetail, helpers_of, rooms_for, site_names, site_of_room, step_ids
from ris.scheduling.facts import Asked
from ris.scheduling.gather import NOTHING, Own
from ris.scheduling.offering import OfferRow, Slot
from ris.scheduling.rules import check
from ris.scheduling.rules.finding import Finding
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, not_here, requires, sites_for
from ris.web.asked import LONGEST, choice
from ris.web.page import look, look_query, program, reading, reason_for, working_site
from ris.web.pages.schedule import drawn, find, waitlist
from ris.web.pages.schedule.gathered import AskedDay, Day, gather
from ris.web.pages.schedule.parts import (
    against,
    answers,
    appointment_at,
    bp,
    do,
    exam_at,
    minutes,
    moment,
    overbook_reason,
    panel,
    room_id,
)
from ris.web.polls import Shown

__all__ = ["bp", "find", "waitlist"]

MOST_SHOWN = 2_000
"""Waiting orders on one page."""
SEARCH_DAYS = 28
"""So far ahead the next free slots are looked for."""


@bp.get("")
@requires(Permission.SCHEDULE_READ)
def day() -> ResponseReturnValue:
    return _day(_site(), _date_asked())


@bp.get("/events")
@requires(Permission.SCHEDULE_READ)
def events() -> ResponseReturnValue:
    """What the calendar and the list beside it show; 204 when it is what the page has already."""
    asked = _asked(_site(), _date_asked())
    shown = _shared(asked)
    day: Day = shown.content

    def draw(_known: str) -> str:
        listed = render_block(
            "schedule/day.html", "waiting", waiting=day.waiting, count=day.count, words=asked.words, protocols=day.protocols,
            alerts=day.known, zone=day.schedule.zone, may_book=may(Permission.SCHEDULE_BOOK, asked.site_id), schedule=day.schedule,
            modality=asked.modality, **live.FOR_MANY,
        )  # fmt: skip
        told = {"version": shown.version, "events": _events(day), "waiting": listed, "waiting_count": day.count}
        return json.dumps(told, separators=(",", ":"))

    return live.told(shown, "application/json", draw)


@bp.get("/exams/<int:procedure_id>")
@requires(Permission.SCHEDULE_BOOK)
def plan(procedure_id: int) -> ResponseReturnValue:
    """Where and when an exam could be: the next free slots, and a form for any other time."""
    exam = exam_at(procedure_id)
    look("schedule of exam", Ref("procedure", procedure_id), patient_id=exam.patient_id, procedure_id=procedure_id, site_id=exam.site_id)
    return _plan(exam)


@bp.post("/exams/<int:procedure_id>/book")
@requires(Permission.SCHEDULE_BOOK)
def book(procedure_id: int) -> ResponseReturnValue:
    exam = exam_at(procedure_id)

    def work(uow: UnitOfWork) -> None:
        service.book(
            uow, procedure_id=procedure_id, room_id=room_id(), starts_at=moment(exam.zone), minutes=minutes(), answers=answers(),
            overbook_reason=overbook_reason(),
        )  # fmt: skip

    return do(work, f"Exam {exam.accession_number} is booked.", exam.site_id, lambda error: _plan(exam, error))


@bp.get("/exams/<int:procedure_id>/appointment")
@requires(Permission.SCHEDULE_BOOK)
def appointment_of(procedure_id: int) -> ResponseReturnValue:
    """To the first appointment of an exam that can be moved, else to where it gets one."""
    exam_at(procedure_id)
    with reading() as session:
        steps = step_ids(session, procedure_id)
    target = url_for("schedule.show", step_id=steps[0]) if steps else url_for("schedule.plan", procedure_id=procedure_id)
    return redirect(target, 303)


@bp.get("/appointments/<int:step_id>")
@requires(Permission.SCHEDULE_READ)
def show(step_id: int) -> ResponseReturnValue:
    found = appointment_at(step_id, Permission.SCHEDULE_READ)
    look("appointment", Ref("step", step_id), patient_id=found.patient_id, procedure_id=found.procedure_id, site_id=found.site_id)
    return _show(found)


@bp.post("/appointments/<int:step_id>/move")
@requires(Permission.SCHEDULE_BOOK)
def move(step_id: int) -> ResponseReturnValue:
    found = appointment_at(step_id, Permission.SCHEDULE_BOOK)

    def work(uow: UnitOfWork) -> None:
        service.move(
            uow, step_id=step_id, room_id=room_id(), starts_at=moment(found.zone), minutes=minutes(),
            row_version=request.form.get("row_version", type=int), answers=answers(), overbook_reason=overbook_reason(),
        )  # fmt: skip

    return do(work, f"Exam {found.accession_number} is moved.", found.site_id, lambda error: _show(found, error))


@bp.post("/exams/<int:procedure_id>/move")
@requires(Permission.SCHEDULE_BOOK)
def move_all(procedure_id: int) -> ResponseReturnValue:
    """All steps of an exam to the places of an offer."""
    exam = exam_at(procedure_id)
    places = [find.place_of(text) for text in request.form.getlist("place")]
    with reading() as session:
        site = site_of_room(session, places[0].room_id) if places else None

    def work(uow: UnitOfWork) -> None:
        service.move_all(uow, procedure_id=procedure_id, places=places, answers=answers())

    def again(error: RisError) -> str:
        with reading() as session:
            steps = step_ids(session, procedure_id)
        return _show(appointment_at(steps[0], Permission.SCHEDULE_BOOK), error) if steps else find.full([exam], places, error)

    done = f"Exam {exam.accession_number} is moved" + (f" to {site.name}." if site and site.id != exam.site_id else ".")
    return do(work, done, site.id if site else exam.site_id, again)


@bp.post("/exams/<int:procedure_id>/hand-back")
@requires(Permission.SCHEDULE_BOOK)
def hand_back(procedure_id: int) -> ResponseReturnValue:
    """The exam waits again at the site that ordered it, for a desk that may not book there."""
    exam = exam_at(procedure_id)

    def work(uow: UnitOfWork) -> None:
        whereabouts.hand_back(uow, procedure_id)

    done = f"Exam {exam.accession_number} waits at {exam.ordered_site_name} again."
    return do(work, done, exam.site_id, lambda error: _plan(exam, error))


@bp.post("/appointments/<int:step_id>/cancel")
@requires(Permission.SCHEDULE_BOOK)
def cancel(step_id: int) -> ResponseReturnValue:
    found = appointment_at(step_id, Permission.SCHEDULE_BOOK)

    def work(uow: UnitOfWork) -> None:
        service.cancel(uow, step_id=step_id, reason=reason_for(ReasonKind.cancel))

    done = f"The appointment of exam {found.accession_number} is cancelled; it waits for another one."
    return do(work, done, found.site_id, lambda error: _show(found, error))


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _day(site_id: int, on: date | None) -> str:
    asked = _asked(site_id, on)
    shown = _shared(asked)
    day: Day = shown.content
    schedule = day.schedule
    with reading() as session:
        proposals = waitlisted.open_proposals(session, site_id, program().clock())
        sites = _sites(session)
    look_query("schedule", {"site_id": site_id, "date": schedule.day.isoformat()})
    first, last = drawn.hours(schedule)
    before, after = drawn.days_around(schedule.day)
    return render_template(
        "schedule/day.html",
        schedule=schedule, waiting=day.waiting, count=day.count, words=asked.words, shown=asked.shown, proposals=proposals,
        protocols=day.protocols, alerts=day.known, own_sites=sites, modalities=day.modalities, modality=asked.modality, today=day.today,
        before=before, after=after, zone=schedule.zone, version=shown.version,
        now=drawn.floating(program().clock(), schedule.zone),
        may_book=may(Permission.SCHEDULE_BOOK, site_id),
        room_names={str(room.id): room.name for room in schedule.rooms},
        calendar={"rooms": drawn.rooms(schedule), "events": _events(day), "first": first, "last": last,
                  "scroll_to": drawn.scroll_to(schedule, program().clock()), "site": str(site_id), "date": schedule.day.isoformat()},
    )  # fmt: skip


def _asked(site_id: int, on: date | None) -> AskedDay:
    shown = request.args.get("shown", queries.WAITING_SHOWN, type=int)
    return AskedDay(
        site_id, on, choice(Modality, request.args.get("modality", "")), request.args.get("q", "").strip()[:LONGEST],
        min(max(shown, queries.WAITING_SHOWN), MOST_SHOWN),
    )  # fmt: skip


def _shared(asked: AskedDay) -> Shown:
    """Its content is a `Day`."""
    ris = program()
    return live.shared(asked, lambda: gather(ris, asked))


def _events(day: Day) -> list[dict[str, Any]]:
    return drawn.events(day.schedule, day.known) + drawn.holds(day.held, day.schedule.zone)


def _plan(exam: ExamRow, error: RisError | None = None) -> str:
    with reading() as session:
        slots = _slots(session, exam.procedure_id, exam.zone, error, 9) if exam.known else []
        entry = waitlisted.entry_of(session, exam.procedure_id)
        rooms = rooms_for(session, exam.procedure_id)
        planned = protocol(session, exam.procedure_id)
        foreseen = _foreseen(session, exam, slots[0]) if slots and error is None else ()
        on_hold = check.held_finding(session, exam.procedure_id) if exam.held_at else None
    return panel(
        "schedule/plan.html", exam=exam, entry=entry, slots=slots, rooms=rooms, foreseen=foreseen, protocol=planned, held=on_hold,
        **against(error, exam.site_id),
    )  # fmt: skip


def _show(found: AppointmentDetail, error: RisError | None = None) -> str:
    with reading() as session:
        rooms = rooms_for(session, found.procedure_id, found.number)
        own = Own(tuple(step_ids(session, found.procedure_id)))
        has_steps = bool(found.step_name)
        slots = _slots(session, found.procedure_id, found.zone, error, 6, own) if found.is_movable and not has_steps else []
        offers = _whole_moves(session, found, own) if found.is_movable and has_steps else ()
        entry = waitlisted.entry_of(session, found.procedure_id)
        helpers = helpers_of(session, found.step_id)
    return panel("schedule/appointment.html", found=found, entry=entry, helpers=helpers, rooms=rooms, slots=slots, offers=offers,
                 written=find.written, may_book=may(Permission.SCHEDULE_BOOK, found.site_id),
                 **against(error, found.site_id))  # fmt: skip


def _slots(session: Session, procedure_id: int, zone: str, error: RisError | None, limit: int, own: Own = NOTHING) -> list[Slot]:
    """The next free slots of an exam; where one was asked for that cannot be had, those nearest to it."""
    now = program().clock()
    if isinstance(error, Occupied):
        parts = [offer.parts[0] for offer in offering.near(session, [procedure_id], moment(zone), zone, now, own)[:limit]]
        return [Slot(part.room_id, part.room_name, part.starts_at, part.ends_at) for part in parts]
    return offering.free_slots(session, procedure_id=procedure_id, after=now, days=SEARCH_DAYS, limit=limit, own=own)


def _whole_moves(session: Session, found: AppointmentDetail, own: Own) -> tuple[OfferRow, ...]:
    now = program().clock()
    today = local(now, found.zone).date()
    asked = Asked(today, today + timedelta(days=SEARCH_DAYS))
    return offering.for_exams(session, [found.procedure_id], asked, now, own=own, limit=6, a_day=2).offers


def _foreseen(session: Session, exam: ExamRow, slot: Slot) -> tuple[Finding, ...]:
    """What the rules will say to the next free slot."""
    return check.findings(
        session, program().clock(), procedure_id=exam.procedure_id, site_id=exam.site_id, room_id=slot.room_id, starts_at=slot.starts_at,
        ends_at=slot.ends_at,
    )  # fmt: skip


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _site() -> int:
    """The one asked for, else the one where the person works."""
    own = sites_for(Permission.SCHEDULE_READ)
    asked = request.args.get("site", type=int)
    if asked is not None and asked not in own:
        raise not_here(Permission.SCHEDULE_READ, Ref("site", asked))
    site_id = asked if asked is not None else working_site(own)
    if site_id is None:
        abort(404)
    return site_id


def _sites(session: Session) -> list[tuple[int, str]]:
    return site_names(session, sites_for(Permission.SCHEDULE_READ))


def _date_asked() -> date | None:
    text = request.args.get("date", "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        abort(404)
