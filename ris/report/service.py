"""What can be done with a report: claim, write, sign, addend, retract. A signed version never changes."""

from collections.abc import Collection
from datetime import timedelta

from ris.base.clock import local
from ris.base.errors import NotAllowedNow, Stale
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.order import service as orders
from ris.order.status import ProcedureStatus
from ris.report import credentials, held, publication, review, signing, unread, versions, wet
from ris.report.model import Report, ReportProcedure, ReportVersion
from ris.report.signing import NO_REASONS
from ris.report.status import Grade, ReportStatus, VersionKind
from ris.report.writing import findings, opening
from ris.report.writing.findings import Finding
from ris.report.writing.gate import Reasons

SAVES = {ReportStatus.in_review: "revise", ReportStatus.sent_back: "rework"}
"""The step that saving is, where it is not `save_draft`."""


@service
def open_for(uow: UnitOfWork, procedure_id: int) -> Report:
    """The report of an exam, begun from its procedure's template when there is none. Raises NotAllowedNow before completion."""
    procedure = orders.get_procedure(uow, procedure_id)
    known = uow.session.get(ReportProcedure, procedure_id)
    if known:
        return held.locked(uow, known.report_id)
    if procedure.status is not ProcedureStatus.completed:
        raise NotAllowedNow(f"cannot read the exam: it is {procedure.status.replace('_', ' ')}", missing=("the exam is not completed",))
    begun = opening.text_of(uow, procedure_id)
    report = uow.add(Report(id=new_id(), order_id=procedure.order_id, status=ReportStatus.draft, draft_text=begun))
    uow.session.flush()
    uow.add(ReportProcedure(procedure_id=procedure_id, report_id=report.id))
    uow.session.flush()
    return report


@service
def claim(uow: UnitOfWork, report_id: int, *, take_over: bool = False) -> Report:
    """Makes the actor the one who reads, for so long as the setting says; again renews it. `take_over`: also from somebody who reads now.

    Raises Stale naming who reads, NotAllowedNow for a reading that the actor may not approve, Forbidden for an exam beyond the
    actor's credentials.
    """
    report = held.locked(uow, report_id)
    review.refuse_reviewer(uow, report)
    credentials.refuse_beyond(uow, report)
    other = held.reader(uow, report)
    if other and not take_over:
        raise Stale(f"{other} is reading this exam since {report.claimed_at:%H:%M} UTC")
    if report.claimed_by_id != uow.actor.id:
        uow.touch()
        if other:
            uow.emit(held.event(uow, "report.taken_over", report, from_user_id=report.claimed_by_id))
        report.claimed_at = uow.now
        report.claimed_by_id = uow.actor.id
        uow.emit(held.event(uow, "report.claimed", report))
    report.claimed_until = uow.now + timedelta(minutes=uow.session.info["settings"].reports.claim_minutes)
    return report


@service
def release(uow: UnitOfWork, report_id: int) -> None:
    """The actor stops reading; what was saved stays. Nothing happens when somebody else reads."""
    report = held.locked(uow, report_id)
    if report.claimed_by_id == uow.actor.id:
        held.unclaim(uow, report)
        uow.emit(held.event(uow, "report.released", report))


@service
def save_draft(uow: UnitOfWork, *, report_id: int, text: str, row_version: int, coded: Collection[Finding] | None = None) -> Report:
    """Keeps the words. Raises Stale when somebody else saved or claimed meanwhile: the caller's words are not lost, only not saved."""
    report = held.locked(uow, report_id)
    if other := held.reader(uow, report):
        raise Stale(held.TAKEN_OVER.format(other))
    if report.row_version != row_version:
        raise Stale("this report was saved by somebody else meanwhile: your text has not been saved over it")
    report.status = held.after(uow, report, SAVES.get(report.status, "save_draft"), text)
    if coded is not None:
        findings.write(uow, report, coded)
    uow.touch()
    report.draft_text, report.draft_at, report.drafted_by_id = text, uow.now, uow.actor.id
    report.claimed_until = uow.now + timedelta(minutes=uow.session.info["settings"].reports.claim_minutes)
    uow.session.flush()
    return report


@service
def sign_preliminary(
    uow: UnitOfWork,
    *,
    report_id: int,
    text: str,
    row_version: int,
    displayed: str | None = None,
    reasons: Reasons = NO_REASONS,
    coded: Collection[Finding] | None = None,
) -> ReportVersion:
    """A first reading that others may see; published at once."""
    report = held.locked(uow, report_id)
    signing.refuse_changed(uow, report, row_version=row_version, displayed=displayed)
    return signing.sign(uow, report, "sign_preliminary", VersionKind.preliminary, text, reasons=reasons, coded=coded)


@service
def sign_final(
    uow: UnitOfWork,
    *,
    report_id: int,
    text: str,
    row_version: int,
    password_checked: bool,
    displayed: str | None = None,
    grade: Grade | None = None,
    comment: str = "",
    reasons: Reasons = NO_REASONS,
    coded: Collection[Finding] | None = None,
) -> ReportVersion:
    """The final reading. Published when the publication delay ends, for a STAT order at once.

    Where it approves somebody's preliminary reading in other words, `grade` says how far they are apart, and `comment` may say why; after a
    wet read, whose words are always others, both may be left out.
    """
    report = held.locked(uow, report_id)
    signing.refuse_changed(uow, report, row_version=row_version, displayed=displayed)
    submitted = review.submitted_version(uow, report)
    graded = review.graded(submitted, text, grade)
    first = submitted or wet.told(uow, report)
    version = signing.sign(
        uow, report, "sign_final", VersionKind.final, text, password_checked=password_checked, reasons=reasons, coded=coded, graded=graded
    )
    if first is not None:
        review.keep(uow, report, first, version, grade, comment)
    return version


@service
def addend(
    uow: UnitOfWork,
    *,
    report_id: int,
    text: str,
    password_checked: bool,
    displayed: str | None = None,
    reasons: Reasons = NO_REASONS,
) -> ReportVersion:
    """Adds to a final report; the whole goes out anew, what was said before stays readable below it."""
    report = held.locked(uow, report_id)
    base = versions.standing(uow, report)
    if base is not None and not versions.verify(base):
        raise NotAllowedNow("the text below is not what was signed: find out what happened to it first")
    below = base.text if base else ""
    signing.refuse_changed(uow, report, displayed=displayed, text=below)
    heading = f"ADDENDUM {local(uow.now, held.zone_of(uow, report)):%Y-%m-%d %H:%M} {uow.actor.name}"
    whole = f"{heading}\n{text.strip()}\n\n{below}"
    return signing.sign(uow, report, "addend", VersionKind.addendum, text, whole=whole, password_checked=password_checked, reasons=reasons)


@service
def retract(uow: UnitOfWork, *, report_id: int, reason: str, password_checked: bool) -> ReportVersion:
    """Takes back everything that was signed: wrong patient, wrong exam. The exam is unread again, and whoever was told is told at once.

    The text stays readable below the notice. A version whose publication was still to come is never published.
    Raises NotAllowedNow for what is missing, Stale when somebody else reads.
    """
    report = held.locked(uow, report_id)
    if other := held.reader(uow, report):
        raise Stale(f"{other} is reading this exam: it was not retracted")
    report.status = held.after(uow, report, "retract", reason=bool(reason.strip()), password=password_checked)
    signed = versions.standing(uow, report)
    if signed is None:
        raise NotAllowedNow("the report cannot be retracted: it is draft, and nothing was signed")
    heading = f"RETRACTED {local(uow.now, held.zone_of(uow, report)):%Y-%m-%d %H:%M} {uow.actor.name}\nReason: {reason.strip()}"
    version = versions.sign(uow, report, VersionKind.retraction, f"{heading}\n\n{signed.text}", password_checked=password_checked)
    report.draft_text, report.draft_at = opening.text_of(uow, versions.procedures(uow.session, report)[0].id), None
    report.author_id = report.supervisor_id = report.submitted_at = None
    findings.clear(uow, report)
    held.unclaim(uow, report)
    unread.mark_unread(uow, report)
    uow.session.flush()
    facts = {"version_id": version.id, "number": version.number, "digest": version.digest, "reason": reason.strip()}
    uow.emit(held.event(uow, "report.retracted", report, **facts))
    if publication.was_published(uow, report):
        publication.publish(uow, version)
    return version
