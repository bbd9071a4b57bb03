"""Tables of messages to patients, of what they say, and of who wants none."""

import enum
from datetime import datetime, time

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references
from ris.notice.status import NoticeState


class NoticeKind(enum.StrEnum):
    confirmation = "confirmation"
    change = "change"
    cancellation = "cancellation"
    reminder = "reminder"


class Notice(Versioned, Base):
    """One e-mail about what was booked in one action. It says what is true when it leaves, and from then on keeps what it said."""

    __tablename__ = "notice"
    __table_args__ = (
        sa.Index("ix_notice_state_due_at", "state", "due_at"),
        sa.Index("ix_notice_booking_id", "booking_id"),
        sa.Index("ix_notice_sent_at", "sent_at"),
    )

    id: Mapped[Key]
    step_id: Mapped[int] = mapped_column(references("scheduled_procedure_step.id"), index=True)
    """The appointment that it was made for; the patient is that of its order."""
    booking_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    """What was booked with that appointment, which the message tells too."""
    site_id: Mapped[int] = mapped_column(references("site.id"))
    kind: Mapped[NoticeKind]
    cancelled: Mapped[list[int]] = mapped_column(sa.JSON)
    """Of a cancellation: which appointments it takes back."""
    hours: Mapped[int | None] = mapped_column(sa.Integer)
    """Of a reminder: so long before the appointment."""
    state: Mapped[NoticeState]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """It leaves no earlier."""
    series: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Rises when a person sends it once more: it is then a message of its own, with a Message-ID of its own."""
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    tried_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    """The mail server's answer, or why it was not sent."""
    address: Mapped[str] = mapped_column(default="")
    """This and what follows as it left."""
    language: Mapped[str] = mapped_column(default="")
    subject: Mapped[str] = mapped_column(default="")
    text: Mapped[str] = mapped_column(default="")


class MailPolicy(Versioned, Base):
    """How a site writes to its patients; a site without a row writes nothing."""

    __tablename__ = "mail_policy"
    __table_args__ = (sa.CheckConstraint("0 <= delay_minutes", "delay_not_negative"),)

    site_id: Mapped[int] = mapped_column(references("site.id"), primary_key=True)
    active: Mapped[bool]
    sender: Mapped[str]
    """The address in From."""
    sender_name: Mapped[str]
    reply_to: Mapped[str]
    """Empty: answers go to the sender."""
    phone: Mapped[str]
    place: Mapped[str]
    """Where to come to, as it stands in the message and in the calendar."""
    language: Mapped[str]
    """ISO 639-1, for patients whose language is not known or has no text."""
    needs_consent: Mapped[bool]
    delay_minutes: Mapped[int] = mapped_column(sa.Integer)
    """A confirmation, a change or a cancellation waits so long, so that a slip of the hand is mended before anybody is told."""
    reminder_hours: Mapped[list[int]] = mapped_column(sa.JSON)
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    """By the site's wall clock; both or neither."""


class MailText(Base):
    """A version of what a kind of message says in a language. Insert-only; the highest number holds, 0 is the packaged text."""

    __tablename__ = "mail_text"
    __table_args__ = (sa.UniqueConstraint("kind", "language", "number"),)

    id: Mapped[Key]
    kind: Mapped[NoticeKind]
    language: Mapped[str]
    number: Mapped[int] = mapped_column(sa.Integer)
    subject: Mapped[str]
    body: Mapped[str]
    written_by: Mapped[str]
    written_at: Mapped[datetime]


class MailConsent(Base):
    """That a patient wants e-mails, or wants none. Insert-only; the newest counts."""

    __tablename__ = "mail_consent"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    given: Mapped[bool]
    said_at: Mapped[datetime]
    taken_by: Mapped[str]


class StopSource(enum.StrEnum):
    link = "link"
    """The page behind the link in the message."""
    mail_program = "mail_program"
    """RFC 8058: the button of the mail program."""
    desk = "desk"


class MailFailure(Base):
    """That an address takes no mail: what went there came back. It is lifted when somebody says that it works, never deleted."""

    __tablename__ = "mail_failure"
    __table_args__ = (
        sa.Index("uq_mail_failure_address", "address", unique=True, sqlite_where=sa.text("lifted_at IS NULL"),
                 postgresql_where=sa.text("lifted_at IS NULL")),
    )  # fmt: skip

    id: Mapped[Key]
    address: Mapped[str]
    """In small letters."""
    notice_id: Mapped[int] = mapped_column(references("notice.id"))
    """The message that came back."""
    said: Mapped[str]
    """The status (RFC 3463) and what the mail server wrote."""
    failed_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(default="")


class MailStop(Base):
    """That nothing more goes to an address, whoever of the patients has it: its reader said so. It is lifted, never deleted."""

    __tablename__ = "mail_stop"
    __table_args__ = (
        sa.Index("uq_mail_stop_address", "address", unique=True, sqlite_where=sa.text("lifted_at IS NULL"),
                 postgresql_where=sa.text("lifted_at IS NULL")),
    )  # fmt: skip

    id: Mapped[Key]
    address: Mapped[str]
    """In small letters."""
    source: Mapped[StopSource]
    notice_id: Mapped[int | None] = mapped_column(references("notice.id"))
    """The message whose link was followed."""
    stopped_at: Mapped[datetime]
    stopped_by: Mapped[str]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(default="")
