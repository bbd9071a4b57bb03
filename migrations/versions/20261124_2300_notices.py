"""Messages to patients, what they say, and who wants none"""

import sqlalchemy as sa
from alembic import op

revision = "ee8e4f2c6697"
down_revision = "4f8b1c6d2e97"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IN_USE = {"sqlite_where": sa.text("email <> ''"), "postgresql_where": sa.text("email <> ''")}
IN_FORCE = {"sqlite_where": sa.text("lifted_at IS NULL"), "postgresql_where": sa.text("lifted_at IS NULL")}


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _kind() -> sa.Column[str]:
    return sa.Column("kind", _words("noticekind", "confirmation", "change", "cancellation", "reminder"), nullable=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moments(**nullable: bool) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=is_nullable) for name, is_nullable in nullable.items()]


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, deferrable=True, initially="DEFERRED")


def upgrade() -> None:
    op.create_index("ix_patient_email", "patient", ["email"], **IN_USE)
    op.create_table(
        "mail_policy",
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        *_texts("sender", "sender_name", "reply_to", "phone", "place", "language"),
        sa.Column("needs_consent", sa.Boolean(), nullable=False),
        sa.Column("delay_minutes", sa.Integer(), nullable=False),
        sa.Column("reminder_hours", sa.JSON(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("0 <= delay_minutes", name=op.f("ck_mail_policy_delay_not_negative")),
        _refers("mail_policy", "site_id", "site"),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_mail_policy")),
    )
    op.create_table(
        "mail_text",
        sa.Column("id", KEY, nullable=False),
        _kind(),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *_texts("subject", "body", "written_by"),
        *_moments(written_at=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_text")),
        sa.UniqueConstraint("kind", "language", "number", name=op.f("uq_mail_text_kind_language_number")),
    )
    op.create_table(
        "mail_consent",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        *_moments(said_at=False),
        *_texts("taken_by"),
        _refers("mail_consent", "patient_id", "patient"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_consent")),
    )
    op.create_index(op.f("ix_mail_consent_patient_id"), "mail_consent", ["patient_id"])
    _create_notice()
    op.create_table(
        "mail_stop",
        sa.Column("id", KEY, nullable=False),
        *_texts("address"),
        sa.Column("source", _words("stopsource", "link", "mail_program", "desk"), nullable=False),
        sa.Column("notice_id", KEY, nullable=True),
        *_moments(stopped_at=False, lifted_at=True),
        *_texts("stopped_by", "lifted_by"),
        _refers("mail_stop", "notice_id", "notice"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_stop")),
    )
    op.create_index("uq_mail_stop_address", "mail_stop", ["address"], unique=True, **IN_FORCE)


def _create_notice() -> None:
    states = ("queued", "quiet", "sending", "sent", "refused", "returned", "opted_out", "not_sent")
    op.create_table(
        "notice",
        sa.Column("id", KEY, nullable=False),
        sa.Column("step_id", KEY, nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", KEY, nullable=False),
        _kind(),
        sa.Column("cancelled", sa.JSON(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=True),
        sa.Column("state", _words("noticestate", *states), nullable=False),
        *_moments(created_at=False, due_at=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_moments(tried_at=True, sent_at=True),
        *_texts("reason", "address", "language", "subject", "text"),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _refers("notice", "step_id", "scheduled_procedure_step"),
        _refers("notice", "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_step_id"), "notice", ["step_id"])
    op.create_index("ix_notice_booking_id", "notice", ["booking_id"])
    op.create_index("ix_notice_sent_at", "notice", ["sent_at"])
    op.create_index("ix_notice_state_due_at", "notice", ["state", "due_at"])


def downgrade() -> None:
    for table in ("mail_stop", "notice", "mail_consent", "mail_text", "mail_policy"):
        op.drop_table(table)
    op.drop_index("ix_patient_email", "patient")
