"""When the last downtime packet was written"""

import sqlalchemy as sa
from alembic import op

revision = "c7d30f5be814"
down_revision = "d5b1f08c7a26"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "downtime_packet",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_downtime_packet_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_downtime_packet")),
    )


def downgrade() -> None:
    op.drop_table("downtime_packet")
