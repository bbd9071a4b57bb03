"""What can be done with a report: claim, write, sign, addend, publish, retract. A signed version never changes."""

import hashlib
import re
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ris.base.clock import local
from ris.base.errors import Invalid, NotAllowedNow, NotFound, Stale
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import Procedure, Site
from ris.order import service as orders
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority, ProcedureStatus
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.report import status
from ris.report.model import Report, ReportProcedure, ReportVersion, UnreadExam
from ris.report.status import ReportStatus, VersionKind
from ris.staff.model import User

OPEN_FIELD = re.compile(r"\[[^\[\]\n]*\]")
"""A template field that nobody has filled: `[size]` or `[left|right]`."""

MEANING = {
    VersionKind.preliminary: "Preliminary interpretation",
    VersionKind.final: "Final interpretation",
    VersionKind.addendum: "Addendum to the final interpretation",
    VersionKind.retraction: "Retraction: what was said does not hold",
}


@service
def open_for(uow: UnitOfWork, procedure_id: int) -> Report:
    """The report of an exam, begun from its procedure's template when there is none. Raises NotAllowedNow before completion."""
    procedure = orders.get_procedure(uow, procedure_id)
    known = uow.session.get(ReportProcedure, procedure_id)
    if known:
        return _locked(uow, known.report_id)
    if procedure.status is not ProcedureStatus.completed:
        raise NotAllowedNow(f"cannot read the exam: it is {procedure.status.replace('_', ' ')}", missing=("the exam is not completed",))
    template = _template_of(uow, procedure)
    report = uow.add(Report(id=new_id(), order_id=procedure.order_id, status=ReportStatus.draft, draft_text=template))
    uow.session.flush()
    uow.add(ReportProcedure(procedure_id=procedure_id, report_id=report.id))
    uow.session.flush()
    return report


@service
def claim(uow: UnitOfWork, report_id: int) -> Report:
    """Makes the actor the one who reads, for so long as the setting says; again renews it. Raises Stale naming who reads."""
    report = _locked(uow, report_id)
    other = reader(uow, report)
    if other:
        raise Stale(f"{other} is reading this exam since {report.claimed_at:%H:%M} UTC")
    if report.claimed_by_id != uow.actor.id:
        uow.touch()
        report.claimed_at = uow.now
        report.claimed_by_id = uow.actor.id
        uow.emit(_event(uow, "report.claimed", report))
    report.claimed_until = uow.now + timedelta(minutes=uow.session.info["settings"].reports.claim_minutes)
    return report


@service
def release(uow: UnitOfWork, report_id: int) -> None:
    """The actor stops reading; what was saved stays. Nothing happens when somebody else reads."""
    report = _locked(uow, report_id)
    if report.claimed_by_id == uow.actor.id:
        _unclaim(uow, report)
        uow.emit(_event(uow, "report.released", report))


@service
def save_draft(uow: UnitOfWork, *, report_id: int, text: str, row_version: int) -> Report:
    """Keeps the words. Raises Stale when somebody else saved or claimed meanwhile: the caller's words are not lost, only not saved."""
    report = _locked(uow, report_id)
    if report.row_version != row_version:
        raise Stale("this report was saved by somebody else meanwhile: your text has not been saved over it")
    _step(uow, report, "save_draft", text)
    uow.touch()
    report.draft_text, report.draft_at = text, uow.now
    report.claimed_until = uow.now + timedelta(minutes=uow.session.info["settings"].reports.claim_minutes)
    uow.session.flush()
    return report


@service
def sign_preliminary(uow: UnitOfWork, *, report_id: int, text: str, row_version: int) -> ReportVersion:
    """A first reading that others may see; published at once."""
    return _sign(uow, report_id, "sign_preliminary", VersionKind.preliminary, text, row_version, password_checked=False)


@service
def sign_final(uow: UnitOfWork, *, report_id: int, text: str, row_version: int, password_checked: bool) -> ReportVersion:
    """The final reading. Published when the publication delay ends, for a STAT order at once."""
    return _sign(uow, report_id, "sign_final", VersionKind.final, text, row_version, password_checked=password_checked)


@service
def addend(uow: UnitOfWork, *, report_id: int, text: str, password_checked: bool) -> ReportVersion:
    """Adds to a final report; the whole goes out anew, what was said before stays readable below it."""
    report = _locked(uow, report_id)
    newest = _newest(uow, report)
    heading = f"ADDENDUM {local(uow.now, _zone(uow, report)):%Y-%m-%d %H:%M} {uow.actor.name}"
    return _sign(uow, report_id, "addend", VersionKind.addendum, text, report.row_version, password_checked=password_checked,
                 whole=f"{heading}\n{text.strip()}\n\n{newest.text}" if newest else text)  # fmt: skip


@service
def retract(uow: UnitOfWork, *, report_id: int, reason: str, password_checked: bool) -> ReportVersion:
    """Takes back everything that was signed: wrong patient, wrong exam. The exam is unread again, and whoever was told is told at once.

    The text stays readable below the notice. A version whose publication was still to come is never published.
    Raises NotAllowedNow for what is missing, Stale when somebody else reads.
    """
    report = _locked(uow, report_id)
    if other := reader(uow, report):
        raise Stale(f"{other} is reading this exam: it was not retracted")
    met = {status.REASON: bool(reason.strip()), status.PASSWORD: password_checked}
    report.status = status.REPORT.go("retract", report.status, met.__getitem__)
    newest = _newest(uow, report)
    if newest is None:
        raise NotFound(f"report {report_id} has no signed version")
    heading = f"RETRACTED {local(uow.now, _zone(uow, report)):%Y-%m-%d %H:%M} {uow.actor.name}\nReason: {reason.strip()}"
    version = _version(
        uow, report, VersionKind.retraction, f"{heading}\n\n{newest.text}", number=newest.number + 1, password_checked=password_checked
    )
    uow.add(version)
    report.draft_text, report.draft_at = _template(uow, report), None
    _unclaim(uow, report)
    _mark_unread(uow, report)
    uow.session.flush()
    uow.emit(_event(uow, "report.retracted", report, version_id=version.id, number=version.number, reason=reason.strip()))
    if _was_published(uow, report):
        _publish(uow, version)
    return version


@service
def publish_due(uow: UnitOfWork) -> int:
    """Publishes every signed version whose delay has ended; how many these were."""
    due = uow.session.scalars(
        sa.select(ReportVersion)
        .where(ReportVersion.published_at.is_(None), ReportVersion.publish_at <= uow.now, ~is_withdrawn())
        .order_by(ReportVersion.signed_at, ReportVersion.id)
        .limit(100)
        .with_for_update(skip_locked=True)
    ).all()
    for version in due:
        _publish(uow, version)
    return len(due)


def is_withdrawn() -> sa.ColumnElement[bool]:
    """That a `ReportVersion` was retracted before it was published, or is itself the retraction of what nobody was told."""
    retraction = aliased(ReportVersion)
    retracted = sa.exists().where(
        retraction.report_id == ReportVersion.report_id,
        retraction.number >= ReportVersion.number,
        retraction.kind == VersionKind.retraction,
    )
    return sa.and_(ReportVersion.published_at.is_(None), retracted)


def await_reading(uow: UnitOfWork, event: Event) -> None:
    """The exam is completed: it waits for its final report."""
    uow.add(UnreadExam(procedure_id=event.about.id, site_id=event.site_id))


def reader(uow: UnitOfWork, report: Report) -> str | None:
    """The name of somebody else who reads the report now."""
    if report.claimed_by_id in (None, uow.actor.id) or report.claimed_until is None or report.claimed_until <= uow.now:
        return None
    return uow.session.get_one(User, report.claimed_by_id).name


def digest(text: str, identifiers: str, signer_id: int, meaning: str, signed_at: str) -> str:
    """What a signature covers, as SHA-256: text, identifiers as displayed, signer, meaning and time."""
    return hashlib.sha256("\x1e".join((text, identifiers, str(signer_id), meaning, signed_at)).encode()).hexdigest()


def verify(version: ReportVersion) -> bool:
    """Whether a version is still what was signed."""
    return version.digest == digest(version.text, version.identifiers, version.signer_id, version.meaning, version.signed_at.isoformat())


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _locked(uow: UnitOfWork, report_id: int) -> Report:
    report = uow.session.get(Report, report_id, with_for_update=True, populate_existing=True)
    if report is None:
        raise NotFound(f"report {report_id} does not exist")
    return report


def _step(uow: UnitOfWork, report: Report, name: str, text: str, *, password_checked: bool = False) -> ReportStatus:
    """The state after a step. Raises Stale when somebody else reads, NotAllowedNow for what is missing."""
    other = reader(uow, report)
    if other:
        raise Stale(f"{other} has taken over this report: your text has not been saved")

    def holds(requirement: Requirement) -> bool:
        return {
            status.CLAIMED: report.claimed_by_id == uow.actor.id,
            status.HAS_TEXT: bool(text.strip()),
            status.NO_OPEN_FIELD: not OPEN_FIELD.search(text),
            status.PASSWORD: password_checked,
        }[requirement]

    return status.REPORT.go(name, report.status, holds)


def _sign(
    uow: UnitOfWork, report_id: int, step: str, kind: VersionKind, text: str, row_version: int, *, password_checked: bool, whole: str = ""
) -> ReportVersion:
    report = _locked(uow, report_id)
    if report.row_version != row_version:
        raise Stale("this report was changed by somebody else meanwhile: read it again before signing")
    target = _step(uow, report, step, text, password_checked=password_checked)
    newest = _newest(uow, report)
    version = _version(uow, report, kind, whole or text, number=newest.number + 1 if newest else 1, password_checked=password_checked)
    uow.add(version)
    report.status = target
    report.draft_text = text if kind is VersionKind.preliminary else ""
    _unclaim(uow, report)
    uow.session.flush()
    if target is ReportStatus.final:
        _mark_read(uow, report)
    uow.emit(_event(uow, "report.signed", report, version_id=version.id, number=version.number, kind=kind))
    if version.publish_at <= uow.now:
        _publish(uow, version)
    return version


def _version(uow: UnitOfWork, report: Report, kind: VersionKind, text: str, *, number: int, password_checked: bool) -> ReportVersion:
    if len(text) > 1_000_000:
        raise Invalid("a report holds at most a million characters", error_code="104")
    identifiers = _identifiers(uow, report)
    return ReportVersion(
        id=new_id(), report_id=report.id, number=number, kind=kind, text=text, signer_id=uow.actor.id, signer_name=uow.actor.name,
        meaning=MEANING[kind], method="password" if password_checked else "session", signed_at=uow.now, identifiers=identifiers,
        digest=digest(text, identifiers, uow.actor.id, MEANING[kind], uow.now.isoformat()),
        publish_at=uow.now + _delay(uow, report, kind), published_at=None,
    )  # fmt: skip


def _delay(uow: UnitOfWork, report: Report, kind: VersionKind) -> timedelta:
    """None for what is urgent, for a preliminary report, which is there to be seen at once, and for a retraction."""
    urgent = uow.session.scalar(sa.select(Order.priority).where(Order.id == report.order_id)) is Priority.stat
    is_delayed = not urgent and kind in (VersionKind.final, VersionKind.addendum)
    seconds = uow.session.info["settings"].reports.publication_delay_seconds if is_delayed else 0
    return timedelta(seconds=seconds)


def _publish(uow: UnitOfWork, version: ReportVersion) -> None:
    uow.touch()
    version.published_at = uow.now
    report = uow.session.get_one(Report, version.report_id)
    facts = {"version_id": version.id, "number": version.number, "kind": version.kind, "signer_id": version.signer_id}
    uow.emit(_event(uow, "report.published", report, **facts))


def _mark_read(uow: UnitOfWork, report: Report) -> None:
    procedures = sa.select(ReportProcedure.procedure_id).where(ReportProcedure.report_id == report.id)
    uow.session.execute(sa.delete(UnreadExam).where(UnreadExam.procedure_id.in_(procedures)))


def _mark_unread(uow: UnitOfWork, report: Report) -> None:
    for procedure in _procedures(uow, report):
        if uow.session.get(UnreadExam, procedure.id) is None:
            uow.add(UnreadExam(procedure_id=procedure.id, site_id=procedure.site_id))


def _was_published(uow: UnitOfWork, report: Report) -> bool:
    published = sa.select(ReportVersion.id).where(ReportVersion.report_id == report.id, ReportVersion.published_at.is_not(None))
    return uow.session.scalar(published.limit(1)) is not None


def _template(uow: UnitOfWork, report: Report) -> str:
    return _template_of(uow, _procedures(uow, report)[0])


def _template_of(uow: UnitOfWork, procedure: RequestedProcedure) -> str:
    return uow.session.scalar(sa.select(Procedure.template).where(Procedure.id == procedure.procedure_id)) or ""


def _newest(uow: UnitOfWork, report: Report) -> ReportVersion | None:
    return uow.session.scalars(
        sa.select(ReportVersion).where(ReportVersion.report_id == report.id).order_by(ReportVersion.number.desc()).limit(1)
    ).one_or_none()


def _procedures(uow: UnitOfWork, report: Report) -> list[RequestedProcedure]:
    return list(
        uow.session.scalars(
            sa.select(RequestedProcedure)
            .join(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
            .where(ReportProcedure.report_id == report.id)
            .order_by(RequestedProcedure.id)
        )
    )


def _identifiers(uow: UnitOfWork, report: Report) -> str:
    """Who and what the signer had before the eyes: two identifiers of the patient, and the accession numbers."""
    patient, number = uow.session.execute(sa.select(Patient, MRN).join(Order).where(Order.id == report.order_id)).one()
    accessions = ",".join(p.accession_number for p in _procedures(uow, report))
    return f"{patient.name}|{patient.birth_date or ''}|{number or ''}|{accessions}"


def _zone(uow: UnitOfWork, report: Report) -> str:
    return uow.session.scalars(sa.select(Site.zone).join(Order, Order.site_id == Site.id).where(Order.id == report.order_id)).one()


def _unclaim(uow: UnitOfWork, report: Report) -> None:
    uow.touch()
    report.claimed_by_id = report.claimed_at = report.claimed_until = None


def _event(uow: UnitOfWork, name: str, report: Report, **facts: Any) -> Event:
    procedures = _procedures(uow, report)
    return orders.procedure_event(
        name, procedures[0], Ref("report", report.id), report_id=report.id, procedure_ids=[p.id for p in procedures], **facts
    )
