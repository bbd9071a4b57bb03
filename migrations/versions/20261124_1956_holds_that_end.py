"""Holds of orders that end by themselves"""

import sqlalchemy as sa
from alembic import op

revision = "6d1f80c3b72a"
down_revision = "b3f0c6d5719e"
branch_labels = None
depends_on = None

SET = sa.text("held_until IS NOT NULL")


def upgrade() -> None:
    op.add_column("imaging_order", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_imaging_order_held_until", "imaging_order", ["held_until"], sqlite_where=SET, postgresql_where=SET)


def downgrade() -> None:
    op.drop_index("ix_imaging_order_held_until", "imaging_order")
    op.drop_column("imaging_order", "held_until")
