"""The act of signing: the one place where a text becomes a version, with everything that must hold before."""

from collections.abc import Collection

from ris.base.errors import Stale
from ris.base.uow import UnitOfWork
from ris.report import held, publication, unread, versions
from ris.report.model import Report, ReportVersion
from ris.report.status import ReportStatus, VersionKind
from ris.report.writing import findings, gate
from ris.report.writing.findings import Finding
from ris.report.writing.gate import Reasons

NO_REASONS: Reasons = {}


def sign(
    uow: UnitOfWork,
    report: Report,
    step: str,
    kind: VersionKind,
    text: str,
    *,
    whole: str = "",
    password_checked: bool = False,
    reasons: Reasons = NO_REASONS,
    coded: Collection[Finding] | None = None,
    **met: bool,
) -> ReportVersion:
    """A locked report takes a step with a signed version of the text, or of the `whole` that the text is part of.

    `reasons` answer the doubts about the text, and are kept with the version; so is what is `coded`, or was with the draft.
    Raises Stale when somebody else reads, NotAllowedNow for what is missing, and as Doubtful for a doubt without a reason.
    """
    status = held.after(uow, report, step, text, password=password_checked, **met)
    if coded is not None:
        findings.write(uow, report, coded)
        uow.session.flush()
    answered = gate.pass_doubts(uow, report, text, reasons, needs_codes=kind is not VersionKind.addendum)
    report.status = status
    version = versions.sign(uow, report, kind, whole or text, password_checked=password_checked)
    report.draft_text = text if kind is VersionKind.preliminary else ""
    gate.keep(uow, report, version, answered)
    held.unclaim(uow, report)
    uow.session.flush()
    if report.status is ReportStatus.final:
        unread.mark_read(uow, report)
    facts = {"version_id": version.id, "number": version.number, "kind": kind, "digest": version.digest}
    uow.emit(held.event(uow, "report.signed", report, **facts))
    if version.publish_at <= uow.now:
        publication.publish(uow, version)
    return version


def refuse_changed(
    uow: UnitOfWork, report: Report, *, row_version: int | None = None, displayed: str | None = None, text: str = ""
) -> None:
    """Raises Stale unless the report, its patient and the text below are still what stood before the signer's eyes.

    `displayed` is `versions.displayed` of that moment; None for a caller that shows nothing.
    """
    if row_version is not None and report.row_version != row_version:
        raise Stale("this report was changed by somebody else meanwhile: read it again before signing")
    if displayed is not None and displayed != versions.displayed(versions.identifiers(uow.session, report), text):
        raise Stale("what you had before you has changed meanwhile (patient, exam or text): read it again before signing")
