"""The privacy officer's page: who looked at or changed what, by patient, person and time; as a table and as a file."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.audit.model import Action, Outcome
from ris.audit.queries import Cursor, EntryRow, Wanted, entries
from ris.catalog.model import Site
from ris.program import Program
from ris.staff.permission import Permission
from ris.web.access import requires, sites_for
from ris.web.page import look_query, program, reading, working_site
from ris.web.pages.audit.asked import Asked, wanted
from ris.web.pages.audit.shown import Line, csv_parts, lines

bp = Blueprint("audit", __name__, url_prefix="/audit", template_folder="templates")

PAGE = 100
FILE_PART = 1000


@bp.get("")
@requires(Permission.AUDIT_READ)
def index() -> ResponseReturnValue:
    """Looking into the trail is itself in the trail."""
    asked, before = Asked.of(request.args), request.args.get("before", "")
    look_query("audit", asked.set)
    with reading() as session:
        zone = _zone(session)
        found = asked.candidates(session)
        rows = entries(session, wanted(session, asked, found, sites_for(Permission.AUDIT_READ), zone, before), PAGE + 1)
        return render_template(
            "audit/index.html",
            lines=lines(session, rows[:PAGE]),
            older=_address("audit.index", asked, before=_cursor(rows[PAGE - 1])) if len(rows) > PAGE else None,
            file=_address("audit.export", asked),
            asked=asked,
            candidates=[(row, _address("audit.index", replace(asked, patient_id=str(row.patient_id)))) for row in found if len(found) > 1],
            nobody=bool(asked.patient) and not found and not asked.patient_id,
            actions=list(Action),
            outcomes=list(Outcome),
            zone=zone,
        )


@bp.get("/export.csv")
@requires(Permission.AUDIT_READ)
def export() -> ResponseReturnValue:
    asked = Asked.of(request.args)
    look_query("audit export", asked.set)
    with reading() as session:
        which = wanted(session, asked, asked.candidates(session), sites_for(Permission.AUDIT_READ), _zone(session))
    return Response(
        csv_parts(_parts(program(), which)),
        mimetype="text/csv",
        headers={"Content-Disposition": "attachment; filename=audit.csv"},
    )


def _parts(program: Program, which: Wanted) -> Iterator[list[Line]]:
    """Each part in a session of its own: a slow download keeps nothing open."""
    while True:
        with program.read() as session:
            rows = entries(session, which, FILE_PART)
            part = lines(session, rows)
        if not rows:
            return
        yield part
        which = replace(which, before=Cursor(rows[-1].at, rows[-1].id))


def _zone(session: Session) -> str:
    """The clock of the site that the person works at."""
    site_id = working_site(sites_for(Permission.AUDIT_READ))
    return session.scalar(sa.select(Site.zone).where(Site.id == site_id)) or "UTC"


def _cursor(row: EntryRow) -> str:
    return f"{row.at.isoformat()}_{row.id}"


def _address(endpoint: str, asked: Asked, **more: str) -> str:
    values: dict[str, Any] = {**asked.set, **more}
    return url_for(endpoint, **values)
