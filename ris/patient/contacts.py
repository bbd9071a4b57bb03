"""Whom to ask or call about a patient: next of kin, guardians, as senders and the desk say it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.email import is_address
from ris.patient.model import Patient, PatientContact

OF_AGE = 18
"""Years from which a patient decides alone."""
_PARENTS = frozenset(("mother", "father", "parent"))


@dataclass(frozen=True, slots=True)
class ContactData:
    name: str
    """NK1-2, else NK1-13."""
    relation: str = ""
    """NK1-3."""
    phone: str = ""
    """NK1-5."""
    other_phone: str = ""
    """NK1-6."""
    email: str = ""
    is_guardian: bool = False
    is_called_first: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """Who is to be asked in the place of a patient."""

    is_minor: bool
    person: PatientContact | None
    """Of a minor the guardian, else a parent; of anybody else who is called first."""


def contacts(session: Session, patient_id: int) -> Sequence[PatientContact]:
    """Who is called first, then guardians, then the others; those that the desk has ended are left out."""
    c = PatientContact
    wanted = sa.select(c).where(c.patient_id == patient_id, c.ended_at.is_(None))
    return session.scalars(wanted.order_by(c.is_called_first.desc(), c.is_guardian.desc(), c.id)).all()


def is_minor(birth_date: date | None, today: date) -> bool:
    """A birthday on 29 February is kept on 1 March."""
    if birth_date is None:
        return False
    before_birthday = (today.month, today.day) < (birth_date.month, birth_date.day)
    return today.year - birth_date.year - before_birthday < OF_AGE


def reached(session: Session, patient_id: int, today: date) -> Reached:
    """Whom the desk speaks to."""
    minor = is_minor(session.scalar(sa.select(Patient.birth_date).where(Patient.id == patient_id)), today)
    known = contacts(session, patient_id)
    wanted = (c for c in known if (c.is_guardian if minor else c.is_called_first))
    parents = (c for c in known if minor and c.relation.lower() in _PARENTS)
    return Reached(minor, next(wanted, None) or next(parents, None))


@service
def replace_contacts(uow: UnitOfWork, patient_id: int, partner_id: int, said: Sequence[ContactData]) -> None:
    """A sender's list as it is now (NK1); what other senders and the desk said stays. The same again is no change."""
    wanted = list(dict.fromkeys(said))
    if uow.session.new:
        uow.session.flush()  # an earlier message of the same group may have named the same people
    where = (PatientContact.patient_id == patient_id, PatientContact.partner_id == partner_id)
    known = {_said(row): row for row in uow.session.scalars(sa.select(PatientContact).where(*where).order_by(PatientContact.id))}
    if set(known) == set(wanted):
        return
    uow.touch()
    for data, row in known.items():
        if data not in wanted:
            uow.session.delete(row)
    for data in wanted:
        if data not in known:
            uow.add(_new(patient_id, data, partner_id))
    _tell(uow, patient_id, count=len(wanted))


@service
def save_contact(
    uow: UnitOfWork, patient_id: int, data: ContactData, *, contact_id: int | None = None, row_version: int | None = None
) -> PatientContact:
    """Says a contact, or says one of the desk's anew. Raises Invalid, Stale, NotFound for one that is a sender's."""
    if not data.name.strip():
        raise Invalid("a contact needs a name", error_code="101")
    if data.email and not is_address(data.email):
        raise Invalid("this is no e-mail address")
    if contact_id is None:
        patient = uow.session.get(Patient, patient_id, populate_existing=True, with_for_update=True)
        if patient is None or patient.merged_into_id is not None:
            raise NotFound("there is no such patient")
        row = uow.add(_new(patient_id, data, None))
    else:
        row = _own(uow, patient_id, contact_id)
        if row.row_version != row_version:
            raise Stale("somebody else has changed this contact in the meantime")
        uow.touch()
        for name in ContactData.__slots__:
            setattr(row, name, getattr(data, name))
    _tell(uow, patient_id, contact_id=row.id)
    return row


@service
def end_contact(uow: UnitOfWork, patient_id: int, contact_id: int) -> None:
    """It is shown no more; again changes nothing. Raises NotFound for one that is a sender's."""
    row = _own(uow, patient_id, contact_id)
    if row.ended_at is not None:
        return
    uow.touch()
    row.ended_at = uow.now
    _tell(uow, patient_id, ended=row.id)


def _said(row: PatientContact) -> ContactData:
    return ContactData(**{name: getattr(row, name) for name in ContactData.__slots__})


def _new(patient_id: int, data: ContactData, partner_id: int | None) -> PatientContact:
    said = {name: getattr(data, name) for name in ContactData.__slots__}
    return PatientContact(id=new_id(), patient_id=patient_id, partner_id=partner_id, ended_at=None, **said)


def _own(uow: UnitOfWork, patient_id: int, contact_id: int) -> PatientContact:
    row = uow.session.get(PatientContact, contact_id, populate_existing=True, with_for_update=True)
    if row is None or row.patient_id != patient_id or row.partner_id is not None:
        raise NotFound("the patient has no such contact of the desk's")
    return row


def _tell(uow: UnitOfWork, patient_id: int, **facts: int) -> None:
    uow.emit(Event("patient.contacts_updated", Ref("patient", patient_id), patient_id=patient_id, facts=facts))
