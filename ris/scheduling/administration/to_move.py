"""The appointments whose place has gone: what waits to be moved, and that one of them stays all the same."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure, Room, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import Priority
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import TO_MOVE
from ris.task import service as task
from ris.task.model import Task, TaskState


@dataclass(frozen=True, slots=True)
class ToMoveRow(Named):
    """One appointment of an exam, with what has become of its place."""

    procedure_id: int
    step_id: int
    accession_number: str
    procedure_name: str
    priority: Priority
    starts_at: datetime
    room_name: str
    why: str
    site_name: str
    zone: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    phone: str
    mrn: str | None


def to_move(session: Session, site_ids: Collection[int]) -> list[ToMoveRow]:
    """The soonest first; of several steps of an exam the first."""
    step = ScheduledProcedureStep
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, step.id, RequestedProcedure.accession_number, PROCEDURE_NAME, Order.priority, step.starts_at, Room.name,
            Task.reason, Site.name, Site.zone, Patient.id, Patient.family, Patient.given, Patient.birth_date, Patient.phone, MRN,
        )
        .join(step, step.id == Task.object_id)
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Room, Room.id == step.room_id)
        .join(Site, Site.id == step.site_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(_is_open(), step.site_id.in_(site_ids))
        .order_by(step.starts_at, step.id)
    )  # fmt: skip
    found: dict[int, ToMoveRow] = {}
    for row in rows:
        found.setdefault(row[0], ToMoveRow(*tuple(row)))
    return list(found.values())


@service
def leave(uow: UnitOfWork, procedure_id: int, reason: str) -> None:
    """The appointments of an exam stay where they are: somebody has seen to it. Raises Invalid without a reason, NotFound."""
    if not reason.strip():
        raise Invalid("say why it stays", error_code="101")
    of_exam = sa.select(ScheduledProcedureStep.id).where(ScheduledProcedureStep.procedure_id == procedure_id)
    open_tasks = uow.session.scalars(sa.select(Task.id).where(_is_open(), Task.object_id.in_(of_exam))).all()
    if not open_tasks:
        raise NotFound("nothing of this exam has to be moved any more")
    for task_id in open_tasks:
        task.close(uow, task_id, reason.strip())


def _is_open() -> sa.ColumnElement[bool]:
    return sa.and_(Task.kind == TO_MOVE, Task.object_kind == "step", Task.state == TaskState.open)
