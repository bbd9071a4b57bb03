"""Replays, and indexes for figures by time"""

import sqlalchemy as sa
from alembic import op

revision = "eb8568faa4ba"
down_revision = "7d20c4f1b6e3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replay_batch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay_batch")),
    )
    op.create_table(
        "replay",
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("origin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_replay_message_id_message"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["origin_id"], ["message.id"], name=op.f("fk_replay_origin_id_message"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["message.id"], name=op.f("fk_replay_source_id_message"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_replay")),
    )
    op.create_index("ix_replay_origin_id", "replay", ["origin_id"])
    op.create_index(
        "uq_replay_applied",
        "replay",
        ["origin_id"],
        unique=True,
        sqlite_where=sa.text("is_applied"),
        postgresql_where=sa.text("is_applied"),
    )
    op.create_table(
        "replay_item",
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("replay_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["replay_batch.id"], name=op.f("fk_replay_item_batch_id_replay_batch"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_replay_item_message_id_message"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["replay_id"], ["message.id"], name=op.f("fk_replay_item_replay_id_message"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("batch_id", "message_id", name=op.f("pk_replay_item")),
    )
    op.create_index(op.f("ix_attempt_at"), "attempt", ["at"])
    op.create_index("ix_message_partner_id_direction_at_state", "message", ["partner_id", "direction", "at", "state"])


def downgrade() -> None:
    op.drop_index("ix_message_partner_id_direction_at_state")
    op.drop_index("ix_attempt_at")
    op.drop_table("replay_item")
    op.drop_table("replay")
    op.drop_table("replay_batch")
