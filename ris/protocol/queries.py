"""What pages show of protocols: the list of exams that need one, one exam's protocol, the codes to choose from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Modality, Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.status import PRIORITY_RANK, Priority, ProcedureStatus
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.protocol.model import ExamProtocol, ProtocolCode
from ris.protocol.status import ProtocolStatus, Urgency

_OPEN = (ProtocolStatus.pending, ProtocolStatus.proposed, ProtocolStatus.rejected)
_BEFORE_THE_EXAM = (ProcedureStatus.ordered, ProcedureStatus.scheduled, ProcedureStatus.arrived)


@dataclass(frozen=True, slots=True)
class CodeRow:
    code: str
    name: str
    instructions: str


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """The protocol of an exam; what nobody has begun is pending, with version 0."""

    row_version: int
    status: ProtocolStatus
    codes: tuple[CodeRow, ...]
    instructions: str
    urgency: Urgency
    target_at: datetime | None
    claimed_by_id: int | None
    claimed_by: str
    proposed_by_id: int | None
    proposed_by: str
    approved_by: str
    approved_at: datetime | None
    remark: str
    remark_by: str

    @property
    def names(self) -> str:
        return "; ".join(code.name for code in self.codes)


@dataclass(frozen=True, slots=True)
class ToProtocolRow(Named):
    """An exam that needs a protocol and has not an approved one."""

    procedure_id: int
    accession_number: str
    procedure_name: str
    modality: Modality
    priority: Priority
    placed_at: datetime
    site_id: int
    site_code: str
    zone: str
    exam_status: ProcedureStatus
    status: ProtocolStatus
    claimed_by: str
    proposed_by: str
    remark: str
    reason: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None


NONE_YET = ProtocolRow(0, ProtocolStatus.pending, (), "", Urgency.elective, None, None, "", None, "", "", None, "", "")


def to_protocol(session: Session, site_ids: Collection[int], limit: int = 300) -> list[ToProtocolRow]:
    """STAT first, then the oldest order."""
    status = sa.func.coalesce(ExamProtocol.status, ProtocolStatus.pending)
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Procedure.modality, Order.priority, Order.placed_at,
            Site.id, Site.code, Site.zone, RequestedProcedure.status, status, sa.func.coalesce(ExamProtocol.claimed_by, ""),
            sa.func.coalesce(ExamProtocol.proposed_by, ""), sa.func.coalesce(ExamProtocol.remark, ""), Order.reason,
            Patient.id, Patient.family, Patient.given, Patient.birth_date, MRN,
        )
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(ExamProtocol, ExamProtocol.procedure_id == RequestedProcedure.id)
        .where(
            RequestedProcedure.site_id.in_(site_ids), RequestedProcedure.status.in_(_BEFORE_THE_EXAM), Procedure.needs_protocol,
            status.in_(_OPEN),
        )
        .order_by(sa.case(PRIORITY_RANK, value=Order.priority), Order.placed_at, RequestedProcedure.id)
        .limit(limit)
    )  # fmt: skip
    return [ToProtocolRow(*tuple(row)) for row in rows]


def needs_protocol(session: Session, procedure_id: int) -> bool:
    """Whether an exam's procedure is one that a radiologist plans; False while its code is not known."""
    wanted = sa.select(Procedure.needs_protocol).join(RequestedProcedure, RequestedProcedure.procedure_id == Procedure.id)
    return bool(session.scalar(wanted.where(RequestedProcedure.id == procedure_id)))


def protocol(session: Session, procedure_id: int) -> ProtocolRow:
    return protocols(session, [procedure_id]).get(procedure_id, NONE_YET)


def protocols(session: Session, procedure_ids: Collection[int]) -> Mapping[int, ProtocolRow]:
    """By exam, those that somebody has begun; two queries for any number."""
    rows = session.scalars(sa.select(ExamProtocol).where(ExamProtocol.procedure_id.in_(procedure_ids))).all()
    wanted = {code for row in rows for code in row.codes}
    known = {row.code: CodeRow(row.code, row.name, row.instructions) for row in _codes(session, ProtocolCode.code.in_(wanted))}
    return {
        row.procedure_id: ProtocolRow(
            row.row_version, row.status, tuple(known[code] for code in row.codes), row.instructions, row.urgency, row.target_at,
            row.claimed_by_id, row.claimed_by, row.proposed_by_id, row.proposed_by, row.approved_by, row.approved_at, row.remark,
            row.remark_by,
        )
        for row in rows
    }  # fmt: skip


def codes_for(session: Session, modality: Modality) -> list[CodeRow]:
    """What can be chosen for an exam of a modality."""
    rows = _codes(session, ProtocolCode.modality == modality, ProtocolCode.active)
    return [CodeRow(row.code, row.name, row.instructions) for row in rows]


def _codes(session: Session, *where: sa.ColumnExpressionArgument[bool]) -> Sequence[ProtocolCode]:
    return session.scalars(sa.select(ProtocolCode).where(*where).order_by(ProtocolCode.code)).all()
