"""The reading worklist: completed exams without a final report, who is reading them, and for how long they have waited."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Modality, Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK, Priority
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.report.model import Report, ReportProcedure, UnreadExam
from ris.report.status import ReportStatus
from ris.staff.model import User


@dataclass(frozen=True, slots=True)
class ReadingRow(Named):
    """Times are UTC, `zone` is the site's."""

    procedure_id: int
    accession_number: str
    procedure_name: str
    modality: Modality
    region: str
    site_id: int
    site_name: str
    zone: str
    priority: Priority
    completed_at: datetime
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    report_status: ReportStatus | None
    """None while nobody has opened it."""
    reader_id: int | None
    reader_name: str | None
    """Who reads it now; None once the claim has ended."""
    reading_since: datetime | None

    def minutes_waiting(self, now: datetime) -> int:
        """Whole minutes since the images were made."""
        return max(0, int((now - self.completed_at).total_seconds()) // 60)


def reading_worklist(session: Session, site_ids: Collection[int], now: datetime, limit: int = 500) -> list[ReadingRow]:
    """The most urgent first; of one urgency, who has waited longest."""
    claimed = Report.claimed_until > now
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Procedure.modality, Procedure.region,
            Site.id, Site.name, Site.zone, Order.priority, RequestedProcedure.ended_at,
            Patient.id, Patient.family, Patient.given, Patient.birth_date, MRN, Report.status,
            sa.case((claimed, User.id)), sa.case((claimed, User.given + " " + User.family)), sa.case((claimed, Report.claimed_at)),
        )
        .select_from(UnreadExam)
        .join(RequestedProcedure, RequestedProcedure.id == UnreadExam.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .outerjoin(Report, Report.id == ReportProcedure.report_id)
        .outerjoin(User, User.id == Report.claimed_by_id)
        .where(UnreadExam.site_id.in_(site_ids))
        .order_by(sa.case(PRIORITY_RANK, value=Order.priority), RequestedProcedure.ended_at, RequestedProcedure.id)
        .limit(limit)
    )  # fmt: skip
    return [ReadingRow(*tuple(row)) for row in rows]
