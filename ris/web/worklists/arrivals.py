"""The front desk's list: who is expected today, who has come, who has not."""

from dataclasses import replace

from sqlalchemy.orm import Session

from ris.base.errors import NotAllowedNow
from ris.base.uow import UnitOfWork
from ris.catalog import reasons
from ris.catalog.model import ReasonKind
from ris.exam import queries, service
from ris.exam.queries import StepRow
from ris.notice import consent
from ris.order.held import held
from ris.order.next import why_not
from ris.order.status import Priority
from ris.questionnaire import queries as forms
from ris.questionnaire.queries import Needed
from ris.scheduling import service as scheduling
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
    with_forms,
)

SHOWN = (StepStatus.booked, StepStatus.arrived, StepStatus.started, StepStatus.missed)
LATE_MINUTES = 10
"""After so many minutes a patient who has not come is called late."""
NO_SHOW_MINUTES = 30
"""After so many it is suggested to note that nobody came."""
LONG_WAIT_MINUTES = 30
FORMS = Deed("forms", "Forms", "f", style="outline-secondary", opens="forms.desk")
DOES = {StepStatus.booked: ("arrive",), StepStatus.arrived: ("undo", "label"), StepStatus.missed: ("came",)}


def lines(session: Session, view: View) -> list[Line]:
    rows = [row for row in queries.steps_of_day(session, view.days()) if row.status in SHOWN]
    asked = forms.needed_of(session, {row.procedure_id for row in rows}, view.now)
    failing = consent.failing(session, {row.patient_id for row in rows if row.status in (StepStatus.booked, StepStatus.arrived)})
    return [_line(row, view, asked.get(row.procedure_id, []), email_fails=row.patient_id in failing) for row in rows]


def _line(row: StepRow, view: View, asked: list[Needed], *, email_fails: bool) -> Line:
    does, barred = split(DOES.get(row.status, ()), lambda name: why_not(name, on_hold=held(row, row.zone)))
    return Line(
        row.procedure_id,
        row.priority is Priority.stat,
        (
            clock_cell(row.starts_at, row.zone, view, *_lateness(row, view)),
            priority_cell(row.priority),
            patient_cell(row),
            with_forms(_exam(row, email_fails=email_fails), asked),
            Cell(row.room_name, note=row.transport),
            Cell(row.status, "status"),
            _arrived(row, view),
        ),
        (
            *does,
            *(("no_show",) if row.status is StepStatus.booked and row.starts_at <= view.now else ()),
            *(("forms",) if asked else ()),
        ),
        {"room": row.room_name, "status": row.status},
        sought(row),
        barred,
    )


def _exam(row: StepRow, *, email_fails: bool) -> Cell:
    cell = exam_cell(row)
    return replace(cell, note=f"{cell.note} · e-mail comes back: ask for the address") if email_fails else cell


def _lateness(row: StepRow, view: View) -> tuple[str, str]:
    minutes = int((view.now - row.starts_at).total_seconds()) // 60
    if row.status is not StepStatus.booked or minutes < LATE_MINUTES:
        return "", ""
    return f"late {duration(minutes)}{': did not come?' if minutes >= NO_SHOW_MINUTES else ''}", "late"


def _arrived(row: StepRow, view: View) -> Cell:
    if row.arrived_at is None:
        return Cell("")
    waited = int((view.now - row.arrived_at).total_seconds()) // 60
    came = clock_cell(row.arrived_at, row.zone, view)
    if row.status is not StepStatus.arrived:
        return came
    level = "soon" if waited >= LONG_WAIT_MINUTES else "ok"
    return Cell(came.text, "time", f"waits {duration(waited)}", level)


def _step(uow: UnitOfWork, procedure_id: int) -> int:
    step_id = queries.current_step_id(uow.session, procedure_id)
    if step_id is None:
        raise NotAllowedNow("the exam has no appointment any more")
    return step_id


def arrive(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    service.arrive(uow, step_id=_step(uow, procedure_id))


def undo(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    service.undo_arrival(uow, step_id=_step(uow, procedure_id))


def no_show(uow: UnitOfWork, procedure_id: int, answer: str) -> None:
    scheduling.no_show(uow, step_id=_step(uow, procedure_id), reason=reasons.enough(uow.session, ReasonKind.no_show, answer))


def came(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    scheduling.undo_no_show(uow, step_id=_step(uow, procedure_id))


WORKLIST = Worklist(
    name="arrivals",
    title="Arrivals",
    permission=Permission.RECEPTION_ARRIVE,
    columns=("Time", "Priority", "Patient", "Exam", "Room", "Status", "Arrived"),
    facets=("room", "status"),
    lines=lines,
    deeds=(
        Deed("arrive", "Arrived", "a", arrive, "The patient is checked in.", "primary"),
        Deed("undo", "Undo", "u", undo, "The arrival is undone.", "outline-secondary"),
        Deed(
            "no_show",
            "Did not come",
            "n",
            no_show,
            "The appointment is given up; the exam waits for another one.",
            "outline-secondary",
            reasons=ReasonKind.no_show,
            ask="This frees the room, and the exam waits for another appointment. What is known of why the patient did not come?",
        ),
        Deed("label", "Label", "l", style="outline-secondary", opens="labels.show"),
        FORMS,
        Deed("came", "Came after all", "c", came, "The patient is expected again.", "outline-secondary"),
    ),
    empty="Nobody is expected.",
)
