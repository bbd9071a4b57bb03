"""What becomes of procedures whose ordered code is known only later."""

import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.order.model import Order, RequestedProcedure
from ris.order.service import procedure_event
from ris.task import service as task


def resolve_mapped_code(uow: UnitOfWork, event: Event) -> None:
    """A partner's code is known now: every procedure that waited for it gets its catalogue entry."""
    if event.facts["kind"] != "procedure":
        return
    waiting = uow.session.scalars(
        sa.select(RequestedProcedure)
        .join(Order)
        .where(
            RequestedProcedure.procedure_id.is_(None),
            RequestedProcedure.partner_code == event.facts["their_code"],
            Order.partner_id == event.facts["partner_id"],
        )
        .order_by(RequestedProcedure.id)
    ).all()
    for procedure in waiting:
        uow.touch()
        procedure.procedure_id = event.facts["procedure_id"]
        task.settle(uow, "map_procedure", Ref("procedure", procedure.id))
        uow.emit(procedure_event("order.procedure_mapped", procedure))
