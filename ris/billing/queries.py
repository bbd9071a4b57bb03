"""What pages show of charges."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.money import Money
from ris.billing.model import Charge, ChargeStatus, Component


@dataclass(frozen=True, slots=True)
class ChargeRow:
    id: int
    component: Component
    code: str
    price: Money | None
    status: ChargeStatus
    held_reason: str


def charges_of(session: Session, procedure_id: int) -> list[ChargeRow]:
    rows = session.scalars(sa.select(Charge).where(Charge.procedure_id == procedure_id).order_by(Charge.id))
    return [_row(charge) for charge in rows]


def _row(charge: Charge) -> ChargeRow:
    price = None if charge.amount is None else Money(charge.amount, charge.currency)
    return ChargeRow(charge.id, charge.component, charge.code, price, charge.status, charge.held_reason)
