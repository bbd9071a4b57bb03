"""Whether every signed version is still what was signed: looked at each night, and said loudly where one is not."""

import logging
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.outbox.model import StoredEvent
from ris.report import held, versions
from ris.report.model import Report, ReportProcedure, ReportVersion
from ris.task import service as task
from ris.task.model import Task, TaskState

log = logging.getLogger(__name__)

BROKEN = "signature_broken"
SIGNING = ("report.signed", "report.wet_read", "report.taken_back", "report.retracted")
"""Events that say what was signed, under `version_id` and `digest`."""
AT_ONCE = 500


def after(session: Session, version_id: int) -> Sequence[ReportVersion]:
    """The next versions in the order of their keys; none at the end."""
    query = sa.select(ReportVersion).where(ReportVersion.id > version_id).order_by(ReportVersion.id).limit(AT_ONCE)
    return session.scalars(query).all()


def broken(session: Session, found: Sequence[ReportVersion]) -> list[ReportVersion]:
    """Those whose signature does not cover what stands there, or whose event says that something else was signed.

    Whoever changes a text can make a new digest for it too, but the event that told of the signature is never changed.
    """
    signed = _signed(session, {version.report_id for version in found})
    return [version for version in found if not versions.verify(version) or signed.get(version.id, version.digest) != version.digest]


@service
def alarm(uow: UnitOfWork, reports: Iterable[tuple[int, Sequence[int]]]) -> None:
    """A task for each report with the numbers of its broken versions; those of reports that are whole again are settled."""
    said = dict(reports)
    for report_id, numbers in said.items():
        report = uow.session.get_one(Report, report_id)
        text = f"version {', '.join(map(str, numbers))} is not what was signed"
        if not task.is_open(uow.session, BROKEN, Ref("report", report_id)):
            log.error("report %d: %s", report_id, text)
            uow.emit(held.event(uow, "report.signature_broken", report, numbers=list(numbers)))
        task.open(uow, BROKEN, Ref("report", report_id), text, site_id=held.site_of(uow, report))
    called = sa.select(Task.object_id).where(Task.kind == BROKEN, Task.state == TaskState.open)
    for report_id in set(uow.session.scalars(called)) - said.keys():
        task.settle(uow, BROKEN, Ref("report", report_id))


def _signed(session: Session, report_ids: set[int]) -> dict[int, str]:
    """Version to the digest that its event tells."""
    covered = sa.select(ReportProcedure.procedure_id).where(ReportProcedure.report_id.in_(report_ids))
    told = session.scalars(
        sa.select(StoredEvent.facts).where(StoredEvent.procedure_id.in_(covered), StoredEvent.name.in_(SIGNING))
    )  # fmt: skip
    return {facts["version_id"]: facts["digest"] for facts in told if "digest" in facts}
