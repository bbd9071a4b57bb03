"""Calls to patients about their orders"""

import sqlalchemy as sa
from alembic import op

revision = "a7c4f2e95d08"
down_revision = "c5e2f80b91d6"
branch_labels = None
depends_on = None

OUTCOMES = ("no_answer", "message_left", "reached", "declined")


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "call_attempt",
        sa.Column("id", key, nullable=False),
        sa.Column("order_id", key, nullable=False),
        sa.Column("outcome", sa.Enum(*OUTCOMES, name="calloutcome", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["imaging_order.id"], name=op.f("fk_call_attempt_order_id_imaging_order"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_attempt")),
    )
    op.create_index(op.f("ix_call_attempt_order_id"), "call_attempt", ["order_id"])


def downgrade() -> None:
    op.drop_table("call_attempt")
