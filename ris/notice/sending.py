"""A message on its way out: whether it may leave, what it then says, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import Procedure, Site
from ris.catalog.queries import preparation_in
from ris.notice import letter, texts
from ris.notice.consent import why_not
from ris.notice.letter import Appointment, Letter
from ris.notice.model import MailPolicy, Notice, NoticeKind
from ris.notice.plan import drop, group_of
from ris.notice.policy import sender_of
from ris.notice.quiet import after_quiet
from ris.notice.status import NOTICE, WAITING, NoticeState
from ris.notice.stop_link import token
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.patient.model import Patient, Visit
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import StepStatus
from ris.settings import Settings
from ris.task import service as task

LEASE = "mail"
"""Who holds it sends them."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
MOST_ATTEMPTS = 50
"""About two days in which a mail server says that it does not take a message for now."""
IN_THE_HOUSE = ("I", "E")
"""PV1-2, table 0004: inpatients and emergencies are told by whoever looks after them."""
REFUSED, TOO_LATE = "mail_refused", "mail_too_late"


@dataclass(frozen=True, slots=True)
class NotSent:
    """`opted_out`: because somebody wants none."""

    reason: str
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    until: datetime
    is_too_late: bool
    """Whether the appointment has begun by then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the mail server said to one message."""

    taken: bool
    for_good: bool
    """Of one that was not taken: whether trying again is of no use."""
    answer: str


def due(session: Session, now: datetime, limit: int = 50) -> Sequence[int]:
    """What may leave now, the longest due first."""
    query = sa.select(Notice.id).where(Notice.state.in_(WAITING), Notice.due_at <= now).order_by(Notice.due_at, Notice.id)
    return session.scalars(query.limit(limit)).all()


@service
def begin(uow: UnitOfWork, notice_id: int, settings: Settings) -> Letter | None:
    """The message as it is to leave, written down as under way; None when it must wait or is not sent."""
    notice = uow.session.get(Notice, notice_id, with_for_update=True, populate_existing=True)
    if notice is None or notice.state not in WAITING or notice.due_at > uow.now:
        return None
    found = consider(uow.session, notice, uow.now, settings)
    uow.touch()
    match found:
        case NotSent(reason, opted_out):
            notice.state, notice.reason = NOTICE.go("heed_stop" if opted_out else "drop", notice.state), reason
            return None
        case Quiet():
            _wait_for_morning(uow, notice, found)
            return None
        case _:
            notice.state, notice.attempts, notice.tried_at = NOTICE.go("send", notice.state), notice.attempts + 1, uow.now
            notice.address, notice.language, notice.subject, notice.text = found.recipient, found.language, found.subject, found.text
            return found


@service
def finish(uow: UnitOfWork, notice_id: int, verdict: Verdict) -> None:
    """What became of a message that was begun."""
    notice = uow.session.get_one(Notice, notice_id, with_for_update=True, populate_existing=True)
    uow.touch()
    notice.reason = verdict.answer
    if verdict.taken:
        notice.state, notice.sent_at = NOTICE.go("be_taken", notice.state), uow.now
        uow.emit(event_about(uow, "notice.sent", notice))
    elif verdict.for_good or notice.attempts >= MOST_ATTEMPTS:
        notice.state = NOTICE.go("be_refused", notice.state)
        uow.emit(event_about(uow, "notice.refused", notice))
        task.open(uow, REFUSED, Ref("notice", notice.id), f"{notice.kind}: {verdict.answer}", site_id=notice.site_id)
    else:
        notice.state = NOTICE.go("be_put_off", notice.state)
        notice.due_at = uow.now + min(FIRST_WAIT * 2 ** min(notice.attempts - 1, 10), LONGEST_WAIT)


@service
def put_back(uow: UnitOfWork, notice_id: int, reason: str, *, is_begun: bool) -> None:
    """There is no mail server to talk to: it has not left, and that was no try of its own."""
    notice = uow.session.get_one(Notice, notice_id, with_for_update=True, populate_existing=True)
    uow.touch()
    notice.reason = reason
    if is_begun:
        notice.state, notice.attempts = NOTICE.go("be_put_off", notice.state), notice.attempts - 1


@service
def recover(uow: UnitOfWork) -> int:
    """After a stop between the server's answer and its record: nobody can know whether these have left.

    They are sent again under the Message-ID that they had, so that the receiver may drop the second, unless something newer is to
    be said about the same booking. Returns how many there were.
    """
    stuck = uow.session.scalars(sa.select(Notice).where(Notice.state == NoticeState.sending).with_for_update()).all()
    for notice in stuck:
        uow.touch()
        if _is_overtaken(uow, notice):
            drop(uow, notice, "the program stopped while it was sent; something newer is said instead")
        else:
            notice.state = NOTICE.go("be_put_off", notice.state)
            notice.reason = "the program stopped while it was sent: it is sent once more under the same Message-ID"
    return len(stuck)


def consider(session: Session, notice: Notice, now: datetime, settings: Settings) -> Letter | NotSent | Quiet:
    """Whether a message may leave now, and what it would say; changes nothing."""
    policy = session.get(MailPolicy, notice.site_id)
    if policy is None or not policy.active:
        return NotSent("the site writes no e-mails to patients")
    patient, patient_class = _patient(session, notice.step_id)
    if reason := why_not(session, patient, needs_consent=policy.needs_consent):
        return NotSent(reason.text, reason.opted_out)
    if patient_class in IN_THE_HOUSE:
        return NotSent("the patient is in the house")
    zone = session.get_one(Site, policy.site_id).zone
    appointments = _appointments(session, notice, now, zone, patient.language)
    if not appointments:
        return NotSent("no appointment of this booking is still to come")
    until = after_quiet(now, zone, policy.quiet_from, policy.quiet_until)
    if until > now:
        is_too_late = until >= appointments[0].starts_at
        if is_too_late and notice.kind is NoticeKind.reminder:
            return NotSent("the quiet hours end only after the appointment has begun")
        return Quiet(until, is_too_late)
    return _letter(session, notice, policy, patient, appointments, settings, now)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _letter(
    session: Session, notice: Notice, policy: MailPolicy, patient: Patient, appointments: Sequence[Appointment], settings: Settings,
    now: datetime,
) -> Letter:  # fmt: skip
    code, written = texts.text_for(session, notice.kind, [code for code in (patient.language, policy.language) if code])
    name = patient.given if _is_shared(session, patient) else " ".join(part for part in (patient.given, patient.family) if part)
    public = settings.mail.public_url.rstrip("/")
    stop = f"{public}/stop-mail/{token(settings.web.secret_key.get_secret_value(), notice.id)}" if public else ""
    return letter.write(
        f"{notice.id}-{notice.series}", notice.kind, written, code, sender_of(session, policy), patient.email, name, appointments,
        stop=stop, now=now,
    )  # fmt: skip


def _wait_for_morning(uow: UnitOfWork, notice: Notice, quiet: Quiet) -> None:
    notice.due_at, notice.reason = quiet.until, ""
    if notice.state is NoticeState.queued:
        notice.state = NOTICE.go("be_quiet", notice.state)
    if quiet.is_too_late:
        reason = f"the {notice.kind} leaves only after the quiet hours, when the appointment has begun"
        task.open(uow, TOO_LATE, Ref("notice", notice.id), reason, site_id=notice.site_id)


def _patient(session: Session, step_id: int) -> tuple[Patient, str | None]:
    patient, patient_class = session.execute(
        sa.select(Patient, Visit.patient_class)
        .join(Order, Order.patient_id == Patient.id)
        .join(RequestedProcedure, RequestedProcedure.order_id == Order.id)
        .join(ScheduledProcedureStep, ScheduledProcedureStep.procedure_id == RequestedProcedure.id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .where(ScheduledProcedureStep.id == step_id)
        .execution_options(populate_existing=True)
    ).one()
    return patient, patient_class


def _appointments(session: Session, notice: Notice, now: datetime, zone: str, language: str) -> list[Appointment]:
    """What the message tells, by time; how to prepare in the language, where there is such a text."""
    step = ScheduledProcedureStep
    anchor = session.get_one(step, notice.step_id, populate_existing=True)
    is_told = (
        step.id.in_(notice.cancelled)
        if notice.cancelled
        else group_of(anchor) & (step.status == StepStatus.booked) & (step.starts_at > now)
    )
    rows = session.execute(
        sa.select(
            step.id,
            step.row_version,
            step.starts_at,
            step.ends_at,
            PROCEDURE_NAME,
            step.name,
            sa.func.coalesce(preparation_in(sa.literal(language)), Procedure.preparation),
        )
        .join(RequestedProcedure, RequestedProcedure.id == step.procedure_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(is_told)
        .order_by(step.starts_at, step.id)
    )
    told = [Appointment(key, version, starts, ends, f"{name}, {part}" if part else name, preparation or "")
            for key, version, starts, ends, name, part, preparation in rows]  # fmt: skip
    if notice.kind is not NoticeKind.reminder:
        return told
    day = local(anchor.starts_at, zone).date()
    return [appointment for appointment in told if local(appointment.starts_at, zone).date() == day]


def _is_shared(session: Session, patient: Patient) -> bool:
    others = sa.select(Patient.id).where(Patient.email == patient.email, Patient.id != patient.id, Patient.merged_into_id.is_(None))
    return session.scalar(others.limit(1)) is not None


def _is_overtaken(uow: UnitOfWork, notice: Notice) -> bool:
    same = Notice.booking_id == notice.booking_id if notice.booking_id else Notice.step_id == notice.step_id
    newer = sa.select(Notice.id).where(same, Notice.state.in_(WAITING), Notice.kind != NoticeKind.reminder, Notice.id > notice.id)
    return uow.session.scalar(newer.limit(1)) is not None


def event_about(uow: UnitOfWork, name: str, notice: Notice) -> Event:
    """An event about a message, with whose it is."""
    procedure = uow.session.get_one(ScheduledProcedureStep, notice.step_id).procedure_id
    order_id = uow.session.get_one(RequestedProcedure, procedure).order_id
    patient_id = uow.session.get_one(Order, order_id).patient_id
    return Event(
        name, Ref("notice", notice.id), patient_id=patient_id, procedure_id=procedure, site_id=notice.site_id, facts={"kind": notice.kind}
    )
