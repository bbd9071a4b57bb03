"""Before a signature: what speaks against the text, and the reasons that somebody gave for signing it all the same."""

from collections.abc import Mapping, Sequence

from ris.base.errors import NotAllowedNow
from ris.base.uow import UnitOfWork
from ris.report import versions
from ris.report.model import Report, ReportVersion
from ris.report.writing import findings
from ris.report.writing.checks import Doubt, doubts
from ris.report.writing.facts import facts_of
from ris.report.writing.model import OverriddenDoubt

LONGEST_REASON = 500
Reasons = Mapping[str, str]
"""The key of a doubt to why the text is right."""


class Doubtful(NotAllowedNow):
    """The text does not fit its patient or its exam; `doubts` are those without a reason."""

    def __init__(self, unanswered: Sequence[Doubt]) -> None:
        said = "; ".join(f"{doubt.check}: {doubt.says}" for doubt in unanswered)
        super().__init__(f"the text is not signed as it is: {said}", missing=tuple(doubt.says for doubt in unanswered))
        self.doubts = tuple(unanswered)


def pass_doubts(uow: UnitOfWork, report: Report, text: str, reasons: Reasons, *, needs_codes: bool) -> tuple[tuple[Doubt, str], ...]:
    """Every doubt about the text with the reason for signing it.

    Raises NotAllowedNow for a scheme without which the procedure is not reported, Doubtful where a reason is missing.
    """
    facts = facts_of(uow.session, versions.procedures(uow.session, report)[0].id, uow.now)
    uncoded = findings.missing(uow.session, report, facts.kind_id) if needs_codes else []
    if uncoded:
        raise NotAllowedNow(
            f"choose {' and '.join(uncoded)} first: reports of this procedure are not signed without", missing=tuple(uncoded)
        )
    answered = [(doubt, reasons.get(doubt.key, "").strip()[:LONGEST_REASON]) for doubt in doubts(text, facts.subject)]
    if unanswered := [doubt for doubt, reason in answered if not (reason and doubt.may_override)]:
        raise Doubtful(unanswered)
    return tuple(answered)


def keep(uow: UnitOfWork, report: Report, version: ReportVersion, answered: Sequence[tuple[Doubt, str]]) -> None:
    """What was coded, and what was signed against, with the version."""
    findings.keep(uow, report, version)
    for position, (doubt, reason) in enumerate(answered, 1):
        uow.add(
            OverriddenDoubt(
                version_id=version.id, position=position, check=doubt.check, says=doubt.says, excerpt=doubt.excerpt, reason=reason
            )
        )  # fmt: skip
