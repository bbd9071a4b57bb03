"""The radiologists' list: completed exams without a final report, the most urgent first, who is at them, and whose they are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.critical import views as critical
from ris.order.status import Priority
from ris.report import assigning, service
from ris.report.queries import Narrowed, Place, ReadingRow, levels, reading_worklist
from ris.report.status import UNSIGNED as UNSIGNED_STATES
from ris.report.status import Holding
from ris.report.views import ALL, UNSIGNED
from ris.report.views import View as ReadingView
from ris.staff.permission import Permission
from ris.staff.reads import Reads
from ris.web.worklists.listing import (
    Cell,
    Deed,
    Line,
    View,
    Worklist,
    clock_cell,
    duration,
    exam_cell,
    patient_cell,
    priority_cell,
)

NAME = "reading"
FACETS = ("view", "modality", "subspecialty", "site", "class", "priority")
"""What the list is narrowed by, besides words."""
CLASSES = {"E": "Emergency", "I": "Inpatient", "O": "Outpatient", "P": "Preadmit", "R": "Recurring", "B": "Obstetrics"}
"""Table 0004."""
VIEWS = {view.name: view for view in (*UNSIGNED, critical.OPEN)}
"""By the name in the address, in the order of the tabs."""
Levels = Mapping[Priority, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the cells of a row depend on besides the row."""

    view: View
    levels: Levels


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    cell: Callable[[ReadingRow, Seen], Cell]


def _waiting(row: ReadingRow, seen: Seen) -> Cell:
    """How long it has waited since completion, against the level of its priority."""
    minutes = row.minutes_waiting(seen.view.now)
    soon, late = seen.levels[row.priority]
    if minutes >= late:
        return Cell(duration(minutes), "waiting", "overdue", "late")
    return Cell(duration(minutes), "waiting", "due soon", "soon") if minutes >= soon else Cell(duration(minutes), "waiting", level="ok")


def _reader(row: ReadingRow, seen: Seen) -> Cell:
    if row.reader_id is None or row.reading_since is None:
        return Cell("")
    who = "you" if row.reader_id == seen.view.user_id else str(row.reader_name)
    return Cell(who, "person", f"since {clock_cell(row.reading_since, row.zone, seen.view).text}")


def _holder(row: ReadingRow, seen: Seen) -> Cell:
    if row.held_by_id is None:
        return Cell("")
    who = "you" if row.held_by_id == seen.view.user_id else str(row.held_by)
    return Cell(who, note=row.held_why if row.holding is Holding.assigned else "reserved")


COLUMNS = {
    "priority": Column("Priority", lambda row, _: priority_cell(row.priority)),
    "waiting": Column("Waiting", _waiting),
    "patient": Column("Patient", lambda row, _: patient_cell(row)),
    "exam": Column("Exam", lambda row, _: exam_cell(row)),
    "modality": Column("Modality", lambda row, _: Cell(row.modality, note=row.region)),
    "subspecialty": Column("Subspecialty", lambda row, _: Cell(row.subspecialty)),
    "question": Column("Question", lambda row, _: Cell(row.reason)),
    "class": Column("Class", lambda row, _: Cell(CLASSES.get(row.patient_class or "", ""))),
    "completed": Column("Completed", lambda row, seen: clock_cell(row.completed_at, row.zone, seen.view)),
    "site": Column("Site", lambda row, _: Cell(row.site_name)),
    "report": Column("Report", lambda row, _: Cell(row.report_status or "unread", "status")),
    "whose": Column("Whose", _holder),
    "reader": Column("Reader", _reader),
}
USUAL = ("priority", "waiting", "patient", "exam", "modality", "site", "report", "whose", "reader")
"""Columns that somebody sees who has chosen none."""


def chosen(names: Collection[str]) -> tuple[str, ...]:
    """Those that there are, in their order; the usual ones where none is."""
    return tuple(name for name in names if name in COLUMNS) or USUAL


def view_of(filters: Mapping[str, str]) -> ReadingView:
    """The one that is asked for; all exams without one, or for an unknown one."""
    return VIEWS.get(filters.get("view", ""), ALL)


def narrowed(filters: Mapping[str, str], user_id: int, reads: Reads, after: str = "") -> Narrowed:
    """What the filters of an address ask for; the site stands apart."""
    return Narrowed(
        view_of(filters), user_id, reads, filters.get("q", ""), filters.get("modality", ""), filters.get("subspecialty", ""),
        filters.get("class", ""), filters.get("priority", ""), Place.read(after),
    )  # fmt: skip


def narrowed_sites(filters: Mapping[str, str], sites: frozenset[int]) -> frozenset[int]:
    """Of the sites that the person may see, those that are asked for."""
    return sites & {int(site)} if (site := filters.get("site", "")).isdecimal() else sites


def lines(session: Session, view: View) -> list[Line]:
    """The first page, narrowed by nothing."""
    return drawn(session, reading_worklist(session, list(view.zones), view.now), view, USUAL)


def drawn(session: Session, rows: Sequence[ReadingRow], view: View, columns: Sequence[str]) -> list[Line]:
    seen = Seen(view, levels(session))
    cells = [COLUMNS[name].cell for name in columns]
    return [
        Line(row.procedure_id, row.priority is Priority.stat, tuple([cell(row, seen) for cell in cells]), _does(row, view.user_id))
        for row in rows
    ]


def _does(row: ReadingRow, user_id: int) -> tuple[str, ...]:
    if row.report_status is not None and row.report_status not in UNSIGNED_STATES:
        return ()
    read = ("read",) if row.reader_id in (None, user_id) else ()
    return (*read, "reserve" if row.held_by_id is None else "let_go", "assign")


def read(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    """Opens the report and claims it. Raises Stale naming who was faster."""
    service.claim(uow, service.open_for(uow, procedure_id).id)


def reserve(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    assigning.reserve(uow, procedure_id)


def assign(uow: UnitOfWork, procedure_id: int, login: str) -> None:
    assigning.assign(uow, procedure_id, user_id=assigning.reader_by_login(uow, login))


def let_go(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    assigning.let_go(uow, procedure_id)


WORKLIST = Worklist(
    name=NAME,
    title="Reading",
    permission=Permission.REPORT_WRITE,
    columns=tuple(COLUMNS[name].title for name in USUAL),
    facets=FACETS,
    lines=lines,
    deeds=(
        Deed("read", "Read", "r", read, "", "primary", leads_to="report.show"),
        Deed("reserve", "Reserve", "v", reserve, "It is yours to read.", "outline-secondary"),
        Deed("let_go", "Let go", "l", let_go, "It is anybody's again.", "outline-secondary"),
        Deed("assign", "Assign", "a", assign, "It is assigned.", "outline-secondary", ask="To whom: the login", must_answer=True),
    ),
    empty="Nothing waits to be read.",
    is_dated=False,
    is_personal=True,
)
