"""Tables of appointments and of what they occupy; the database itself refuses two in one place at one time."""

import enum
from datetime import datetime, time
from typing import Any

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
    number: Mapped[int] = mapped_column(sa.Integer, default=1)
    """Which of the steps of the procedure's plan it is."""
    name: Mapped[str] = mapped_column(default="")
    """What the plan calls it; empty for the only step of a procedure."""
    booking_id: Mapped[int | None] = mapped_column(sa.BigInteger, index=True)
    """One number for all that was booked in one action."""
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    staff_sex: Mapped[str] = mapped_column(default="")
    """F or M (table 0001) where the patient asked who is in the room."""
    with_anaesthesia: Mapped[bool] = mapped_column(default=False)
    overbook_reason: Mapped[str] = mapped_column(default="")
    """Why it stands where something else stands already; empty for all others."""
    status: Mapped[StepStatus]
    booked_by: Mapped[str]
    booked_at: Mapped[datetime]
    cancel_reason: Mapped[str] = mapped_column(default="")
    """Why it was cancelled, or what is known of why the patient did not come."""


class Occupancy(Base):
    """That a room, a machine, a person or a patient is taken for a span, half open: [starts_at, ends_at).

    One exclusion constraint (SQLite: triggers) over resource, lane and span forbids overlap, without exceptions. Lane 0 is normal;
    what must overlap takes the next lane. It belongs to an appointment, or for some minutes to whoever has a form open.
    """

    __tablename__ = "occupancy"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", "starts_before_ends"),
        sa.CheckConstraint("(step_id IS NULL) <> (hold_id IS NULL)", "booked_or_held"),
        sa.Index("ix_occupancy_resource_lane_starts_at", "resource", "lane", "starts_at"),
    )

    id: Mapped[Key]
    resource: Mapped[str]
    """room:<id>, equipment:<id>, person:<id> or patient:<id>."""
    lane: Mapped[int] = mapped_column(sa.Integer, default=0)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    step_id: Mapped[int | None] = mapped_column(references("scheduled_procedure_step.id"), index=True)
    hold_id: Mapped[int | None] = mapped_column(references("slot_hold.id"), index=True)
    patient_id: Mapped[int | None] = mapped_column(references("patient.id"), index=True)
    """Set on a patient's own row, so that a merge finds it."""


class SlotHold(Base):
    """That somebody has a form open: its places are theirs until a moment, and anybody's after it."""

    __tablename__ = "slot_hold"

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"))
    user_id: Mapped[int] = mapped_column(sa.BigInteger)
    user_name: Mapped[str]
    held_until: Mapped[datetime]
    places: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    """What is to be booked: the fields of `ris.scheduling.places.Place` each."""
    staff_sex: Mapped[str] = mapped_column(default="")
    with_anaesthesia: Mapped[bool] = mapped_column(default=False)


class WaitState(enum.StrEnum):
    waiting = "waiting"
    done = "done"
    withdrawn = "withdrawn"


class WaitlistEntry(Versioned, Base):
    """That an exam is wanted earlier than it is planned, or as soon as there is room."""

    __tablename__ = "waitlist_entry"
    __table_args__ = (
        sa.Index("uq_waitlist_entry_waiting", "procedure_id", unique=True, sqlite_where=sa.text("state = 'waiting'"),
                 postgresql_where=sa.text("state = 'waiting'")),
        sa.Index("ix_waitlist_entry_site_id_state", "site_id", "state"),
    )  # fmt: skip

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"))
    site_id: Mapped[int] = mapped_column(references("site.id"))
    not_before: Mapped[time | None]
    not_after: Mapped[time | None]
    """Bounds of the start by the site's wall clock."""
    notice_minutes: Mapped[int] = mapped_column(sa.Integer)
    """What the patient needs to come."""
    note: Mapped[str]
    state: Mapped[WaitState]
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class ProposalState(enum.StrEnum):
    open = "open"
    accepted = "accepted"
    declined = "declined"


class Proposal(Versioned, Base):
    """A place that came free, proposed to one who waits."""

    __tablename__ = "waitlist_proposal"

    id: Mapped[Key]
    entry_id: Mapped[int] = mapped_column(references("waitlist_entry.id"), index=True)
    room_id: Mapped[int] = mapped_column(references("room.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    """The place that came free; what is proposed may use a part of it."""
    places: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    """The exam's steps there: the fields of `ris.scheduling.places.Place` each."""
    state: Mapped[ProposalState]
    made_at: Mapped[datetime]
    decided_by: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]


class BookingPolicy(Versioned, Base):
    """How a site books; the columns are those of `ris.scheduling.facts.Policy`, whose defaults hold for a site without a row."""

    __tablename__ = "booking_policy"

    site_id: Mapped[int] = mapped_column(references("site.id"), primary_key=True)
    room_change_minutes: Mapped[int] = mapped_column(sa.Integer)
    site_change_minutes: Mapped[int] = mapped_column(sa.Integer)
    combine_within_minutes: Mapped[int] = mapped_column(sa.Integer)
    hides_useless_gaps: Mapped[bool]
    hold_seconds: Mapped[int] = mapped_column(sa.Integer)
    overbooked_at_once: Mapped[int] = mapped_column(sa.Integer)
