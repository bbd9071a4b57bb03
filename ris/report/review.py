"""A reading that somebody else approves: submitted, approved with its differences graded, or sent back with a reason."""

from collections.abc import Collection

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.report import held, signing, status
from ris.report.model import Report, ReportDiscrepancy, ReportVersion
from ris.report.signing import NO_REASONS
from ris.report.status import Grade, ReportStatus, VersionKind
from ris.report.writing.findings import Finding
from ris.report.writing.gate import Reasons
from ris.staff import queries as staff
from ris.staff.permission import Permission

LONGEST_REASON = 500


@service
def submit(
    uow: UnitOfWork,
    *,
    report_id: int,
    text: str,
    row_version: int,
    supervisor_id: int | None = None,
    displayed: str | None = None,
    reasons: Reasons = NO_REASONS,
    coded: Collection[Finding] | None = None,
) -> ReportVersion:
    """The actor's preliminary reading, published at once, waits for approval by the supervisor, or without one by anybody with the right.

    Raises Invalid for a supervisor who cannot sign there, Stale and NotAllowedNow as every signature.
    """
    report = held.locked(uow, report_id)
    signing.refuse_changed(uow, report, row_version=row_version, displayed=displayed)
    if supervisor_id is not None:
        _refuse_supervisor(uow, report, supervisor_id)
    version = signing.sign(uow, report, "submit", VersionKind.preliminary, text, reasons=reasons, coded=coded)
    report.author_id, report.supervisor_id, report.submitted_at = uow.actor.id, supervisor_id, uow.now
    report.sent_back_by_id, report.sent_back_reason = None, ""
    uow.emit(held.event(uow, "report.submitted", report, version_id=version.id, supervisor_id=supervisor_id))
    return version


@service
def recall(uow: UnitOfWork, *, report_id: int) -> Report:
    """The author goes on writing instead; the preliminary reading stands until the next signature. Raises Stale while it is reviewed."""
    report = held.locked(uow, report_id)
    report.status = held.after(uow, report, "recall")
    uow.touch()
    report.author_id = report.supervisor_id = report.submitted_at = None
    report.drafted_by_id = uow.actor.id
    uow.session.flush()
    uow.emit(held.event(uow, "report.recalled", report))
    return report


@service
def send_back(uow: UnitOfWork, *, report_id: int, reason: str) -> Report:
    """The reviewer asks the author for another reading and says why; the words are the author's draft again, as submitted."""
    report = held.locked(uow, report_id)
    said = reason.strip()
    if len(said) > LONGEST_REASON:
        raise Invalid(f"a reason holds at most {LONGEST_REASON} characters", error_code="104")
    report.status = held.after(uow, report, "send_back", reason=bool(said))
    held.unclaim(uow, report)
    report.sent_back_by_id, report.sent_back_reason = uow.actor.id, said
    if (submitted := submitted_version(uow, report)) is not None:
        report.draft_text = submitted.text
    uow.emit(held.event(uow, "report.sent_back", report, author_id=report.author_id, reason=said))
    return report


def submitted_version(uow: UnitOfWork, report: Report) -> ReportVersion | None:
    """What the author asked to approve; None for a report that is nobody else's."""
    if report.author_id is None:
        return None
    return uow.session.scalars(
        sa.select(ReportVersion)
        .where(
            ReportVersion.report_id == report.id,
            ReportVersion.kind == VersionKind.preliminary,
            ReportVersion.signer_id == report.author_id,
        )
        .order_by(ReportVersion.number.desc())
        .limit(1)
    ).one_or_none()


def refuse_reviewer(uow: UnitOfWork, report: Report) -> None:
    """Raises NotAllowedNow where a reading waits for approval and the actor wrote it, or has no right to sign."""
    if report.status is not ReportStatus.in_review:
        return
    if report.author_id == uow.actor.id:
        raise NotAllowedNow("you have submitted it for review: recall it to write on", missing=(status.ANOTHERS.text,))
    if not staff.rights_of(uow.session, uow.actor.id).may(Permission.REPORT_SIGN, held.site_of(uow, report)):
        raise NotAllowedNow("it waits to be approved by somebody with the right to sign", missing=(status.ANOTHERS.text,))


def differ(before: str, after: str) -> bool:
    """Whether a word was changed; spaces and line ends are none."""
    return before.split() != after.split()


def graded(submitted: ReportVersion | None, text: str, grade: Grade | None) -> bool:
    """Whether it is said how far the final words are from the preliminary ones, where they differ at all."""
    return submitted is None or not differ(submitted.text, text) or grade not in (None, Grade.agreed)


def keep(uow: UnitOfWork, report: Report, submitted: ReportVersion, final: ReportVersion, grade: Grade | None, comment: str) -> None:
    """Writes down how the two readings differ, so that the author learns of it and the department can count."""
    changed = differ(submitted.text, final.text)
    uow.add(
        ReportDiscrepancy(
            id=new_id(), report_id=report.id, preliminary_id=submitted.id, final_id=final.id, author_id=submitted.signer_id,
            reviewer_id=uow.actor.id, grade=grade if changed and grade else Grade.agreed, comment=comment.strip()[:LONGEST_REASON],
            at=uow.now,
        )
    )  # fmt: skip


def _refuse_supervisor(uow: UnitOfWork, report: Report, supervisor_id: int) -> None:
    site_id = held.site_of(uow, report)
    if supervisor_id == uow.actor.id:
        raise Invalid(status.ANOTHERS.text)
    if supervisor_id not in {user.id for user in staff.who_may(uow.session, Permission.REPORT_SIGN, site_id)}:
        raise Invalid("the supervisor has no right to sign reports here")
