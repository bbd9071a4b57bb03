"""Tables of arrivals and performed procedure steps, with what was checked, given and measured."""

import enum
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references
from ris.catalog.model import MaterialKind


class PerformedStatus(enum.StrEnum):
    """(0040,0252)."""

    in_progress = "IN PROGRESS"
    completed = "COMPLETED"
    discontinued = "DISCONTINUED"


class Arrival(Base):
    """That the patient came for an appointment; undone when it was somebody else."""

    __tablename__ = "arrival"

    id: Mapped[Key]
    step_id: Mapped[int] = mapped_column(references("scheduled_procedure_step.id"), index=True)
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), index=True)
    at: Mapped[datetime]
    checked_in_by: Mapped[str]
    undone_at: Mapped[datetime | None]


class PerformedProcedureStep(Versioned, Base):
    __tablename__ = "performed_procedure_step"

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), index=True)
    step_id: Mapped[int | None] = mapped_column(references("scheduled_procedure_step.id"), index=True)
    room_id: Mapped[int] = mapped_column(references("room.id"))
    technologist_id: Mapped[int] = mapped_column(references("user_account.id"))
    done_instead_id: Mapped[int | None] = mapped_column(references("procedure.id"))
    """What was done; None: what was asked for."""
    acquisition_id: Mapped[int | None] = mapped_column(sa.BigInteger, index=True)
    """One number for exams that are done in one go; None for one alone."""
    status: Mapped[PerformedStatus]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    """Since when it is interrupted; None while it runs."""
    paused_seconds: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Of interruptions that are over."""
    undone_at: Mapped[datetime | None]
    """When it was found to have been begun by mistake; it counts no more."""
    discontinued_reason: Mapped[str] = mapped_column(default="")
    image_count: Mapped[int | None] = mapped_column(sa.Integer)
    """As the technologist has counted them; None where nobody did."""
    note: Mapped[str] = mapped_column(default="")
    """For the radiologist."""


class CheckOutcome(enum.StrEnum):
    known = "known"
    """Nothing speaks against it, by what is on record."""
    confirmed = "confirmed"
    overridden = "overridden"


class SafetyCheck(Base):
    """One point of the check list, as it was answered when the exam began."""

    __tablename__ = "safety_check"

    id: Mapped[Key]
    performed_id: Mapped[int] = mapped_column(references("performed_procedure_step.id"), index=True)
    point: Mapped[str]
    """A key of `ris.exam.checks`."""
    text: Mapped[str]
    """What the person had before the eyes."""
    outcome: Mapped[CheckOutcome]
    reason: Mapped[str] = mapped_column(default="")
    """Why it was begun all the same."""


class GivenMaterial(Base):
    """What a patient was given or what was used up, with where it came from."""

    __tablename__ = "given_material"

    id: Mapped[Key]
    performed_id: Mapped[int] = mapped_column(references("performed_procedure_step.id"), index=True)
    material_id: Mapped[int | None] = mapped_column(references("material.id"))
    """None for what is not in the catalogue."""
    kind: Mapped[MaterialKind]
    name: Mapped[str]
    lot: Mapped[str] = mapped_column(default="", index=True)
    amount: Mapped[Decimal]
    unit: Mapped[str]
    given_at: Mapped[datetime]
    given_by: Mapped[str]
    taken_back_at: Mapped[datetime | None]
    """When the entry was found to be wrong."""


class Quantity(enum.StrEnum):
    ctdi_vol = "ctdi_vol"
    dlp = "dlp"
    dose_area_product = "dose_area_product"
    fluoroscopy_time = "fluoroscopy_time"
    glandular_dose = "glandular_dose"
    activity = "activity"


UNITS = {
    Quantity.ctdi_vol: "mGy",
    Quantity.dlp: "mGy·cm",
    Quantity.dose_area_product: "Gy·cm²",
    Quantity.fluoroscopy_time: "s",
    Quantity.glandular_dose: "mGy",
    Quantity.activity: "MBq",
}


class Dose(Base):
    """One quantity of radiation of an exam, in the unit of `UNITS`; a correction replaces it."""

    __tablename__ = "dose"

    performed_id: Mapped[int] = mapped_column(references("performed_procedure_step.id"), primary_key=True)
    quantity: Mapped[Quantity] = mapped_column(primary_key=True)
    value: Mapped[Decimal]
    recorded_by: Mapped[str]


class ConsentForm(enum.StrEnum):
    written = "written"
    spoken = "spoken"


class Consent(Base):
    """That somebody has agreed to an exam; one that is withdrawn stays on record."""

    __tablename__ = "consent"

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), index=True)
    form: Mapped[ConsentForm]
    given_by: Mapped[str]
    """The patient, or who decides for the patient."""
    given_at: Mapped[datetime]
    taken_by: Mapped[str]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str] = mapped_column(default="")
