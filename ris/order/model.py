"""Tables of orders and requested procedures."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ris.base.orm import Base, Key, Versioned, index_where_set, references
from ris.order.status import OrderStatus, Priority, ProcedureStatus


class Order(Versioned, Base):
    """What the placer asked for: an imaging service request."""

    __tablename__ = "imaging_order"
    __table_args__ = (
        sa.Index("ix_imaging_order_held_until", "held_until", sqlite_where=sa.text("held_until IS NOT NULL"),
                 postgresql_where=sa.text("held_until IS NOT NULL")),
        index_where_set("ix_imaging_order_split_from_id", "split_from_id"),
        index_where_set("ix_imaging_order_replaces_id", "replaces_id"),
    )  # fmt: skip

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    visit_id: Mapped[int | None] = mapped_column(references("visit.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """Who placed it; None for one entered here."""
    site_id: Mapped[int] = mapped_column(references("site.id"))
    placer_key: Mapped[str | None] = mapped_column(unique=True)
    """Partner, namespace and placer number: one order only."""
    placer_number: Mapped[str] = mapped_column(default="")
    """ORC-2.1."""
    placer_namespace: Mapped[str] = mapped_column(default="")
    """ORC-2.2."""
    filler_number: Mapped[str] = mapped_column(unique=True)
    """ORC-3.1: ours."""
    status: Mapped[OrderStatus]
    priority: Mapped[Priority]
    """TQ1-9, ORC-7.6, OBR-27.6 or OBR-5."""
    requested_at: Mapped[datetime | None]
    """TQ1-7, ORC-7.4, OBR-27.4 or OBR-36."""
    placed_at: Mapped[datetime]
    """ORC-9, else when it arrived."""
    orderer_number: Mapped[str] = mapped_column(default="")
    """OBR-16.1 or ORC-12.1."""
    orderer_name: Mapped[str] = mapped_column(default="")
    callback: Mapped[str] = mapped_column(default="")
    """ORC-14."""
    reason: Mapped[str] = mapped_column(default="")
    """OBR-31."""
    clinical_information: Mapped[str] = mapped_column(default="")
    """OBR-13 and NTE."""
    danger: Mapped[str] = mapped_column(default="")
    """OBR-12."""
    transport: Mapped[str] = mapped_column(default="")
    """OBR-30."""
    diagnosis: Mapped[str] = mapped_column(default="")
    """DG1-3."""
    copies_to: Mapped[str] = mapped_column(default="")
    """OBR-28: who else gets the result, one name a line."""
    parent_number: Mapped[str] = mapped_column(default="")
    """ORC-8.1: the placer number of the order that this one was spawned from."""
    held_at: Mapped[datetime | None]
    """Since when nothing shall be done; None while it may be."""
    held_reason: Mapped[str] = mapped_column(default="")
    held_by: Mapped[str] = mapped_column(default="")
    """Who put it on hold: the name of a partner or of a person."""
    held_by_placer: Mapped[bool] = mapped_column(default=False)
    held_until: Mapped[datetime | None]
    """When the hold ends by itself; None for one that is released by somebody."""
    split_from_id: Mapped[int | None] = mapped_column(references("imaging_order.id"))
    """The order that the desk has made this one of."""
    replaces_id: Mapped[int | None] = mapped_column(references("imaging_order.id"))
    """The cancelled order that this one was placed instead of."""

    procedures: Mapped[list["RequestedProcedure"]] = relationship(
        back_populates="order", order_by="RequestedProcedure.sequence", lazy="selectin"
    )


class RequestedProcedure(Versioned, Base):
    """One procedure of an order: what the screen calls an exam."""

    __tablename__ = "requested_procedure"
    __table_args__ = (
        sa.Index("ix_requested_procedure_status_site", "status", "site_id"),
        sa.Index("ix_requested_procedure_unmapped", "partner_code", sqlite_where=sa.text("procedure_id IS NULL"),
                 postgresql_where=sa.text("procedure_id IS NULL")),
        index_where_set("ix_requested_procedure_combined_into_id", "combined_into_id"),
    )  # fmt: skip

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(references("imaging_order.id"), index=True)
    sequence: Mapped[int] = mapped_column(sa.Integer)
    site_id: Mapped[int] = mapped_column(references("site.id"))
    accession_number: Mapped[str] = mapped_column(unique=True)
    """(0008,0050), at most 16 characters."""
    study_instance_uid: Mapped[str] = mapped_column(unique=True)
    """(0020,000D): made once, never changed."""
    foreign_accession: Mapped[str] = mapped_column(default="")
    """A number that the sender brought."""
    procedure_id: Mapped[int | None] = mapped_column(references("procedure.id"))
    """None while the ordered code is not mapped."""
    partner_code: Mapped[str] = mapped_column(default="")
    """OBR-4.1 as it was sent."""
    partner_text: Mapped[str] = mapped_column(default="")
    partner_system: Mapped[str] = mapped_column(default="")
    laterality: Mapped[str] = mapped_column(default="")
    status: Mapped[ProcedureStatus]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str] = mapped_column(default="")
    """Why it was cancelled or discontinued."""
    changed_at: Mapped[datetime | None]
    """Since when the desk has it as another exam than was asked for; None for one that is as asked."""
    asked_procedure_id: Mapped[int | None] = mapped_column(references("procedure.id"))
    """Of a changed exam what was asked for; None where that was not in our catalogue."""
    asked_laterality: Mapped[str] = mapped_column(default="")
    combined_into_id: Mapped[int | None] = mapped_column(references("requested_procedure.id"))
    """The exam that answers this cancelled one's question too."""

    order: Mapped[Order] = relationship(back_populates="procedures", lazy="joined", innerjoin=True)


class AuthorizedProcedure(Base):
    """That an exam is done under an authorisation; it uses one unit of it until the exam is cancelled."""

    __tablename__ = "authorized_procedure"

    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), primary_key=True, autoincrement=False)
    authorization_id: Mapped[int] = mapped_column(references("coverage_authorization.id"), index=True)


class DocumentKind(enum.StrEnum):
    requisition = "requisition"
    consent = "consent"
    outside_report = "outside_report"
    other = "other"


class OrderDocument(Base):
    """A paper that belongs to an order; it is taken out, never deleted. Its content stands apart, so that a list need not read it."""

    __tablename__ = "order_document"

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(references("imaging_order.id"), index=True)
    kind: Mapped[DocumentKind]
    name: Mapped[str]
    """As the file was called, made harmless."""
    media_type: Mapped[str]
    size: Mapped[int]
    """Bytes."""
    sha256: Mapped[str]
    added_by: Mapped[str]
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[str]
    removed_reason: Mapped[str]


class DocumentContent(Base):
    __tablename__ = "document_content"

    document_id: Mapped[int] = mapped_column(references("order_document.id"), primary_key=True, autoincrement=False)
    content: Mapped[bytes]


class CallOutcome(enum.StrEnum):
    no_answer = "no_answer"
    message_left = "message_left"
    reached = "reached"
    declined = "declined"


class CallAttempt(Base):
    """That somebody called a patient about an order."""

    __tablename__ = "call_attempt"

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(references("imaging_order.id"), index=True)
    outcome: Mapped[CallOutcome]
    note: Mapped[str]
    at: Mapped[datetime]
    called_by: Mapped[str]
