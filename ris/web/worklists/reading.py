"""The radiologists' list: completed exams without a final report, the most urgent first, and who is at them."""

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.order.status import Priority
from ris.report import service
from ris.report.queries import ReadingRow, reading_worklist
from ris.staff.permission import Permission
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
    sought,
)

LIMITS = {Priority.stat: (30, 60), Priority.asap: (60, 120)}
ROUTINE_LIMITS = (4 * 60, 24 * 60)
"""Minutes after which a reading is due soon, and after which it is overdue."""


def lines(session: Session, view: View) -> list[Line]:
    return [_line(row, view) for row in reading_worklist(session, list(view.zones), view.now)]


def _line(row: ReadingRow, view: View) -> Line:
    state = "being read" if row.reader_id else row.report_status or "unread"
    return Line(
        row.procedure_id,
        row.priority is Priority.stat,
        (
            priority_cell(row.priority),
            waiting_cell(row, view),
            patient_cell(row),
            exam_cell(row),
            Cell(row.modality, note=row.region),
            Cell(row.site_name),
            Cell(row.report_status or "unread", "status"),
            _reader(row, view),
        ),
        ("read",) if row.reader_id in (None, view.user_id) else (),
        {"modality": row.modality, "site": row.site_name, "state": state},
        sought(row),
    )


def waiting_cell(row: ReadingRow, view: View) -> Cell:
    """How long it has waited since completion, against the limits of its priority."""
    minutes = row.minutes_waiting(view.now)
    soon, late = LIMITS.get(row.priority, ROUTINE_LIMITS)
    if minutes >= late:
        return Cell(duration(minutes), "waiting", "overdue", "late")
    return Cell(duration(minutes), "waiting", "due soon", "soon") if minutes >= soon else Cell(duration(minutes), "waiting", level="ok")


def _reader(row: ReadingRow, view: View) -> Cell:
    if row.reader_id is None or row.reading_since is None:
        return Cell("")
    who = "you" if row.reader_id == view.user_id else str(row.reader_name)
    return Cell(who, "person", f"since {clock_cell(row.reading_since, row.zone, view).text}")


def read(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    """Opens the report and claims it. Raises Stale naming who was faster."""
    service.claim(uow, service.open_for(uow, procedure_id).id)


WORKLIST = Worklist(
    name="reading",
    title="Reading",
    permission=Permission.REPORT_WRITE,
    columns=("Priority", "Waiting", "Patient", "Exam", "Modality", "Site", "Report", "Reader"),
    facets=("modality", "site", "state"),
    lines=lines,
    deeds=(Deed("read", "Read", "r", read, "", "primary", leads_to="report.show"),),
    empty="Nothing waits to be read.",
    is_dated=False,
    is_personal=True,
)
