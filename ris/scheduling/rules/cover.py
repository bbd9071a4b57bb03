"""Who pays for an exam on a day, and under which authorisation it is: facts for the rule that asks for one."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.order.authorized import used
from ris.order.model import AuthorizedProcedure
from ris.patient.coverage import authorizations, coverages, why_not
from ris.patient.model import Authorization, Coverage


@dataclass(frozen=True, slots=True)
class Cover:
    payers: tuple[str, ...] = ()
    """Who pays on the day of the exam, first the first."""
    under: str = ""
    """The number of the authorisation that the exam is done under."""
    reasons: tuple[str, ...] = ()
    """Why that one does not cover it on the day."""
    fitting: tuple[str, ...] = ()
    """Numbers of authorisations of the patient that would."""


NO_COVER = Cover()


def cover_of(session: Session, patient_id: int, procedure_id: int, code: str, on: date) -> Cover:
    payers = tuple(row.payer for row in coverages(session, patient_id) if _is_valid(row, on))
    rows = authorizations(session, patient_id)
    own = session.scalars(
        sa.select(Authorization)
        .join(AuthorizedProcedure, AuthorizedProcedure.authorization_id == Authorization.id)
        .where(AuthorizedProcedure.procedure_id == procedure_id)
    ).one_or_none()
    if own is not None:
        return Cover(payers, own.number, why_not(own, code=code, on=on, left=1))
    taken = used(session, [row.id for row in rows]) if rows else {}
    fitting = tuple(row.number for row in rows if not why_not(row, code=code, on=on, left=row.units - taken.get(row.id, 0)))
    return Cover(payers, fitting=fitting)


def _is_valid(row: Coverage, on: date) -> bool:
    return (row.valid_from is None or row.valid_from <= on) and (row.valid_to is None or on <= row.valid_to)
