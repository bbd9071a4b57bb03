"""Day sheets of rooms, to be printed from the browser or as a PDF file; each is on record with who printed it."""

from datetime import date

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue

from ris.base.clock import local
from ris.base.ref import Ref
from ris.catalog.model import Room, Site
from ris.documents import day_sheet
from ris.documents.day_sheet import Printed, RoomSheet
from ris.staff.permission import Permission
from ris.web.access import may, not_here, person, requires, sites_for
from ris.web.page import look, program, reading, working_site

bp = Blueprint("sheet", __name__, url_prefix="/schedule/sheet", template_folder="templates")


@bp.get("")
@requires(Permission.SCHEDULE_READ)
def show() -> ResponseReturnValue:
    """`?room=` one room; without it every room of the site."""
    site, room, day = _asked()
    sheets, rooms = _sheets(site, room, day)
    _on_record(site, room, day, "day sheet")
    printed = Printed(site.name, site.zone, program().clock(), person().name)
    return render_template("schedule/sheet.html", site=site, room=room, day=day, sheets=sheets, rooms=rooms, printed=printed)


@bp.get("/pdf")
@requires(Permission.SCHEDULE_READ)
def pdf() -> ResponseReturnValue:
    site, room, day = _asked()
    sheets, _ = _sheets(site, room, day)
    drawn = day_sheet.draw(sheets, Printed(site.name, site.zone, program().clock(), person().name))
    _on_record(site, room, day, "day sheet printed")
    answer = Response(drawn, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="day-sheet-{day}.pdf"'
    return answer


def _asked() -> tuple[Site, Room | None, date]:
    sites = sites_for(Permission.SCHEDULE_READ)
    with reading() as session:
        room_id = request.args.get("room", type=int)
        room = session.get(Room, room_id) if room_id is not None else None
        if room_id is not None and room is None:
            abort(404)
        site_id = room.site_id if room else request.args.get("site", type=int) or working_site(sites)
        if site_id is None or not may(Permission.SCHEDULE_READ, site_id):
            raise not_here(Permission.SCHEDULE_READ, Ref("site", site_id or 0))
        site = session.get_one(Site, site_id)
    try:
        day = date.fromisoformat(request.args.get("date", ""))
    except ValueError:
        day = local(program().clock(), site.zone).date()
    return site, room, day


def _sheets(site: Site, room: Room | None, day: date) -> tuple[list[RoomSheet], list[tuple[int, str]]]:
    """The sheets, and the rooms to choose from."""
    now = program().clock()
    with reading() as session:
        known = session.query(Room).filter(Room.site_id == site.id, Room.active).order_by(Room.modality, Room.code)
        rooms = [(each.id, each.name) for each in known]
        return [day_sheet.of_room(session, room, day, now)] if room else day_sheet.of_site(session, site, day, now), rooms


def _on_record(site: Site, room: Room | None, day: date, what: str) -> None:
    look(what, Ref("room", room.id) if room else Ref("site", site.id), site_id=site.id, day=day.isoformat())
