"""Tables of arrivals and performed procedure steps."""

import enum
from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


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
    status: Mapped[PerformedStatus]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    discontinued_reason: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    """For the radiologist."""
