"""What the page of one order shows: what was asked, by whom, and how far each exam has come."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import NOT_STARTED, OrderStatus, ProcedureStatus
from ris.partner.model import Destination, Partner, Subscription


@dataclass(frozen=True, slots=True)
class ProcedureLine:
    procedure_id: int
    accession_number: str
    code: str
    """Of our catalogue; empty while the ordered one is not mapped."""
    name: str
    laterality: str
    status: ProcedureStatus
    ended_reason: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    order: Order
    """Read only: it belongs to no unit of work."""
    site_name: str
    zone: str
    partner_name: str | None
    procedures: tuple[ProcedureLine, ...]

    @property
    def has_ended(self) -> bool:
        return self.order.status in (OrderStatus.cancelled, OrderStatus.discontinued, OrderStatus.completed)

    @property
    def has_begun(self) -> bool:
        return any(line.status not in (*NOT_STARTED, ProcedureStatus.cancelled) for line in self.procedures)


def order_page(session: Session, order_id: int) -> OrderPage | None:
    order = session.get(Order, order_id)
    if order is None:
        return None
    site = session.get_one(Site, order.site_id)
    partner = session.get(Partner, order.partner_id) if order.partner_id else None
    lines: sa.Result[Any] = session.execute(
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number, sa.func.coalesce(Procedure.code, ""), PROCEDURE_NAME,
            RequestedProcedure.laterality,
            RequestedProcedure.status, RequestedProcedure.ended_reason,
        )
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(RequestedProcedure.order_id == order_id)
        .order_by(RequestedProcedure.sequence)
    )  # fmt: skip
    return OrderPage(order, site.name, site.zone, partner.name if partner else None, tuple(ProcedureLine(*tuple(line)) for line in lines))


def number_givers(session: Session) -> list[tuple[int, str]]:
    """Partners that are told of orders, and so can give one of ours their number."""
    rows = session.execute(
        sa.select(Partner.id, Partner.name)
        .distinct()
        .join(Destination, Destination.partner_id == Partner.id)
        .join(Subscription, Subscription.destination_id == Destination.id)
        .where(Subscription.event == "order.placed", Destination.active)
        .order_by(Partner.name)
    )
    return [(partner_id, name) for partner_id, name in rows]
