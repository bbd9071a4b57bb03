"""Tables of appointments and of what they occupy; the database itself refuses two in one place at one time."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references
from ris.scheduling.status import StepStatus


class ScheduledProcedureStep(Versioned, Base):
    """One piece of work in one room at one time."""

    __tablename__ = "scheduled_procedure_step"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", "starts_before_ends"),
        sa.Index("ix_scheduled_procedure_step_room_id_starts_at", "room_id", "starts_at"),
        sa.Index("ix_scheduled_procedure_step_site_id_starts_at", "site_id", "starts_at"),
        sa.Index("ix_scheduled_procedure_step_status_site_id", "status", "site_id"),
    )

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), index=True)
    site_id: Mapped[int] = mapped_column(references("site.id"))
    room_id: Mapped[int] = mapped_column(references("room.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[StepStatus]
    booked_by: Mapped[str]
    booked_at: Mapped[datetime]
    cancel_reason: Mapped[str] = mapped_column(default="")
    """Why it was cancelled, or what is known of why the patient did not come."""


class Occupancy(Base):
    """That a room or a patient is taken for a span, half open: [starts_at, ends_at).

    One exclusion constraint (SQLite: triggers) over resource, lane and span forbids overlap, without exceptions. Lane 0 is normal;
    what must overlap takes the next lane.
    """

    __tablename__ = "occupancy"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", "starts_before_ends"),
        sa.Index("ix_occupancy_resource_lane_starts_at", "resource", "lane", "starts_at"),
    )

    id: Mapped[Key]
    resource: Mapped[str]
    """room:<id> or patient:<id>."""
    lane: Mapped[int] = mapped_column(sa.Integer, default=0)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    step_id: Mapped[int] = mapped_column(references("scheduled_procedure_step.id"), index=True)
    patient_id: Mapped[int | None] = mapped_column(references("patient.id"), index=True)
    """Set on a patient's own row, so that a merge finds it."""
