"""Who sits in the waiting room, and for how long: urgent ones first, then who has waited longest."""

from sqlalchemy.orm import Session

from ris.exam import queries
from ris.exam.queries import StepRow
from ris.order.status import PRIORITY_RANK, Priority
from ris.questionnaire import queries as forms
from ris.questionnaire.queries import Needed
from ris.scheduling.status import StepStatus
from ris.staff.permission import Permission
from ris.web.worklists.arrivals import FORMS, LONG_WAIT_MINUTES, undo
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
    with_forms,
)


def lines(session: Session, view: View) -> list[Line]:
    waiting = [row for row in queries.open_steps(session, view.days()) if row.status is StepStatus.arrived]
    ordered = sorted(waiting, key=lambda row: (PRIORITY_RANK[row.priority], row.arrived_at or row.starts_at))
    asked = forms.needed_of(session, {row.procedure_id for row in ordered}, view.now)
    return [_line(row, view, asked.get(row.procedure_id, [])) for row in ordered]


def _line(row: StepRow, view: View, asked: list[Needed]) -> Line:
    return Line(
        row.procedure_id,
        row.priority is Priority.stat,
        (
            Cell(row.room_name, note=row.transport),
            _waits(row, view),
            priority_cell(row.priority),
            patient_cell(row),
            with_forms(exam_cell(row), asked),
            clock_cell(row.starts_at, row.zone, view, *_overdue(row, view)),
            Cell(row.checked_in_by or ""),
        ),
        ("undo", *(("forms",) if asked else ())),
        {"room": row.room_name},
        sought(row),
    )


def _waits(row: StepRow, view: View) -> Cell:
    waited = int((view.now - (row.arrived_at or row.starts_at)).total_seconds()) // 60
    is_long = waited >= LONG_WAIT_MINUTES
    return Cell(duration(waited), "waiting", "long" if is_long else "", "soon" if is_long else "ok")


def _overdue(row: StepRow, view: View) -> tuple[str, str]:
    """How far the room is behind."""
    minutes = int((view.now - row.starts_at).total_seconds()) // 60
    return (f"{duration(minutes)} behind", "late") if minutes > 0 else ("", "")


WORKLIST = Worklist(
    name="queue",
    title="Waiting",
    permission=Permission.RECEPTION_ARRIVE,
    columns=("Room", "Waits", "Priority", "Patient", "Exam", "Appointment", "Checked in by"),
    facets=("room",),
    lines=lines,
    deeds=(Deed("undo", "Undo", "u", undo, "The arrival is undone.", "outline-secondary"), FORMS),
    empty="Nobody is waiting.",
    is_dated=False,
)
