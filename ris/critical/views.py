"""The view of the reading list that shows exams with a critical result that is still open, read or not."""

import sqlalchemy as sa

from ris.critical.model import CriticalResult
from ris.critical.status import LIVE
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK
from ris.report.views import Looker, Rows, View


def _open(_looker: Looker, _rows: Rows) -> sa.ColumnElement[bool]:
    return sa.true()


def _exams() -> Rows:
    return (
        sa.select(
            RequestedProcedure.id.label("procedure_id"),
            RequestedProcedure.site_id,
            RequestedProcedure.procedure_id.label("catalog_id"),
            sa.case(PRIORITY_RANK, value=Order.priority).label("rank"),
            sa.func.coalesce(RequestedProcedure.ended_at, Order.placed_at).label("since"),
        )
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(RequestedProcedure.id.in_(sa.select(CriticalResult.procedure_id).where(CriticalResult.status.in_(LIVE))))
        .subquery("open_critical")
    )


OPEN = View("critical", "Critical open", "Whoever had to be told of a critical result was told.", _open, _exams)
