"""Finding a slot: by exam or by procedure, with filters; and the form that holds what was found until it is booked."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import Conflict, Invalid, RisError
from ris.base.ref import Ref
from ris.catalog import queries as catalog
from ris.catalog.model import Modality
from ris.order import queries as orders
from ris.order.queries import ExamRow
from ris.order.status import ProcedureStatus
from ris.scheduling import holds, offering
from ris.scheduling.appointment import HeldPlace, held_places, rooms_of, site_names, site_of_room, step_ids, zone_of
from ris.scheduling.facts import Asked, Wishes
from ris.scheduling.gather import Own
from ris.scheduling.offering import Offered, OfferRow
from ris.scheduling.places import Place
from ris.staff.permission import Permission
from ris.web.access import may, not_here, person, requires, sites_for
from ris.web.asked import choice
from ris.web.page import changing, look, look_query, program, reading, use_key, used_before, working_site
from ris.web.pages.schedule.parts import against, answers, bp, exam_at

SEARCH_DAYS = 28
"""So far a search reaches when its form names no last day."""


@bp.get("/find")
@requires(Permission.SCHEDULE_BOOK)
def find() -> ResponseReturnValue:
    exams = _exams(request.args.getlist("exam", type=int))
    site_ids = _sites(exams)
    own = sites_for(Permission.SCHEDULE_BOOK)
    with reading() as session:
        zone = zone_of(session, site_ids[0])
        names = dict(site_names(session, own))
        rooms = _rooms(session, {site_id: names[site_id] for site_id in site_ids})
        procedures = catalog.procedures(session)
        beside = _beside(orders.exams_of_patient(session, exams[0].patient_id, own), own) if exams else []
    asked, refused = _asked(exams, zone)
    procedure_id = request.args.get("procedure", type=int)
    offered = None
    try:
        offered = _search(exams, site_ids, procedure_id, asked) if asked else None
    except (Conflict, Invalid) as error:
        refused = error.message
    _note(exams, site_ids)
    return render_template(
        "schedule/find.html", exams=exams, beside=beside, site_ids=site_ids, own_sites=list(names.items()), rooms=rooms,
        procedures=procedures, procedure_id=procedure_id, asked=asked, offered=offered, days=_by_day(offered) if offered else [], zone=zone,
        refused=refused, move_url=_move_url(exams), modalities=list(Modality), now=program().clock(), written=written,
        where=_where(names, offered.offers) if offered and len(site_ids) > 1 else None,
        nothing_at=_nothing_at(names, site_ids, offered.offers) if offered else [],
    ), 422 if refused else 200  # fmt: skip


@bp.post("/hold")
@requires(Permission.SCHEDULE_BOOK)
def hold() -> ResponseReturnValue:
    """Holds the places of an offer for the person, and shows the form that books them."""
    if (before := used_before()) is not None:
        return before
    places = [place_of(text) for text in request.form.getlist("place")]
    exams = _exams(list(dict.fromkeys(place.procedure_id for place in places)))
    if not exams:
        raise Invalid("a place is needed", error_code="101")
    wishes = Wishes(_sex(request.form), request.form.get("anaesthesia") == "1")
    try:
        with changing() as uow:
            held = holds.hold(uow, places=places, wishes=wishes)
            target = url_for("schedule.held", hold_id=held.id)
            use_key(uow, target)
    except RisError as error:
        return full(exams, places, error), error.http_status
    return redirect(target, 303)


@bp.get("/holds/<int:hold_id>")
@requires(Permission.SCHEDULE_BOOK)
def held(hold_id: int) -> ResponseReturnValue:
    return _held(hold_id)


@bp.post("/holds/<int:hold_id>/book")
@requires(Permission.SCHEDULE_BOOK)
def book_held(hold_id: int) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    with reading() as session:
        places = held_places(session, hold_id, person().id)
    target = _day_of(places)
    try:
        with changing() as uow:
            steps = holds.book_held(uow, hold_id=hold_id, answers=answers())
            use_key(uow, target)
    except Conflict as error:
        return _held(hold_id, error), error.http_status
    many = f"{len(steps)} appointments are" if len(steps) > 1 else f"Exam {places[0].accession_number} is"
    flash(f"{many} booked at {places[0].site_name}.")
    return redirect(target, 303)


@bp.post("/holds/<int:hold_id>/keep")
@requires(Permission.SCHEDULE_BOOK)
def keep_held(hold_id: int) -> ResponseReturnValue:
    with changing() as uow:
        holds.keep(uow, hold_id=hold_id)
    return redirect(url_for("schedule.held", hold_id=hold_id), 303)


@bp.post("/holds/<int:hold_id>/release")
@requires(Permission.SCHEDULE_BOOK)
def release_held(hold_id: int) -> ResponseReturnValue:
    with reading() as session:
        places = held_places(session, hold_id, person().id)
    with changing() as uow:
        holds.release(uow, hold_id=hold_id)
    exams = list(dict.fromkeys(place.procedure_id for place in places))
    return redirect(url_for("schedule.find", exam=exams), 303)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _exams(procedure_ids: Iterable[int]) -> list[ExamRow]:
    return [exam_at(procedure_id) for procedure_id in procedure_ids]


def booking_site() -> int:
    """The site asked for, else the one where the person works; one where the person books."""
    own = sites_for(Permission.SCHEDULE_BOOK)
    asked = request.args.get("site", type=int)
    if asked is not None and asked not in own:
        raise not_here(Permission.SCHEDULE_BOOK, Ref("site", asked))
    site_id = asked if asked is not None else working_site(own)
    if site_id is None:
        raise not_here(Permission.SCHEDULE_BOOK)
    return site_id


def _sites(exams: list[ExamRow]) -> list[int]:
    """Those asked for, else where the exams are, else where the person works; only where the person books."""
    asked = request.args.getlist("site", type=int)
    if not asked:
        return list(dict.fromkeys(exam.site_id for exam in exams)) or [booking_site()]
    for site_id in asked:
        if not may(Permission.SCHEDULE_BOOK, site_id):
            raise not_here(Permission.SCHEDULE_BOOK, Ref("site", site_id))
    # That of the exam first: by its clock the search begins.
    return sorted(dict.fromkeys(asked), key=lambda site_id: site_id not in {exam.site_id for exam in exams})


def _rooms(session: Session, names: Mapping[int, str]) -> list[tuple[int, str]]:
    """With the name of the site where there are several."""
    return [
        (key, f"{name}, {site}" if len(names) > 1 else name) for site_id, site in names.items() for key, name in rooms_of(session, site_id)
    ]


def _where(names: Mapping[int, str], offers: Iterable[OfferRow]) -> Callable[[OfferRow], str]:
    """The site of an offer, with the name of its clock where not all have the same."""
    clocks_differ = len({offer.zone for offer in offers}) > 1
    return lambda offer: names[offer.site_id] + (f", {local(offer.starts_at, offer.zone):%Z}" if clocks_differ else "")


def _nothing_at(names: Mapping[int, str], site_ids: Collection[int], offers: Iterable[OfferRow]) -> list[str]:
    """Sites that offer nothing where others do."""
    offering_sites = {offer.site_id for offer in offers}
    return [names[site_id] for site_id in site_ids if offering_sites and site_id not in offering_sites]


def _beside(exams: Iterable[ExamRow], site_ids: Collection[int]) -> list[ExamRow]:
    """What waits for the same patient where the person books: it could be done on one way."""
    return [exam for exam in exams if exam.status is ProcedureStatus.ordered and exam.known and exam.site_id in site_ids]


def _asked(exams: list[ExamRow], zone: str) -> tuple[Asked | None, str]:
    """What the form asks for, or why it cannot be searched. A routine exam is not looked for before it is wished for."""
    values = request.args
    today = local(program().clock(), zone).date()
    wished = [local(exam.requested_at, zone).date() for exam in exams if exam.requested_at]
    try:
        first = date.fromisoformat(values["from"]) if values.get("from") else max([today, *wished])
        last = date.fromisoformat(values["to"]) if values.get("to") else first + timedelta(days=SEARCH_DAYS)
        after, before = (time.fromisoformat(text) if (text := values.get(name)) else None for name in ("after", "before"))
    except ValueError:
        return None, "a day is written like 2026-11-30, a time like 14:05"
    wishes = Wishes(_sex(values), values.get("anaesthesia") == "1")
    return Asked(first, last, after, before, values.get("room", type=int), choice(Modality, values.get("modality", "")), wishes), ""


def _sex(values: Any) -> str:
    sex = values.get("sex", "")
    return sex if sex in ("F", "M") else ""


def _search(exams: list[ExamRow], site_ids: list[int], procedure_id: int | None, asked: Asked) -> Offered | None:
    now = program().clock()
    a_day = None if asked.first == asked.last else 6
    with reading() as session:
        if exams:
            own = Own(tuple(step for exam in exams for step in step_ids(session, exam.procedure_id)))
            ids = [exam.procedure_id for exam in exams]
            found = [offering.for_exams(session, ids, asked, now, own=own, a_day=a_day, site_id=site_id) for site_id in site_ids]
        elif procedure_id is not None:
            found = [offering.for_procedure(session, site_id, procedure_id, asked, now, a_day=a_day) for site_id in site_ids]
        else:
            return None
    return offering.joined(found)


def _move_url(exams: list[ExamRow]) -> str:
    """Where an offer is sent for an exam that has its appointment: it is moved there."""
    is_move = len(exams) == 1 and exams[0].status is ProcedureStatus.scheduled
    return url_for("schedule.move_all", procedure_id=exams[0].procedure_id) if is_move else ""


def _note(exams: list[ExamRow], site_ids: list[int]) -> None:
    for exam in exams:
        about = Ref("procedure", exam.procedure_id)
        look("slots for exam", about, patient_id=exam.patient_id, procedure_id=exam.procedure_id, site_id=exam.site_id)
    if not exams:
        look_query("slots", {"site_ids": site_ids, "procedure": request.args.get("procedure", "")[:20]})


def _by_day(offered: Offered) -> list[tuple[date, list[OfferRow]]]:
    return [(day, list(rows)) for day, rows in groupby(offered.offers, key=lambda row: row.day)]


def written(offer: OfferRow) -> list[str]:
    """The places of an offer for the fields of a form."""
    return [f"{place.procedure_id}.{place.step}.{place.room_id}.{place.starts_at.isoformat()}" for place in offer.places]


def place_of(text: str) -> Place:
    try:
        procedure_id, step, room_id, at = text.split(".", 3)
        starts_at = datetime.fromisoformat(at)
        if starts_at.tzinfo is None:
            raise ValueError("a moment without a zone")
        return Place(int(procedure_id), int(room_id), starts_at, int(step))
    except ValueError as error:
        raise Invalid("this is no place to book", error_code="101") from error


def full(exams: list[ExamRow], places: list[Place], error: RisError) -> str:
    """The page that says who was faster, and what is free nearby."""
    offers: list[OfferRow] = []
    if isinstance(error, Conflict) and exams[0].status is ProcedureStatus.ordered:
        with reading() as session:
            ids, site = [exam.procedure_id for exam in exams], site_of_room(session, places[0].room_id)
            if site is not None:
                offers = offering.near(session, ids, places[0].starts_at, site.zone, program().clock(), site_id=site.id)
    return render_template("schedule/full.html", exams=exams, offers=offers, refused=error.message, written=written)


def _held(hold_id: int, error: RisError | None = None) -> str:
    with reading() as session:
        places = held_places(session, hold_id, person().id)
        exams = [exam for key in dict.fromkeys(p.procedure_id for p in places) if (exam := orders.exam(session, key))]
    if not exams or not all(may(Permission.SCHEDULE_BOOK, exam.site_id) for exam in exams):
        raise not_here(Permission.SCHEDULE_BOOK, Ref("hold", hold_id))
    first, at = exams[0], places[0]
    look("held slot", Ref("hold", hold_id), patient_id=first.patient_id, procedure_id=first.procedure_id, site_id=at.site_id)
    seconds = max(int((at.held_until - program().clock()).total_seconds()), 0)
    return render_template(
        "schedule/held.html", hold_id=hold_id, places=places, exams=exams, zone=at.zone, seconds=seconds,
        day=lambda moment: local(moment, at.zone).date(), **against(error, at.site_id),
    )  # fmt: skip


def _day_of(places: list[HeldPlace]) -> str:
    if not places:
        return url_for("schedule.day")
    first = places[0]
    return url_for("schedule.day", site=first.site_id, date=local(first.starts_at, first.zone).date())
