"""The schedulers' list: exams without an appointment, by urgency and age, and how often their patients were called."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.order.calls import Call, WaitingRow, calls, note_call, waiting
from ris.order.model import CallOutcome
from ris.order.status import Priority
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

HOUR, DAY = 60, 24 * 60
LIMITS = {Priority.stat: (15, HOUR), Priority.asap: (4 * HOUR, DAY)}
ROUTINE_LIMITS = (2 * DAY, 7 * DAY)
"""Minutes after which an exam should have an appointment, and after which it is late."""
OUTCOMES = {
    CallOutcome.no_answer: "no answer", CallOutcome.message_left: "message left", CallOutcome.reached: "reached",
    CallOutcome.declined: "declined",
}  # fmt: skip


def lines(session: Session, view: View) -> list[Line]:
    rows = waiting(session, list(view.zones))
    made = calls(session, {row.order_id for row in rows})
    return [_line(row, made.get(row.order_id, ()), view) for row in rows]


def _line(row: WaitingRow, made: Sequence[Call], view: View) -> Line:
    state = "on hold" if row.held_at else "to be booked" if row.is_known else "code not mapped"
    called = OUTCOMES[made[-1].outcome] if made else "not called"
    return Line(
        row.procedure_id,
        row.priority is Priority.stat and row.held_at is None,
        (
            priority_cell(row.priority),
            _age(row, view),
            patient_cell(row),
            Cell(row.phone or "no number"),
            exam_cell(row),
            clock_cell(row.requested_at, row.zone, view) if row.requested_at else Cell(""),
            Cell(state, note=row.held_reason if row.held_at else ""),
            _called(row, made, view),
        ),
        ("book", "no-answer", "message", "reached", "declined") if row.held_at is None and row.is_known else ("no-answer", "message"),
        {"site": row.site_name, "state": state, "call": called},
        f"{sought(row)} {row.phone}",
    )


def _age(row: WaitingRow, view: View) -> Cell:
    """Since it was placed, against the limits of its priority; what is on hold is not late."""
    minutes = int((view.now - row.placed_at).total_seconds()) // 60
    soon, late = LIMITS.get(row.priority, ROUTINE_LIMITS)
    if row.held_at is not None or minutes < soon:
        return Cell(duration(minutes), "waiting", level="ok")
    return Cell(duration(minutes), "waiting", *(("late", "late") if minutes >= late else ("due", "soon")))


def _called(row: WaitingRow, made: Sequence[Call], view: View) -> Cell:
    if not made:
        return Cell("")
    last = made[-1]
    when = clock_cell(last.at, row.zone, view).text
    return Cell(f"{len(made)} × called", note=" · ".join(part for part in (OUTCOMES[last.outcome], when, last.note) if part))


def _book(_uow: UnitOfWork, _procedure_id: int, _answer: str) -> None:
    """The page of free times does the rest."""


def _note(outcome: CallOutcome) -> Callable[[UnitOfWork, int, str], None]:
    def run(uow: UnitOfWork, procedure_id: int, answer: str) -> None:
        note_call(uow, procedure_id, outcome, answer)

    return run


WORKLIST = Worklist(
    name="unscheduled",
    title="To be scheduled",
    permission=Permission.SCHEDULE_BOOK,
    columns=("Priority", "Waiting", "Patient", "Telephone", "Exam", "Wished for", "State", "Calls"),
    facets=("site", "state", "call"),
    lines=lines,
    deeds=(
        Deed("book", "Book", "b", _book, "", "primary", leads_to="schedule.plan"),
        Deed("no-answer", "No answer", "n", _note(CallOutcome.no_answer), "The call is noted."),
        Deed("message", "Message", "m", _note(CallOutcome.message_left), "The call is noted.", ask="With whom, or where it was left"),
        Deed("reached", "Reached", "r", _note(CallOutcome.reached), "The call is noted.", ask="What was agreed"),
        Deed("declined", "Declined", "d", _note(CallOutcome.declined), "The call is noted; the order stays until it is cancelled.",
             "outline-danger", ask="What the patient declined, and why", must_answer=True),
    ),
    empty="Every exam has an appointment.",
    is_dated=False,
)  # fmt: skip
