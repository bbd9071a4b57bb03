"""The technologists' list: today's exams and those still open, by room."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.exam import queries, service
from ris.exam.queries import StepRow
from ris.order.held import held
from ris.order.next import why_not
from ris.order.status import Priority
from ris.protocol.queries import ProtocolRow, protocols
from ris.protocol.status import ProtocolStatus
from ris.scheduling.status import StepStatus
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
    split,
)

DOES = {
    StepStatus.booked: ("start",),
    StepStatus.arrived: ("start",),
    StepStatus.started: ("complete", "discontinue", "open"),
    StepStatus.finished: ("open",),
    StepStatus.discontinued: ("open",),
}
ENDED = (StepStatus.finished, StepStatus.discontinued)


def lines(session: Session, view: View) -> list[Line]:
    """What is ended stands below what is to be done."""
    rows = queries.open_steps(session, view.days())
    planned = protocols(session, [row.procedure_id for row in rows])
    return [_line(row, view, planned.get(row.procedure_id)) for row in sorted(rows, key=lambda row: row.status in ENDED)]


def _line(row: StepRow, view: View, protocol: ProtocolRow | None) -> Line:
    does, barred = split(DOES.get(row.status, ()), lambda name: why_not(name, on_hold=held(row, row.zone)))
    return Line(
        row.procedure_id,
        row.priority is Priority.stat and row.status not in ENDED,
        (
            Cell(row.room_name, note=row.location or ""),
            clock_cell(row.starts_at, row.zone, view),
            priority_cell(row.priority),
            patient_cell(row),
            _exam(row, protocol),
            Cell(row.status, "status"),
            _progress(row, view),
            Cell(row.danger, level="late" if row.danger else ""),
        ),
        does,
        {"room": row.room_name, "status": row.status},
        sought(row),
        barred,
    )


def _exam(row: StepRow, protocol: ProtocolRow | None) -> Cell:
    """With the protocol, once it holds."""
    shown = exam_cell(row)
    if protocol is None or protocol.status is not ProtocolStatus.approved:
        return shown
    how = "; ".join(part for part in (protocol.names, protocol.instructions) if part)
    return replace(shown, note=f"{shown.note} · {how}")


def _progress(row: StepRow, view: View) -> Cell:
    if row.started_at is not None:
        ran = duration(row.minutes_running(view.now))
        if row.paused_at is not None:
            return Cell(f"paused {duration(_minutes_since(row.paused_at, view))}", "waiting", f"ran {ran}", "soon")
        if row.ended_at is None:
            return Cell(f"runs {ran}", "waiting", row.technologist or "", "ok")
        return Cell(clock_cell(row.started_at, row.zone, view).text, "time", f"took {ran}")
    if row.arrived_at is None:
        return Cell("")
    return Cell(f"waits {duration(_minutes_since(row.arrived_at, view))}", "waiting", level="ok")


def _minutes_since(moment: datetime, view: View) -> int:
    return int((view.now - moment).total_seconds()) // 60


def complete(uow: UnitOfWork, procedure_id: int, answer: str) -> None:
    service.complete(uow, procedure_id=procedure_id, note=answer)


def discontinue(uow: UnitOfWork, procedure_id: int, answer: str) -> None:
    service.discontinue(uow, procedure_id=procedure_id, reason=answer)


WORKLIST = Worklist(
    name="technologist",
    title="Exams",
    permission=Permission.EXAM_PERFORM,
    columns=("Room", "Time", "Priority", "Patient", "Exam", "Status", "Since", "Danger"),
    facets=("room", "status"),
    lines=lines,
    deeds=(
        Deed("start", "Start", "s", style="primary", opens="perform.check"),
        Deed("open", "Open", "o", style="outline-secondary", opens="perform.show"),
        Deed("complete", "Complete", "c", complete, "The exam is completed; it can be read.", "primary", "Note for the radiologist"),
        Deed("discontinue", "Discontinue", "x", discontinue, "The exam is discontinued.", "outline-danger",
             ask="Why it is broken off", must_answer=True),
    ),
    empty="No exams today, and none left open.",
)  # fmt: skip
