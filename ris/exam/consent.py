"""Consent: who agreed to an exam and how, and that it was withdrawn; a procedure that needs it does not begin without."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ids import new_id
from ris.base.uow import Event, UnitOfWork, service
from ris.exam.model import Consent, ConsentForm
from ris.order import service as orders
from ris.order.status import OPEN


@dataclass(frozen=True, slots=True)
class ConsentRow:
    form: ConsentForm
    given_by: str
    given_at: datetime
    taken_by: str
    withdrawn_at: datetime | None
    withdrawn_reason: str


@service
def give(uow: UnitOfWork, *, procedure_id: int, form: ConsentForm, given_by: str) -> Consent:
    """Raises Invalid without a name, NotAllowedNow for an exam that has ended and where consent is on record."""
    procedure = orders.get_procedure(uow, procedure_id)
    if procedure.status not in OPEN:
        raise NotAllowedNow(f"the exam is {procedure.status}: there is nothing to consent to")
    if not given_by.strip():
        raise Invalid("say who has given the consent", error_code="101")
    if in_force(uow.session, procedure_id) is not None:
        raise NotAllowedNow("consent is on record")
    consent = uow.add(
        Consent(
            id=new_id(), procedure_id=procedure_id, form=form, given_by=given_by.strip(), given_at=uow.now, taken_by=uow.actor.name,
        )
    )  # fmt: skip
    uow.emit(orders.procedure_event("exam.consent_given", procedure, form=form))
    return consent


@service
def withdraw(uow: UnitOfWork, *, procedure_id: int, reason: str) -> None:
    """The patient does not agree any more, or the entry was wrong. Raises Invalid without a reason, NotAllowedNow without consent."""
    procedure = orders.get_procedure(uow, procedure_id)
    if not reason.strip():
        raise Invalid("say why the consent does not hold", error_code="101")
    consent = uow.session.scalars(_in_force(procedure_id)).one_or_none()
    if consent is None:
        raise NotAllowedNow("no consent is on record")
    uow.touch()
    consent.withdrawn_at, consent.withdrawn_reason = uow.now, reason.strip()
    uow.emit(orders.procedure_event("exam.consent_withdrawn", procedure, reason=reason.strip()))


def ask_again(uow: UnitOfWork, event: Event) -> None:
    """The exam is another one now, or of another side: nobody has agreed to that."""
    if in_force(uow.session, event.about.id) is not None:
        withdraw(uow, procedure_id=event.about.id, reason=f"the exam was changed: {event.facts['reason']}")


def in_force(session: Session, procedure_id: int) -> ConsentRow | None:
    consent = session.scalars(_in_force(procedure_id)).one_or_none()
    return _row(consent) if consent is not None else None


def history(session: Session, procedure_id: int) -> list[ConsentRow]:
    """Newest first, also what was withdrawn."""
    return [
        _row(row) for row in session.scalars(sa.select(Consent).where(Consent.procedure_id == procedure_id).order_by(Consent.id.desc()))
    ]


def _in_force(procedure_id: int) -> sa.Select[Consent]:
    return sa.select(Consent).where(Consent.procedure_id == procedure_id, Consent.withdrawn_at.is_(None))


def _row(row: Consent) -> ConsentRow:
    return ConsentRow(row.form, row.given_by, row.given_at, row.taken_by, row.withdrawn_at, row.withdrawn_reason)
