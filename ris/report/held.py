"""A report under its lock: who is at it, what it may become, what is told of it."""

from typing import Any

import sqlalchemy as sa

from ris.base.errors import NotFound, Stale
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.catalog.model import Site
from ris.order import service as orders
from ris.order.model import Order
from ris.report import status, versions
from ris.report.model import Report
from ris.report.status import ReportStatus
from ris.report.writing.checks import OPEN_FIELD
from ris.staff.model import User

TAKEN_OVER = "{} has taken over this report: your text has not been saved"


def locked(uow: UnitOfWork, report_id: int) -> Report:
    """The report as it is now, kept from others until the end of the transaction. Raises NotFound."""
    report = uow.session.get(Report, report_id, with_for_update=True, populate_existing=True)
    if report is None:
        raise NotFound(f"report {report_id} does not exist")
    return report


def reader(uow: UnitOfWork, report: Report) -> str | None:
    """The name of somebody else who reads the report now."""
    if report.claimed_by_id in (None, uow.actor.id) or report.claimed_until is None or report.claimed_until <= uow.now:
        return None
    return uow.session.get_one(User, report.claimed_by_id).name


def after(uow: UnitOfWork, report: Report, step: str, text: str = "", **met: bool) -> ReportStatus:
    """The state after a step; `met` answers the requirements that the report itself cannot.

    Raises Stale when somebody else reads, NotAllowedNow for what is missing.
    """
    if other := reader(uow, report):
        raise Stale(TAKEN_OVER.format(other))
    known = {
        status.CLAIMED.name: report.claimed_by_id == uow.actor.id,
        status.HAS_TEXT.name: bool(text.strip()),
        status.NO_OPEN_FIELD.name: not OPEN_FIELD.search(text),
        status.ANOTHERS.name: report.author_id != uow.actor.id,
        status.OWN.name: report.author_id == uow.actor.id,
        **met,
    }

    def holds(requirement: Requirement) -> bool:
        return known[requirement.name]

    return status.REPORT.go(step, report.status, holds)


def site_of(uow: UnitOfWork, report: Report) -> int:
    """Where its exams are done."""
    return versions.procedures(uow.session, report)[0].site_id


def zone_of(uow: UnitOfWork, report: Report) -> str:
    """By whose clock its notices are dated."""
    return uow.session.scalars(sa.select(Site.zone).join(Order, Order.site_id == Site.id).where(Order.id == report.order_id)).one()


def unclaim(uow: UnitOfWork, report: Report) -> None:
    uow.touch()
    report.claimed_by_id = report.claimed_at = report.claimed_until = None


def event(uow: UnitOfWork, name: str, report: Report, **facts: Any) -> Event:
    covered = versions.procedures(uow.session, report)
    return orders.procedure_event(
        name, covered[0], Ref("report", report.id), report_id=report.id, procedure_ids=[p.id for p in covered], **facts
    )
