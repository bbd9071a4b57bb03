"""Whether a patient may be written to: the address, what was said about e-mails, and what whoever reads the mailbox said."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Conflict, NotFound
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.notice.model import MailConsent, MailFailure, MailStop, Notice, StopSource
from ris.patient.email import is_address
from ris.patient.model import Patient


@dataclass(frozen=True, slots=True)
class WhyNot:
    text: str
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known of a patient's wish; None each while nobody has said anything."""

    email: str
    given: bool | None
    said_at: datetime | None
    taken_by: str
    stopped_at: datetime | None
    stopped_by: str
    failed_at: datetime | None
    failed_said: str
    """What a mail server wrote when something that went to the address came back."""


def why_not(session: Session, patient: Patient, *, needs_consent: bool) -> WhyNot | None:
    """Why nothing may be sent to the patient; None when it may."""
    known = wish(session, patient)
    if patient.deceased:
        return WhyNot("the patient is recorded as deceased")
    if not patient.email:
        return WhyNot("no e-mail address is known")
    if not is_address(patient.email):
        return WhyNot("the e-mail address is not one")
    if known.stopped_at is not None:
        return WhyNot("no more e-mails are wanted at this address", opted_out=True)
    if known.failed_at is not None:
        return WhyNot(f"the address takes no e-mails: {known.failed_said}")
    if known.given is False:
        return WhyNot("the patient wants no e-mails", opted_out=True)
    return WhyNot("the patient has not agreed to e-mails") if known.given is None and needs_consent else None


def wish(session: Session, patient: Patient) -> Wish:
    said = session.scalars(
        sa.select(MailConsent)
        .where(MailConsent.patient_id == patient.id)
        .order_by(MailConsent.said_at.desc(), MailConsent.id.desc())
        .limit(1)
    ).first()
    stop, failed = _stop(session, patient.email), failure(session, patient.email)
    return Wish(
        patient.email, said.given if said else None, said.said_at if said else None, said.taken_by if said else "",
        stop.stopped_at if stop else None, stop.stopped_by if stop else "",
        failed.failed_at if failed else None, failed.said if failed else "",
    )  # fmt: skip


@service
def say(uow: UnitOfWork, patient_id: int, *, given: bool) -> MailConsent:
    """What the patient told the desk: wants e-mails, or wants none."""
    row = uow.add(MailConsent(patient_id=patient_id, given=given, said_at=uow.now, taken_by=uow.actor.name))
    uow.emit(Event("notice.consent_given" if given else "notice.consent_refused", Ref("patient", patient_id), patient_id=patient_id))
    return row


@service
def stop_by_link(uow: UnitOfWork, notice_id: int, source: StopSource) -> None:
    """Whoever reads the mailbox wants nothing more. Calling it again changes nothing. Raises NotFound for a message never sent."""
    notice = uow.session.get(Notice, notice_id)
    if notice is None or not notice.address:
        raise NotFound("this link leads nowhere")
    if _stop(uow.session, notice.address) is None:
        _add_stop(uow, notice.address, source, "the reader of the mailbox", notice.id)
        uow.emit(Event("notice.address_stopped", Ref("notice", notice_id), site_id=notice.site_id, facts={"source": source}))


@service
def stop_at_desk(uow: UnitOfWork, patient_id: int) -> None:
    """Nothing more goes to the address that the patient has, whoever else has it. Raises Conflict without an address."""
    patient = uow.session.get_one(Patient, patient_id)
    if not patient.email:
        raise Conflict("no e-mail address is known: there is nothing to stop")
    if _stop(uow.session, patient.email) is None:
        _add_stop(uow, patient.email, StopSource.desk, uow.actor.name, None)
        uow.emit(Event("notice.address_stopped", Ref("patient", patient_id), patient_id=patient_id, facts={"source": StopSource.desk}))


@service
def lift_stop(uow: UnitOfWork, patient_id: int) -> None:
    """E-mails to the patient's address are wanted again, and the patient said so at the desk."""
    patient = uow.session.get_one(Patient, patient_id)
    stop = _stop(uow.session, patient.email)
    if stop is not None:
        uow.touch()
        stop.lifted_at, stop.lifted_by = uow.now, uow.actor.name
        uow.emit(Event("notice.stop_lifted", Ref("patient", patient_id), patient_id=patient_id))


@service
def lift_failure(uow: UnitOfWork, patient_id: int) -> None:
    """The patient's address is said to work after all: messages go there again."""
    known = failure(uow.session, uow.session.get_one(Patient, patient_id).email)
    if known is not None:
        uow.touch()
        known.lifted_at, known.lifted_by = uow.now, uow.actor.name
        uow.emit(Event("notice.failure_lifted", Ref("patient", patient_id), patient_id=patient_id))


def failure(session: Session, address: str) -> MailFailure | None:
    """That an address takes no mail; None for one of which nothing such is known."""
    if not address:
        return None
    standing = sa.select(MailFailure).where(MailFailure.lifted_at.is_(None), MailFailure.address == address.lower())
    return session.scalars(standing).one_or_none()


def failing(session: Session, patient_ids: Collection[int]) -> frozenset[int]:
    """Those of the patients whose address takes no mail."""
    of_address = sa.and_(sa.func.lower(Patient.email) == MailFailure.address, MailFailure.lifted_at.is_(None))
    wanted = sa.select(Patient.id).join(MailFailure, of_address).where(Patient.id.in_(patient_ids), Patient.email != "")
    return frozenset(session.scalars(wanted))


def move_patient(uow: UnitOfWork, event: Event) -> None:
    """To hang on `patient.merging`: what the loser said about e-mails is the survivor's word now; the newest counts."""
    rows = list(uow.session.scalars(sa.select(MailConsent.id).where(MailConsent.patient_id == event.facts["loser_id"])))
    event.facts["moved"][MailConsent.__tablename__] = rows
    _give(uow, rows, event.facts["survivor_id"])


def return_patient(uow: UnitOfWork, event: Event) -> None:
    """To hang on `patient.unmerging`."""
    _give(uow, event.facts["moved"].get(MailConsent.__tablename__, []), event.facts["loser_id"])


def _give(uow: UnitOfWork, rows: list[int], patient_id: int) -> None:
    if rows:
        uow.touch()
        uow.session.execute(sa.update(MailConsent).where(MailConsent.id.in_(rows)).values(patient_id=patient_id))


def _stop(session: Session, address: str) -> MailStop | None:
    if not address:
        return None
    return session.scalars(sa.select(MailStop).where(MailStop.address == address.lower(), MailStop.lifted_at.is_(None))).one_or_none()


def _add_stop(uow: UnitOfWork, address: str, source: StopSource, by: str, notice_id: int | None) -> None:
    uow.add(MailStop(address=address.lower(), source=source, notice_id=notice_id, stopped_at=uow.now, stopped_by=by))
