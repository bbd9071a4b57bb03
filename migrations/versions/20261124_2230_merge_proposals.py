"""Merges that are proposed"""

import sqlalchemy as sa
from alembic import op

revision = "5b7e20d9c4f1"
down_revision = "6a0d5ec17b92"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "merge_proposal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("one_id", KEY, nullable=False),
        sa.Column("other_id", KEY, nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.Column("told_apart_at", MOMENT, nullable=True),
        sa.Column("told_apart_by", sa.Text(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [column], ["patient.id"], name=op.f(f"fk_merge_proposal_{column}_patient"), deferrable=True, initially="DEFERRED"
            )
            for column in ("one_id", "other_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge_proposal")),
        sa.UniqueConstraint("one_id", "other_id", name=op.f("uq_merge_proposal_one_id_other_id")),
    )
    op.create_index(op.f("ix_merge_proposal_other_id"), "merge_proposal", ["other_id"])
    op.create_table(
        "duplicate_search",
        sa.Column("id", KEY, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_search")),
    )


def downgrade() -> None:
    op.drop_table("duplicate_search")
    op.drop_table("merge_proposal")
