"""The page that finds reports by their words, for people who may read reports."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.clock import from_wall_clock
from ris.base.errors import Invalid
from ris.catalog.model import Modality, Procedure
from ris.report.finding.search import FoundReport, Sought, search
from ris.report.finding.words import Part
from ris.staff.permission import Permission
from ris.web.access import person, requires
from ris.web.asked import AskedList, choice
from ris.web.page import listed_sites, look_query, reading
from ris.web.worklists.listing import zones_of

bp = Blueprint("report_search", __name__, url_prefix="/report-search", template_folder="templates")
PAGE = 25
PART_NAMES = {Part.impression: "in the impression", Part.findings: "in the findings", Part.other: "elsewhere in the report"}


@dataclass(frozen=True, slots=True)
class Asked(AskedList):
    q: str = ""
    part: str = ""
    since: str = ""
    until: str = ""
    modality: str = ""
    exam: str = ""
    behind: str = ""


@bp.get("")
@requires(Permission.REPORT_READ)
def index() -> ResponseReturnValue:
    """Each search is in the trail with what was asked."""
    asked = Asked.of(request.args)
    found: list[FoundReport] = []
    refused = ""
    if asked.q:
        look_query("report search", asked.set)
        try:
            found = _found(asked)
        except Invalid as error:
            refused = error.message
    with reading() as session:
        exams = session.execute(sa.select(Procedure.code, Procedure.name).where(Procedure.active).order_by(Procedure.name)).all()
    page = render_template(
        "report_search/index.html", asked=asked, found=found[:PAGE], refused=refused, parts=PART_NAMES,
        modalities=list(Modality), exams=exams,
        further={**asked.set, "behind": found[PAGE - 1].place} if len(found) > PAGE else {},
        first={name: value for name, value in asked.set.items() if name != "behind"},
    )  # fmt: skip
    return page, 422 if refused else 200


def _found(asked: Asked) -> list[FoundReport]:
    """One more than a page shows, where there are so many. Raises Invalid."""
    sites = listed_sites(Permission.REPORT_READ)
    with reading() as session:
        sought = Sought(
            asked.q, choice(Part, asked.part), _midnight(session, sites, asked.since), _midnight(session, sites, asked.until, days=1),
            asked.modality, asked.exam, int(asked.behind) if asked.behind.isdecimal() else None,
        )  # fmt: skip
        return search(session, sites, person().id, sought, PAGE + 1)


def _midnight(session: Session, sites: frozenset[int], text: str, *, days: int = 0) -> datetime | None:
    """The beginning of a day, or so many days later, by the clock of the first site; None for no day. Raises Invalid."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise Invalid("a day is written like 2026-11-30") from error
    zone = next(iter(zones_of(session, sites).values()), "UTC")
    return from_wall_clock(datetime.combine(day, time()), zone)
