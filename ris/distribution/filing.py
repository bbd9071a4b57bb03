"""The files among the records: which are due, under which name, and what became of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork, service
from ris.distribution import mailing
from ris.distribution.model import Dispatch
from ris.distribution.status import DISPATCH, Channel, DispatchState
from ris.order.model import RequestedProcedure
from ris.report.model import ReportProcedure, ReportVersion

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_OPEN = (DispatchState.waiting, DispatchState.sending)


@dataclass(frozen=True, slots=True)
class Filed:
    """Where a file goes."""

    version_id: int
    folder: str
    name: str
    """The same at each try; it names the exam and the version, and no patient."""


def due(session: Session, now: datetime, limit: int = 50) -> Sequence[int]:
    """What may be written now, the longest due first; what was begun and not finished too."""
    query = sa.select(Dispatch.id).where(Dispatch.channel == Channel.folder, Dispatch.state.in_(_OPEN), Dispatch.not_before <= now)
    return session.scalars(query.order_by(Dispatch.not_before, Dispatch.id).limit(limit)).all()


@service
def begin(uow: UnitOfWork, dispatch_id: int) -> Filed | None:
    """Where the file goes, written down as under way; None when it shall not be written any more."""
    dispatch = mailing.locked(uow, dispatch_id)
    if dispatch.state not in _OPEN:
        return None
    uow.touch()
    dispatch.state, dispatch.attempts, dispatch.tried_at = DISPATCH.go("begin", dispatch.state), dispatch.attempts + 1, uow.now
    number = uow.session.scalars(sa.select(ReportVersion.number).where(ReportVersion.id == dispatch.version_id)).one()
    accession = uow.session.scalars(
        sa.select(RequestedProcedure.accession_number)
        .join(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .where(ReportProcedure.report_id == dispatch.report_id)
        .order_by(RequestedProcedure.id)
        .limit(1)
    ).one()
    harmless = _ODD.sub("_", accession)
    return Filed(dispatch.version_id, dispatch.address, f"{harmless}-v{number}-{dispatch.id:X}.pdf")


@service
def finish(uow: UnitOfWork, dispatch_id: int, name: str) -> None:
    """It is on the disk."""
    mailing.arrive(uow, mailing.locked(uow, dispatch_id), name)


@service
def put_off(uow: UnitOfWork, dispatch_id: int, reason: str) -> None:
    """It could not be written now."""
    mailing.put_off(uow, mailing.locked(uow, dispatch_id), reason)
