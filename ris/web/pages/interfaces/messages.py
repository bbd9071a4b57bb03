"""The list of messages: searched by what an analyst knows of one, paged by place, saved as a file."""

from collections.abc import Iterator

import sqlalchemy as sa
from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.csv_text import csv_text
from ris.journal.model import Direction, MessageState
from ris.journal.search import NOBODY, MessageRow, Wanted, found, parts
from ris.partner.model import Partner
from ris.program import Program
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may_anywhere, requires
from ris.web.page import look_query, program, reading
from ris.web.pages.interfaces.asked import OPEN, Asked, cursor_text, links_of, wanted
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.shown import zone_of_reader

MOST_IN_A_FILE = 50_000
COLUMNS = ("time", "way", "partner", "type", "control id", "state", "answer", "error", "place", "message")


@bp.get("/messages")
@requires(Permission.INTERFACE_READ)
def messages() -> ResponseReturnValue:
    """The newest page is live, but for a search by what no index holds."""
    asked, before = Asked.of(request.args), request.args.get("before", "")
    if "X-Poll" not in request.headers:
        look_query("messages", asked.set)
    with reading() as session:
        zone = zone_of_reader(session)
        fitting = asked.candidates(session)
        page = found(session, wanted(session, asked, fitting, zone, before))
        partners = partners_by_name(session)
    return live.answer(
        "interfaces/messages.html", page.rows, {**asked.set, "before": before, "zone": zone},
        asked=asked, zone=zone, partners=partners, states=[OPEN, *MessageState], ways=list(Direction),
        older=url_for("interfaces.messages", **asked.set, before=cursor_text(page.older)) if page.older else None,
        looked_back_to=page.looked_back_to, file=url_for("interfaces.export", **asked.set),
        is_live=not (before or asked.text or asked.kind or asked.control_id),
        candidates=[(row, url_for("interfaces.messages", **values)) for row, values in links_of(asked, fitting)],
        nobody=bool(asked.patient) and not fitting and not asked.patient_id, may_manage=may_anywhere(Permission.INTERFACE_MANAGE),
    )  # fmt: skip


@bp.get("/messages/export.csv")
@requires(Permission.INTERFACE_READ)
def export() -> ResponseReturnValue:
    """The list as a file; the messages themselves are not in it."""
    asked = Asked.of(request.args)
    look_query("messages export", asked.set)
    with reading() as session:
        which = wanted(session, asked, asked.candidates(session), zone_of_reader(session))
    return Response(_lines(program(), which), mimetype="text/csv", headers={"Content-Disposition": "attachment; filename=messages.csv"})


def partners_by_name(session: Session) -> list[tuple[int, str]]:
    """For a choice; those whom nobody knows are one of them."""
    rows = session.execute(sa.select(Partner.id, Partner.name).order_by(Partner.name))
    return [*((partner_id, name) for partner_id, name in rows), (NOBODY, "unknown senders")]


def _lines(program: Program, which: Wanted) -> Iterator[str]:
    yield csv_text([COLUMNS])
    with program.read() as session:
        for rows in parts(session, which, MOST_IN_A_FILE):
            yield csv_text(_cells(row) for row in rows)


def _cells(row: MessageRow) -> tuple[str, ...]:
    return (
        row.at.isoformat(), row.direction, row.partner_name or "", row.kind, row.control_id, row.state, row.ack_code, row.error,
        row.place, str(row.id),
    )  # fmt: skip
