"""The schedulers' list of appointments whose room has closed, or whose helper is away: the soonest first."""

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.order.status import Priority
from ris.scheduling.administration import to_move
from ris.scheduling.administration.to_move import ToMoveRow
from ris.staff.permission import Permission
from ris.web.worklists.listing import Cell, Deed, Line, View, Worklist, clock_cell, exam_cell, patient_cell, priority_cell, sought

SOON_HOURS = 24
"""So long before its time an appointment on this list is urgent."""


def lines(session: Session, view: View) -> list[Line]:
    return [_line(row, view) for row in to_move.to_move(session, list(view.zones))]


def _line(row: ToMoveRow, view: View) -> Line:
    hours = (row.starts_at - view.now).total_seconds() / 3600
    note, level = ("over", "late") if hours < 0 else ("soon", "soon") if hours < SOON_HOURS else ("", "")
    return Line(
        row.procedure_id,
        row.priority is Priority.stat,
        (
            clock_cell(row.starts_at, row.zone, view, note, level),
            priority_cell(row.priority),
            patient_cell(row),
            Cell(row.phone or "no number"),
            exam_cell(row),
            Cell(row.room_name),
            Cell(row.why),
        ),
        ("move", "stays"),
        {"site": row.site_name, "room": row.room_name},
        f"{sought(row)} {row.phone}",
    )


def _stays(uow: UnitOfWork, procedure_id: int, answer: str) -> None:
    to_move.leave(uow, procedure_id, answer)


WORKLIST = Worklist(
    name="to-move",
    title="To move",
    permission=Permission.SCHEDULE_BOOK,
    columns=("Booked for", "Priority", "Patient", "Telephone", "Exam", "Room", "Why"),
    facets=("site", "room"),
    lines=lines,
    deeds=(
        Deed("move", "Find another time", "m", style="primary", opens="schedule.appointment_of"),
        Deed("stays", "It stays", "s", _stays, "The appointment stays where it is.", "outline-secondary",
             ask="Why it can stay: who is there, and what was agreed", must_answer=True),
    ),
    empty="Every appointment has its place.",
    is_dated=False,
)  # fmt: skip
