"""Critical results of a test, and the classes that they are of."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from ris.base.uow import UnitOfWork
from ris.catalog.records import service as records
from ris.critical.model import CriticalClass, CriticalResult
from ris.critical.records import CRITICAL_CLASS
from ris.critical.status import CriticalStatus
from ris.order.model import RequestedProcedure
from ris.report.model import Report, ReportProcedure
from ris.report.status import ReportStatus


def critical_class(uow: UnitOfWork, code: str = "RED", **said: str) -> int:
    """The key of a class: ten minutes, the orderer, with read-back, before signing; each said otherwise by `said`."""
    known = uow.session.scalar(sa.select(CriticalClass.id).where(CriticalClass.code == code))
    texts = {"code": code, "name": "Red: life in danger", "within": "10", "unit": "minutes", "whom": "orderer", **said}
    return int(known or records.add(uow, CRITICAL_CLASS, texts).id)


def critical_result(uow: UnitOfWork, procedure_id: int, user_id: int, code: str = "RED", **columns: Any) -> CriticalResult:
    """Written as a row, on a report that is begun with it."""
    uow.session.flush()
    procedure = uow.session.get_one(RequestedProcedure, procedure_id)
    report = uow.add(Report(order_id=procedure.order_id, status=ReportStatus.draft))
    uow.session.flush()
    uow.add(ReportProcedure(procedure_id=procedure_id, report_id=report.id))
    due_at = uow.now + timedelta(minutes=10)
    result = uow.add(
        CriticalResult(
            report_id=report.id, procedure_id=procedure_id, site_id=procedure.site_id, critical_class_id=critical_class(uow, code),
            detail="Tension pneumothorax", status=CriticalStatus.open, flagged_by_id=user_id, flagged_at=uow.now, due_at=due_at,
            escalate_at=due_at, **columns,
        )
    )  # fmt: skip
    uow.session.flush()
    return result
