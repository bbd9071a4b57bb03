"""What a person may read: modalities and subspecialties; without any credential of a kind, every one."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Forbidden
from ris.base.uow import UnitOfWork
from ris.catalog.model import Procedure
from ris.order.model import RequestedProcedure
from ris.report.model import Report, ReportProcedure
from ris.staff import reads
from ris.staff.reads import Reads


def refuse_beyond(uow: UnitOfWork, report: Report) -> None:
    """Raises Forbidden, naming what is missing, unless the actor's credentials cover every exam of the report."""
    own = reads.of(uow.session, uow.actor.id)
    if own.everything:
        return
    for modality, subspecialty in _kinds(uow.session, report):
        if not own.covers(modality, subspecialty):
            raise Forbidden(
                f"your credentials do not cover {' '.join(filter(None, (subspecialty, modality)))}: an administrator can add it"
            )


def covered(own: Reads) -> sa.ColumnElement[bool] | None:
    """That a `Procedure` is one that the person may read; None where every one is."""
    wanted = []
    if own.modalities:
        wanted.append(Procedure.modality.in_(sorted(own.modalities)))
    if own.subspecialties:
        wanted.append(Procedure.subspecialty.in_(("", *sorted(own.subspecialties))))
    return sa.and_(*wanted) if wanted else None


def _kinds(session: Session, report: Report) -> list[tuple[str, str]]:
    rows = session.execute(
        sa.select(Procedure.modality, Procedure.subspecialty)
        .join(RequestedProcedure, RequestedProcedure.procedure_id == Procedure.id)
        .join(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .where(ReportProcedure.report_id == report.id)
    )
    return [(modality, subspecialty) for modality, subspecialty in rows]
