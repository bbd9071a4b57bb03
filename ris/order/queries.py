"""What pages show of orders: the head of an exam, the exams of a patient, an accession number's exam."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.catalog.model import Modality, Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority, ProcedureStatus
from ris.partner.model import Partner
from ris.patient.model import Patient, Sex, Visit
from ris.patient.mrn import MRN
from ris.patient.name import Named


@dataclass(frozen=True, slots=True)
class ExamRow(Named):
    """One exam with what identifies its patient; times are UTC, `zone` is the site's."""

    procedure_id: int
    accession_number: str
    study_instance_uid: str
    procedure_name: str
    modality: Modality | None
    known: bool
    status: ProcedureStatus
    started_at: datetime | None
    ended_at: datetime | None
    ended_reason: str
    site_id: int
    site_name: str
    zone: str
    order_id: int
    placer_number: str
    filler_number: str
    priority: Priority
    requested_at: datetime | None
    placed_at: datetime
    orderer_name: str
    reason: str
    clinical_information: str
    danger: str
    transport: str
    diagnosis: str
    partner_name: str | None
    visit_number: str | None
    location: str | None
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    sex: Sex
    mrn: str | None
    copies_to: str
    parent_number: str
    held_at: datetime | None
    held_reason: str
    held_by: str
    held_by_placer: bool
    ambulatory_status: str | None
    """Codes of table 0009, parted by spaces."""
    contrast: bool | None
    """Whether the procedure is done with contrast; None while it is not known."""
    ordered_site_id: int
    ordered_site_name: str
    """Where it was ordered; `site_id` is where it is done."""

    @property
    def is_done_elsewhere(self) -> bool:
        return self.site_id != self.ordered_site_id


PROCEDURE_NAME = sa.func.coalesce(Procedure.name, sa.func.nullif(RequestedProcedure.partner_text, ""), RequestedProcedure.partner_code)
"""A column for queries over a requested procedure and, as far as it is known, its catalogue entry."""
_ORDERED_AT = aliased(Site)
_COLUMNS = (
    RequestedProcedure.id, RequestedProcedure.accession_number, RequestedProcedure.study_instance_uid,
    PROCEDURE_NAME,
    Procedure.modality, Procedure.id.is_not(None), RequestedProcedure.status, RequestedProcedure.started_at, RequestedProcedure.ended_at,
    RequestedProcedure.ended_reason, Site.id, Site.name, Site.zone, Order.id, Order.placer_number, Order.filler_number, Order.priority,
    Order.requested_at, Order.placed_at, Order.orderer_name, Order.reason, Order.clinical_information, Order.danger, Order.transport,
    Order.diagnosis, Partner.name, Visit.visit_number, Visit.location, Patient.id, Patient.family, Patient.given, Patient.birth_date,
    Patient.sex, MRN, Order.copies_to, Order.parent_number, Order.held_at, Order.held_reason, Order.held_by,
    Order.held_by_placer, Visit.ambulatory_status, Procedure.contrast, _ORDERED_AT.id, _ORDERED_AT.name,
)  # fmt: skip


def _exams(session: Session, *where: sa.ColumnElement[bool]) -> list[ExamRow]:
    rows = session.execute(
        sa.select(*_COLUMNS)
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(_ORDERED_AT, _ORDERED_AT.id == Order.site_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(Partner, Partner.id == Order.partner_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .where(*where)
        .order_by(Order.placed_at.desc(), RequestedProcedure.id.desc())
        .limit(500)
    )
    return [ExamRow(*tuple(row)) for row in rows]


def exam(session: Session, procedure_id: int) -> ExamRow | None:
    return next(iter(_exams(session, RequestedProcedure.id == procedure_id)), None)


def exams_of_patient(session: Session, patient_id: int, site_ids: Collection[int]) -> list[ExamRow]:
    """Newest first; only those that are done at, or were ordered at, sites that the reader may see."""
    return _exams(session, Order.patient_id == patient_id, _done_or_ordered_at(site_ids))


def visible_at(site_ids: Collection[int]) -> sa.ColumnElement[bool]:
    """That a `Patient` has an exam at or from one of the sites, or none at all yet: a condition for searches and pages."""
    any_exam = sa.exists().where(Order.patient_id == Patient.id, RequestedProcedure.order_id == Order.id).correlate(Patient)
    return any_exam.where(_done_or_ordered_at(site_ids)) | ~any_exam


def _done_or_ordered_at(site_ids: Collection[int]) -> sa.ColumnElement[bool]:
    return sa.or_(RequestedProcedure.site_id.in_(site_ids), Order.site_id.in_(site_ids))


def is_visible(session: Session, patient_id: int, site_ids: Collection[int]) -> bool:
    """Whether somebody who may read patients at the sites may read this one."""
    return session.scalar(sa.select(Patient.id).where(Patient.id == patient_id, visible_at(site_ids))) is not None


def visible_of(session: Session, patient_ids: Collection[int], site_ids: Collection[int]) -> set[int]:
    """Those of the patients whom somebody who may read patients at the sites may read."""
    return set(session.scalars(sa.select(Patient.id).where(Patient.id.in_(patient_ids), visible_at(site_ids))))
