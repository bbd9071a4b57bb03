"""Tables of reports: the draft may change, a signed version never does."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, index_where_set, references
from ris.order.status import Priority
from ris.report.status import Grade, Holding, ReportStatus, VersionKind

NOT_FINAL = sa.text("status NOT IN ('final', 'addended')")
"""Of a report, in words that an index of few rows is chosen by."""


class Report(Versioned, Base):
    """The words on one or several procedures of an order, and who is at them."""

    __tablename__ = "report"
    __table_args__ = (
        sa.Index("ix_report_not_final", "status", "drafted_by_id", sqlite_where=NOT_FINAL, postgresql_where=NOT_FINAL),
        index_where_set("ix_report_claimed_by_id", "claimed_by_id"),
    )

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(references("imaging_order.id"), index=True)
    status: Mapped[ReportStatus]
    draft_text: Mapped[str] = mapped_column(default="")
    draft_at: Mapped[datetime | None]
    claimed_by_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    claimed_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    """A claim that nobody renews ends by itself."""
    drafted_by_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    author_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    """Who submitted a reading that somebody else is to approve; nobody for a reading that its own reader signs."""
    supervisor_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    """Who is asked to approve it; None: anybody with the right."""
    submitted_at: Mapped[datetime | None]
    sent_back_by_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    sent_back_reason: Mapped[str] = mapped_column(default="", server_default="")


class ReportProcedure(Base):
    """A procedure has one report; a report covers one or several."""

    __tablename__ = "report_procedure"

    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), primary_key=True)
    report_id: Mapped[int] = mapped_column(references("report.id"), index=True)


class UnreadExam(Base):
    """That a completed exam has no final report yet, and whose it is: so the reading worklist costs what waits, not what was ever read.

    What the list is sorted and narrowed by stands here too, so that a page is found in an index of this small table.
    """

    __tablename__ = "unread_exam"
    __table_args__ = (
        sa.Index("ix_unread_exam_in_turn", "rank", "since", "procedure_id"),
        sa.Index("ix_unread_exam_in_turn_at_site", "site_id", "rank", "since", "procedure_id"),
        index_where_set("ix_unread_exam_held_by_id", "held_by_id"),
    )

    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), primary_key=True)
    site_id: Mapped[int] = mapped_column(references("site.id"))
    """The procedure's."""
    catalog_id: Mapped[int | None] = mapped_column(references("procedure.id"))
    """The kind of exam."""
    rank: Mapped[int] = mapped_column(sa.Integer)
    """Of the order's priority (`PRIORITY_RANK`)."""
    since: Mapped[datetime]
    """When the images were made."""
    held_by_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    """Whose it is to read; nobody's: anybody's."""
    holding: Mapped[Holding | None]
    held_at: Mapped[datetime | None]
    held_why: Mapped[str] = mapped_column(default="", server_default="")
    """Who or which rule gave it to that person, in words that are shown."""


class ReadingLevel(Versioned, Base):
    """How long an exam of a priority may wait for its report."""

    __tablename__ = "reading_level"
    __table_args__ = (sa.CheckConstraint("0 < soon_minutes AND soon_minutes < late_minutes", "soon_before_late"),)

    priority: Mapped[Priority] = mapped_column(primary_key=True)
    soon_minutes: Mapped[int] = mapped_column(sa.Integer)
    """After so many a reading is due soon."""
    late_minutes: Mapped[int] = mapped_column(sa.Integer)
    """After so many it is overdue."""


class ReportVersion(Base):
    """A signed text. Immutable, also for raw SQL; only `published_at` is set, once."""

    __tablename__ = "report_version"
    __table_args__ = (sa.UniqueConstraint("report_id", "number"),)

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(references("report.id"))
    number: Mapped[int] = mapped_column(sa.Integer)
    kind: Mapped[VersionKind]
    text: Mapped[str]
    """The whole report as it is to be read; an addendum's stands above the text that it adds to."""
    signer_id: Mapped[int] = mapped_column(references("user_account.id"))
    signer_name: Mapped[str]
    """As printed at the moment of signing."""
    meaning: Mapped[str]
    """21 CFR 11.50: what the signature says."""
    method: Mapped[str]
    """How the signer was known: password again, or the session alone."""
    signed_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(index=True)
    """SHA-256 over all that is signed (`versions.digest`)."""
    identifiers: Mapped[str]
    """Patient and exam as displayed to the signer."""
    publish_at: Mapped[datetime]
    published_at: Mapped[datetime | None] = mapped_column(index=True)


class ReportDiscrepancy(Base):
    """How far the final reading is from the preliminary one that it approves; one row for each approval, those without a change too."""

    __tablename__ = "report_discrepancy"

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(references("report.id"), index=True)
    preliminary_id: Mapped[int] = mapped_column(references("report_version.id"))
    final_id: Mapped[int] = mapped_column(references("report_version.id"), index=True)
    author_id: Mapped[int] = mapped_column(references("user_account.id"), index=True)
    reviewer_id: Mapped[int] = mapped_column(references("user_account.id"), index=True)
    grade: Mapped[Grade]
    comment: Mapped[str]
    at: Mapped[datetime]


class ReportWords(Base):
    """That a report can be found by the words of its newest standing version; they follow it in the transaction that changes it.

    On SQLite the words are in the virtual table `report_fts`, whose rowid is `place`.
    """

    __tablename__ = "report_words"

    place: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
    )  # fmt: skip
    """Rises with the time of the signature: the newest first is the order of the keys."""
    report_id: Mapped[int] = mapped_column(references("report.id"), unique=True)
    version_id: Mapped[int] = mapped_column(references("report_version.id"))
    site_id: Mapped[int] = mapped_column(references("site.id"))
    words: Mapped[str | None] = mapped_column(sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"))
    """PostgreSQL only, with a GIN index."""
