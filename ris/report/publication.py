"""From the signature to whoever is told: a final report waits a few minutes, in which its signer may take it back."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import NotFound
from ris.base.uow import UnitOfWork, service
from ris.report import held, unread, versions
from ris.report.model import Report, ReportDiscrepancy, ReportVersion
from ris.report.status import ReportStatus, VersionKind

AT_ONCE = 100
"""Reports that one call publishes at most."""
STEPS = {VersionKind.final: "take_back", VersionKind.addendum: "take_back_addendum"}
"""Kinds of versions that are published with a delay, and how they are taken back."""


def is_due(session: Session, now: datetime) -> bool:
    """Whether a delay has ended; a read that queues with no writer."""
    return session.scalar(sa.select(_due(now).exists())) or False


@service
def publish_due(uow: UnitOfWork) -> int:
    """Publishes every signed version whose delay has ended; how many these were. A report that somebody is at waits for the next call.

    The report is locked before its versions are looked at: what its signer takes back at this moment is either published or withdrawn.
    """
    waiting = sa.select(Report.id).where(Report.id.in_(_due(uow.now))).limit(AT_ONCE).with_for_update(skip_locked=True)
    report_ids = uow.session.scalars(waiting).all()
    due = uow.session.scalars(
        sa.select(ReportVersion)
        .where(ReportVersion.id.in_(_due(uow.now, ReportVersion.id)), ReportVersion.report_id.in_(report_ids))
        .order_by(ReportVersion.signed_at, ReportVersion.id)
    ).all()
    for version in due:
        publish(uow, version)
    return len(due)


def publish(uow: UnitOfWork, version: ReportVersion) -> None:
    """Everybody who is to know is told."""
    uow.touch()
    version.published_at = uow.now
    report = uow.session.get_one(Report, version.report_id)
    facts = {"version_id": version.id, "number": version.number, "kind": version.kind, "signer_id": version.signer_id}
    uow.emit(held.event(uow, "report.published", report, **facts))


def was_published(uow: UnitOfWork, report: Report) -> bool:
    """Whether anybody was told anything of it."""
    published = sa.select(ReportVersion.id).where(ReportVersion.report_id == report.id, ReportVersion.published_at.is_not(None))
    return uow.session.scalar(published.limit(1)) is not None


@service
def take_back(uow: UnitOfWork, *, report_id: int) -> Report:
    """The signer takes back the newest version before it is published: nothing leaves, nothing is charged, and the words can be written on.

    Raises NotAllowedNow once it is published, and for everybody but the signer.
    """
    report = held.locked(uow, report_id)
    signed = versions.newest(uow, report)
    if signed is None:
        raise NotFound(f"report {report_id} has no signed version")
    uow.session.refresh(signed)
    step = "take_back_approval" if signed.kind is VersionKind.final and report.author_id else STEPS.get(signed.kind, "take_back")
    is_waiting = signed.published_at is None and signed.kind in STEPS
    report.status = held.after(uow, report, step, signed_by_you=signed.signer_id == uow.actor.id, unpublished=is_waiting)
    heading = f"TAKEN BACK {local(uow.now, held.zone_of(uow, report)):%Y-%m-%d %H:%M} {uow.actor.name}"
    withdrawal = versions.sign(uow, report, VersionKind.withdrawal, f"{heading}\n\n{signed.text}", password_checked=False)
    uow.session.flush()
    _restore(uow, report, signed)
    uow.session.flush()
    facts = {"version_id": withdrawal.id, "number": signed.number, "digest": withdrawal.digest}
    uow.emit(held.event(uow, "report.taken_back", report, **facts))
    return report


def _restore(uow: UnitOfWork, report: Report, signed: ReportVersion) -> None:
    """The report as it was before the signature, with its words as the draft."""
    uow.touch()
    report.draft_at = uow.now
    if signed.kind is VersionKind.final:
        report.draft_text, report.drafted_by_id = signed.text, uow.actor.id
        unread.mark_unread(uow, report)
        uow.session.execute(sa.delete(ReportDiscrepancy).where(ReportDiscrepancy.final_id == signed.id))
        return
    base = versions.standing(uow, report)
    if base is None:
        raise NotFound(f"report {report.id} has no final version")
    report.draft_text = signed.text.removesuffix(f"\n\n{base.text}").partition("\n")[2]
    if base.kind is VersionKind.addendum:
        report.status = ReportStatus.addended


def _due(now: datetime, column: sa.orm.InstrumentedAttribute[int] = ReportVersion.report_id) -> sa.Select[int]:
    return sa.select(column).where(ReportVersion.published_at.is_(None), ReportVersion.publish_at <= now, ~versions.is_withdrawn())
