"""Tables of critical results: their classes, who was told, who is on call, and each step of the escalation."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.ids import new_id
from ris.base.orm import Base, Key, Versioned, index_where_set, references
from ris.critical.status import CriticalStatus, Outcome, Unit, Way, Whom
from ris.notice.status import NoticeState


class CriticalClass(Versioned, Base):
    """A kind of finding that somebody must be told of, within a time that begins when it is seen."""

    __tablename__ = "critical_class"
    __table_args__ = (sa.CheckConstraint("1 <= within", "within_positive"),)

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    within: Mapped[int] = mapped_column(sa.Integer)
    unit: Mapped[Unit]
    whom: Mapped[Whom]
    needs_detail: Mapped[bool]
    """Whether it says in words what was found."""
    needs_number: Mapped[bool]
    """Whether the telephone number or the place at which somebody was told is written down."""
    needs_read_back: Mapped[bool]
    """Whether it is closed only when the other has said back what was understood."""
    before_signing: Mapped[bool]
    """Whether the report is signed only when somebody was told."""
    active: Mapped[bool] = mapped_column(default=True)

    @property
    def limit(self) -> timedelta:
        return timedelta(**{self.unit.value: self.within})


class OnCallList(Versioned, Base):
    """A duty of the house, such as the neuroradiologist on call; who has it when is said for each site."""

    __tablename__ = "on_call_list"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class OnCallShift(Base):
    """That somebody has a duty at a site for a time. Taken back by deleting it; the trail keeps it."""

    __tablename__ = "on_call_shift"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", "starts_before_ends"),
        sa.Index("ix_on_call_shift_site_id_ends_at", "site_id", "ends_at"),
    )

    id: Mapped[Key]
    on_call_list_id: Mapped[int] = mapped_column(references("on_call_list.id"))
    site_id: Mapped[int] = mapped_column(references("site.id"))
    user_id: Mapped[int] = mapped_column(references("user_account.id"))
    reach: Mapped[str]
    """Telephone or pager of the duty."""
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class EscalationStep(Versioned, Base):
    """Whom a class fetches when its time has run out and nobody was told; counted from 1."""

    __tablename__ = "escalation_step"
    __table_args__ = (sa.CheckConstraint("0 <= after_minutes", "after_not_negative"),)

    critical_class_id: Mapped[int] = mapped_column(references("critical_class.id"), primary_key=True)
    step: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    id: Mapped[int] = mapped_column(unique=True, default=new_id)
    after_minutes: Mapped[int] = mapped_column(sa.Integer)
    """After the limit has passed."""
    on_call_list_id: Mapped[int] = mapped_column(references("on_call_list.id"))
    active: Mapped[bool] = mapped_column(default=True)


class CriticalResult(Versioned, Base):
    """A finding in a report that somebody must be told of. The patient is that of the report's order."""

    __tablename__ = "critical_result"
    __table_args__ = (index_where_set("ix_critical_result_escalate_at", "escalate_at"),)

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(references("report.id"), index=True)
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"))
    site_id: Mapped[int] = mapped_column(references("site.id"))
    critical_class_id: Mapped[int] = mapped_column(references("critical_class.id"))
    detail: Mapped[str]
    status: Mapped[CriticalStatus] = mapped_column(index=True)
    flagged_by_id: Mapped[int] = mapped_column(references("user_account.id"))
    flagged_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """Until when somebody must be told."""
    escalate_at: Mapped[datetime | None]
    """When the next step of its escalation is due; None while none is."""
    escalated: Mapped[int] = mapped_column(sa.Integer, default=-1)
    """The last step that was taken; 0 is the limit itself, -1 none."""
    version_id: Mapped[int | None] = mapped_column(references("report_version.id"))
    """The newest signed version that says it; None while the report is not signed."""
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(default="")
    end_reason: Mapped[str] = mapped_column(default="")


class CriticalCall(Base):
    """One try to tell somebody, whatever came of it. Insert-only."""

    __tablename__ = "critical_call"

    id: Mapped[Key]
    critical_result_id: Mapped[int] = mapped_column(references("critical_result.id"), index=True)
    at: Mapped[datetime]
    teller: Mapped[str]
    """Who told; as a rule who wrote it down."""
    receiver: Mapped[str]
    number: Mapped[str]
    """Telephone number or place."""
    way: Mapped[Way]
    outcome: Mapped[Outcome]
    note: Mapped[str]
    written_by_id: Mapped[int] = mapped_column(references("user_account.id"))
    written_at: Mapped[datetime]


class CriticalEscalation(Base):
    """That a step of an escalation was taken: once, whoever ran it and how often. Insert-only."""

    __tablename__ = "critical_escalation"

    critical_result_id: Mapped[int] = mapped_column(references("critical_result.id"), primary_key=True)
    step: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    """0: the limit has passed; from 1 the steps of the class."""
    at: Mapped[datetime]
    duty: Mapped[str]
    """Name of the on-call list; empty for the limit itself."""
    fetched: Mapped[list[str]]
    """Names of those who were written to."""


class CriticalMail(Base):
    """An e-mail to somebody whom a step of an escalation fetches. It names no patient and no exam."""

    __tablename__ = "critical_mail"
    __table_args__ = (
        sa.UniqueConstraint("critical_result_id", "step", "user_id"),
        sa.Index("ix_critical_mail_state_due_at", "state", "due_at"),
    )

    id: Mapped[Key]
    critical_result_id: Mapped[int] = mapped_column(references("critical_result.id"))
    step: Mapped[int] = mapped_column(sa.Integer)
    user_id: Mapped[int] = mapped_column(references("user_account.id"))
    state: Mapped[NoticeState]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    tried_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(default="")
    """As it left."""
    reason: Mapped[str] = mapped_column(default="")
    """The mail server's answer, or why it was not sent."""
