"""Which charges go out, and that they have gone: each to an export once."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.billing.model import Charge, ChargeStatus, ExportBatch, ExportLine
from ris.order import service as orders
from ris.order.model import RequestedProcedure


def claim_ready(uow: UnitOfWork, until: datetime) -> Sequence[Charge]:
    """The charges that are ready and were captured before `until`, locked until the unit of work ends, by id."""
    return uow.session.scalars(
        sa.select(Charge)
        .where(Charge.status == ChargeStatus.ready, Charge.captured_at < until)
        .order_by(Charge.id)
        .with_for_update(of=Charge)
    ).all()


@service
def mark_exported(uow: UnitOfWork, batch: ExportBatch, charges: Sequence[Charge]) -> None:
    """Says that these charges went out in this batch; each becomes exported and emits `charge.exported`."""
    procedures = [charge.procedure_id for charge in charges]
    by_id = {
        procedure.id: procedure
        for procedure in uow.session.scalars(sa.select(RequestedProcedure).where(RequestedProcedure.id.in_(procedures)))
    }
    for charge in charges:
        uow.touch()
        charge.status = ChargeStatus.exported
        uow.append(ExportLine, {"batch_id": batch.id, "charge_id": charge.id, "export": batch.export})
        about = Ref("charge", charge.id)
        uow.emit(orders.procedure_event("charge.exported", by_id[charge.procedure_id], about, batch_id=batch.id, number=batch.number))
