"""What is known of an exam and its patient when a report is written: one set of facts for templates, merged fields and checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import MaterialKind, Procedure, Site
from ris.exam.performed import PerformedRow, done_instead, performed_of
from ris.order.model import RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.patient.model import Observation, ObservationKind, Patient, Sex
from ris.patient.mrn import MRN
from ris.protocol import queries as protocols
from ris.report.model import ReportProcedure
from ris.report.priors import Kinship, Prior, priors
from ris.report.writing.checks import Subject, years_between
from ris.report.writing.model import DraftFinding

COMPARED = 2
"""So many earlier exams a comparison names."""
LABORATORY = (ObservationKind.creatinine, ObservationKind.egfr)
_SIDES = {"L": "left", "R": "right"}


@dataclass(frozen=True, slots=True)
class Value:
    """The newest finding of a kind."""

    kind: str
    value: str
    unit: str
    told_on: date


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one exam."""

    procedure_id: int
    kind_id: int | None
    """What was done, of the catalogue; None while its code is not known."""
    procedure_name: str
    accession_number: str
    modality: str | None
    has_contrast: bool | None
    side: str
    site_id: int
    zone: str
    done_at: datetime
    done_on: date
    family: str
    sex: Sex
    birth_date: date | None
    mrn: str | None
    orderer_name: str
    indication: str
    protocol: str
    note: str
    """The technologist's."""
    given: tuple[str, ...]
    """Contrast media and the like, with amount and unit."""
    doses: tuple[str, ...]
    laboratory: tuple[Value, ...]
    compared: tuple[Prior, ...]
    numbers: frozenset[str]
    categories: tuple[tuple[str, str], ...]
    """Those of the draft."""

    @property
    def age(self) -> int | None:
        """Whole years at the exam."""
        return years_between(self.birth_date, self.done_on) if self.birth_date else None

    @property
    def subject(self) -> Subject:
        return Subject(
            self.family, self.sex, self.birth_date, self.done_on, self.numbers, self.side, self.modality or "", self.has_contrast,
            "with and without" in self.procedure_name.lower(), self.categories,
        )  # fmt: skip


def facts_of(session: Session, procedure_id: int, now: datetime) -> Facts:
    """`now` stands for the end of an exam that has none."""
    exam = session.get_one(RequestedProcedure, procedure_id)
    performed = performed_of(session, procedure_id)
    kind_id = done_instead(session, procedure_id) or exam.procedure_id
    kind = session.get(Procedure, kind_id) if kind_id is not None else None
    name = kind.name if kind else session.scalar(_name_of(procedure_id)) or ""
    patient, mrn = session.execute(sa.select(Patient, MRN).where(Patient.id == exam.order.patient_id)).one()
    zone = session.get_one(Site, exam.site_id).zone
    done_at = exam.ended_at or now
    earlier = priors(session, procedure_id, None)
    given = [row for row in performed.given if not row.is_taken_back and row.kind is not MaterialKind.supply] if performed else []
    return Facts(
        procedure_id, kind_id, name, exam.accession_number, kind.modality if kind else None,
        _has_contrast(kind, performed), _side(exam.laterality, name), exam.site_id, zone, done_at, local(done_at, zone).date(),
        patient.family, patient.sex, patient.birth_date, mrn, exam.order.orderer_name,
        ". ".join(part.strip().rstrip(".") for part in (exam.order.reason, exam.order.clinical_information) if part.strip()),
        _protocol(session, procedure_id), performed.note if performed else "",
        tuple(f"{row.name} {row.amount} {row.unit}" for row in given),
        tuple(f"{row.quantity.upper().replace('_', ' ')} {row.value} {row.unit}" for row in performed.doses) if performed else (),
        laboratory(session, patient.id, zone), _compared(earlier, local(done_at, zone).date()),
        frozenset(number.upper() for number in (mrn, exam.accession_number, exam.order.placer_number, exam.order.filler_number,
                                                exam.foreign_accession, *(prior.number for prior in earlier)) if number),
        _categories(session, procedure_id),
    )  # fmt: skip


def laboratory(session: Session, patient_id: int, zone: str) -> tuple[Value, ...]:
    """The newest value of each kind that a reading depends on; what was withdrawn is none."""
    rows = session.scalars(
        sa.select(Observation)
        .where(Observation.patient_id == patient_id, Observation.kind.in_(LABORATORY), Observation.status.not_in(("D", "W", "X")))
        .order_by(Observation.observed_at.desc(), Observation.id.desc())
    ).all()
    newest = {kind: next((row for row in rows if row.kind is kind), None) for kind in LABORATORY}
    return tuple(
        Value("eGFR" if kind is ObservationKind.egfr else kind.value, row.value, row.unit, local(row.observed_at, zone).date())
        for kind, row in newest.items()
        if row is not None
    )


def _name_of(procedure_id: int) -> sa.Select[str]:
    return (
        sa.select(PROCEDURE_NAME)
        .select_from(RequestedProcedure)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(RequestedProcedure.id == procedure_id)
    )


def _has_contrast(kind: Procedure | None, performed: PerformedRow | None) -> bool | None:
    """What was given says more than what the catalogue plans."""
    if performed and any(row.kind is MaterialKind.contrast and not row.is_taken_back for row in performed.given):
        return True
    return kind.contrast if kind else None


def _side(laterality: str, name: str) -> str:
    """left or right; empty for both and for none."""
    if side := _SIDES.get(laterality[:1].upper()):
        return side
    named = [side for side in _SIDES.values() if side in name.lower().split()]
    return named[0] if len(named) == 1 and not laterality else ""


def _protocol(session: Session, procedure_id: int) -> str:
    row = protocols.protocol(session, procedure_id)
    return ". ".join(part.strip().rstrip(".") for part in (row.names, row.instructions) if part.strip())


def _categories(session: Session, procedure_id: int) -> tuple[tuple[str, str], ...]:
    rows = session.execute(
        sa.select(DraftFinding.scheme, DraftFinding.code)
        .join(ReportProcedure, ReportProcedure.report_id == DraftFinding.report_id)
        .where(ReportProcedure.procedure_id == procedure_id, DraftFinding.value == "")
        .order_by(DraftFinding.scheme)
    )
    return tuple((scheme, code) for scheme, code in rows)


def _compared(earlier: Sequence[Prior], done_on: date) -> tuple[Prior, ...]:
    close = [prior for prior in earlier if prior.kinship in (Kinship.same, Kinship.region) and prior.done_on <= done_on]
    return tuple(close[:COMPARED])
