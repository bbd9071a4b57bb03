"""What an event says of an appointment: when, where, and with whose and what help it was to be."""

import sqlalchemy as sa

from ris.base.uow import UnitOfWork
from ris.scheduling.model import Occupancy, ScheduledProcedureStep


def when(step: ScheduledProcedureStep) -> dict[str, object]:
    return {"room_id": step.room_id, "starts_at": step.starts_at.isoformat(), "ends_at": step.ends_at.isoformat()}


def said_of(uow: UnitOfWork, step: ScheduledProcedureStep) -> dict[str, object]:
    """To be asked while it still has its places; `resource_ids` are those of people and equipment."""
    wanted = sa.select(Occupancy.resource).where(Occupancy.step_id == step.id).order_by(Occupancy.resource)
    helpers = [int(key) for kind, _, key in (of.partition(":") for of in uow.session.scalars(wanted)) if kind in ("equipment", "person")]
    return {**when(step), "resource_ids": helpers}
