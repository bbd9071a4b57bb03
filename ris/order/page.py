"""What the page of one order shows: what was asked, by whom, and how far each exam has come."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import NOT_STARTED, OrderStatus, ProcedureStatus
from ris.partner.model import Destination, Partner, Subscription

_ASKED = aliased(Procedure)


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
    changed_at: datetime | None
    asked: str
    """Of a changed exam what was asked for, code and name; empty where that was in no catalogue."""
    asked_laterality: str
    combined_into_id: int | None
    site_id: int
    site_name: str
    """Where it is done, which may be another site than the order's."""

    @property
    def has_begun(self) -> bool:
        return self.status not in (*NOT_STARTED, ProcedureStatus.cancelled)


@dataclass(frozen=True, slots=True)
class Kin:
    """Another order that this one was made of, or that was made of it."""

    order_id: int
    filler_number: str
    how: str
    """As the page says it: `Split off from`, `Replaced by` and so on."""


@dataclass(frozen=True, slots=True)
class OrderPage:
    order: Order
    """Read only: it belongs to no unit of work."""
    site_name: str
    zone: str
    partner_name: str | None
    procedures: tuple[ProcedureLine, ...]
    kin: tuple[Kin, ...]

    @property
    def has_ended(self) -> bool:
        return self.order.status in (OrderStatus.cancelled, OrderStatus.discontinued, OrderStatus.completed)

    @property
    def has_begun(self) -> bool:
        return any(line.has_begun for line in self.procedures)

    @property
    def open_lines(self) -> tuple[ProcedureLine, ...]:
        """Exams that have neither begun nor ended."""
        return tuple(line for line in self.procedures if line.status in NOT_STARTED)


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
            RequestedProcedure.status, RequestedProcedure.ended_reason, RequestedProcedure.changed_at,
            sa.func.coalesce(_ASKED.code + " " + _ASKED.name, ""), RequestedProcedure.asked_laterality, RequestedProcedure.combined_into_id,
            Site.id, Site.name,
        )
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(_ASKED, _ASKED.id == RequestedProcedure.asked_procedure_id)
        .where(RequestedProcedure.order_id == order_id)
        .order_by(RequestedProcedure.sequence)
    )  # fmt: skip
    rows = tuple(ProcedureLine(*tuple(line)) for line in lines)
    return OrderPage(order, site.name, site.zone, partner.name if partner else None, rows, tuple(_kin(session, order)))


def _kin(session: Session, order: Order) -> Iterator[Kin]:
    known = (Order.id.in_([key for key in (order.split_from_id, order.replaces_id) if key]), Order.split_from_id == order.id)
    rows = session.execute(
        sa.select(Order.id, Order.filler_number, Order.replaces_id, Order.status)
        .where(sa.or_(*known, Order.replaces_id == order.id))
        .order_by(Order.id)
    )
    for key, number, replaces_id, status in rows:
        # Of the two only one stands, unless the replacement was taken back or cancelled.
        was_taken_back = replaces_id == order.id and status is OrderStatus.cancelled and order.status is not OrderStatus.cancelled
        if key == order.split_from_id:
            yield Kin(key, number, "Split off from")
        elif key == order.replaces_id:
            yield Kin(key, number, "Replaces")
        elif replaces_id == order.id:
            yield Kin(key, number, "Replaced for a time by" if was_taken_back else "Replaced by")
        else:
            yield Kin(key, number, "Split into")


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
