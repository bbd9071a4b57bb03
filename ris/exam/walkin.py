"""Somebody stands at the desk: the order, an appointment now and the arrival in one go."""

from dataclasses import dataclass
from datetime import timedelta

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure
from ris.exam import service as exams
from ris.order import desk
from ris.order.model import RequestedProcedure
from ris.order.service import OrderRequest
from ris.order.status import Priority
from ris.scheduling import service as scheduling
from ris.scheduling.offering import free_slots

ROUND_TO_MINUTES = 5


@dataclass(frozen=True, slots=True)
class WalkIn:
    patient_id: int
    site_id: int
    procedure_id: int
    """Of the catalogue."""
    reason: str
    orderer_name: str = ""
    priority: Priority = Priority.routine
    room_id: int | None = None
    """None: the first room that is free today."""
    overbook_reason: str = ""
    """For a room that is taken now, from somebody who may overbook."""


@service
def walk_in(uow: UnitOfWork, coming: WalkIn) -> RequestedProcedure:
    """Raises Invalid, NotAllowedNow when nothing is free today, and whatever entering an order, booking it and arriving raise."""
    kind = uow.session.get(Procedure, coming.procedure_id)
    if kind is None or not kind.active:
        raise Invalid("choose a procedure of the catalogue")
    order = desk.enter(
        uow,
        OrderRequest(
            patient_id=coming.patient_id, site_id=coming.site_id, procedures=(desk.procedure_request(kind),), priority=coming.priority,
            requested_at=uow.now, orderer_name=coming.orderer_name.strip(), reason=coming.reason,
        ),
    )  # fmt: skip
    procedure = order.procedures[0]
    uow.session.flush()
    exams.arrive(uow, step_id=_book(uow, procedure, coming))
    return procedure


def _book(uow: UnitOfWork, procedure: RequestedProcedure, coming: WalkIn) -> int:
    """The key of the appointment: in the room that was chosen at once, else in the first that is free today."""
    if coming.room_id is not None:
        starts_at = uow.now - timedelta(minutes=uow.now.minute % ROUND_TO_MINUTES, seconds=uow.now.second, microseconds=uow.now.microsecond)
        return scheduling.book(
            uow, procedure_id=procedure.id, room_id=coming.room_id, starts_at=starts_at, overbook_reason=coming.overbook_reason.strip()
        ).id
    slot = next(iter(free_slots(uow.session, procedure_id=procedure.id, after=uow.now, days=1, limit=1)), None)
    if slot is None:
        raise NotAllowedNow("no room is free for it today: choose a room, or order the exam and give it an appointment")
    return scheduling.book(uow, procedure_id=procedure.id, room_id=slot.room_id, starts_at=slot.starts_at).id
