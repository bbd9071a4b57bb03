"""What pages show of charges: those of an exam, and all of one state."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.money import Money
from ris.billing.model import Charge, ChargeStatus, Component
from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named


@dataclass(frozen=True, slots=True)
class ChargeRow:
    id: int
    component: Component
    code: str
    price: Money | None
    status: ChargeStatus
    reason: str
    """Why it is held, or was voided."""


def charges_of(session: Session, procedure_id: int) -> list[ChargeRow]:
    rows = session.scalars(sa.select(Charge).where(Charge.procedure_id == procedure_id).order_by(Charge.id))
    return [_row(charge) for charge in rows]


def _row(charge: Charge) -> ChargeRow:
    price = None if charge.amount is None else Money(charge.amount, charge.currency)
    return ChargeRow(charge.id, charge.component, charge.code, price, charge.status, charge.held_reason or charge.voided_reason)


@dataclass(frozen=True, slots=True)
class ChargeLine(Named):
    """A charge with whom and what it is for."""

    id: int
    component: Component
    code: str
    amount: int | None
    currency: str
    status: ChargeStatus
    reason: str
    """Why it is held, was voided, or takes another one back."""
    service_date: date
    procedure_id: int
    accession_number: str
    procedure_name: str
    site_id: int
    site_name: str
    family: str
    given: str
    birth_date: date | None
    mrn: str | None

    @property
    def price(self) -> Money | None:
        return None if self.amount is None else Money(self.amount, self.currency)


def charges(session: Session, site_ids: Collection[int], status: ChargeStatus, limit: int = 200) -> list[ChargeLine]:
    """Of exams at the given sites: what is held, the oldest first, else the newest first."""
    rows = session.execute(
        sa.select(
            Charge.id, Charge.component, Charge.code, Charge.amount, Charge.currency, Charge.status,
            sa.func.coalesce(sa.func.nullif(Charge.held_reason, ""), Charge.voided_reason),
            Charge.service_date, RequestedProcedure.id, RequestedProcedure.accession_number,
            PROCEDURE_NAME,
            Site.id, Site.name, Patient.family, Patient.given, Patient.birth_date, MRN,
        )
        .join(RequestedProcedure, RequestedProcedure.id == Charge.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(Charge.status == status, RequestedProcedure.site_id.in_(site_ids))
        .order_by(Charge.id if status is ChargeStatus.held else Charge.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [ChargeLine(*tuple(row)) for row in rows]


def counts(session: Session, site_ids: Collection[int]) -> dict[ChargeStatus, int]:
    """How many there are of each state, with those of which there is none."""
    rows = session.execute(
        sa.select(Charge.status, sa.func.count())
        .join(RequestedProcedure, RequestedProcedure.id == Charge.procedure_id)
        .where(RequestedProcedure.site_id.in_(site_ids))
        .group_by(Charge.status)
    )
    found = dict(rows.all())
    return {status: found.get(status, 0) for status in (ChargeStatus.held, ChargeStatus.ready, ChargeStatus.exported, ChargeStatus.voided)}


def site_of(session: Session, charge_id: int) -> int | None:
    """The site of a charge's exam; None when there is no such charge."""
    return session.scalar(
        sa.select(RequestedProcedure.site_id).join(Charge, Charge.procedure_id == RequestedProcedure.id).where(Charge.id == charge_id)
    )
