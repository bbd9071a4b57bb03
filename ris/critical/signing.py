"""What a critical result says to the signature, the retraction and the taking back of its report."""

import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.base.uow import Event, UnitOfWork
from ris.critical import service
from ris.critical.model import CriticalClass, CriticalResult
from ris.critical.status import LIVE, CriticalStatus
from ris.report import versions
from ris.report.model import Report
from ris.report.status import VersionKind

_DECISIVE = (VersionKind.final, VersionKind.addendum)


def require_told(uow: UnitOfWork, event: Event) -> None:
    """To hang on `report.signed`: every result that still holds is carried on to the new version.

    Raises NotAllowedNow, and so nothing is signed, where somebody must be told before a final reading or an addendum and was not.
    """
    held = _of_report(uow, event.facts["report_id"], *LIVE, CriticalStatus.closed)
    if event.facts["kind"] in _DECISIVE:
        _refuse_untold(uow, held)
    for result in held:
        uow.touch()
        before, result.version_id = result.version_id, event.facts["version_id"]
        if before is not None:
            uow.emit(service.event(uow, "critical.carried", result, version_id=result.version_id, from_version_id=before))


def withdraw_with_report(uow: UnitOfWork, event: Event) -> None:
    """To hang on `report.retracted`: none of its results holds any more; who was told of one is a task."""
    for result in _of_report(uow, event.facts["report_id"], *LIVE, CriticalStatus.closed):
        service.withdraw(uow, result.id, f"its report was retracted: {event.facts['reason']}"[: service.LONGEST])


def hold_taken_back(uow: UnitOfWork, event: Event) -> None:
    """To hang on `report.taken_back`: the results stand as they are, said by the version that stood before, or by none."""
    standing = versions.standing(uow, uow.session.get_one(Report, event.facts["report_id"]))
    for result in _of_report(uow, event.facts["report_id"], *LIVE, CriticalStatus.closed):
        uow.touch()
        result.version_id = standing.id if standing else None


def _refuse_untold(uow: UnitOfWork, held: list[CriticalResult]) -> None:
    kinds = {row.id: row for row in uow.session.scalars(sa.select(CriticalClass))}
    missing = tuple(
        f"{kinds[result.critical_class_id].name}: {_lacks(result)}"
        for result in held
        if result.status in LIVE and kinds[result.critical_class_id].before_signing
    )
    if missing:
        raise NotAllowedNow(f"not signed, somebody must be told first. {'; '.join(missing)}", missing=missing)


def _lacks(result: CriticalResult) -> str:
    if result.status is CriticalStatus.told:
        return "the read-back is missing"
    return "write down who was told, by whom, when, how and whether it was read back"


def _of_report(uow: UnitOfWork, report_id: int, *statuses: CriticalStatus) -> list[CriticalResult]:
    wanted = sa.select(CriticalResult).where(CriticalResult.report_id == report_id, CriticalResult.status.in_(statuses))
    rows = wanted.order_by(CriticalResult.id).with_for_update().execution_options(populate_existing=True)
    return list(uow.session.scalars(rows))
