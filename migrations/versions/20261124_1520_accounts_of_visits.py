"""Accounts of visits, and visits that were merged"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "a41d5e0c7b92"
down_revision = "8e41b7c0d25a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visit", sa.Column("account_key", sa.Text(), nullable=False, server_default=""))
    op.create_index(op.f("ix_visit_account_key"), "visit", ["account_key"])
    with keeping_triggers(), op.batch_alter_table("visit") as batch:
        batch.add_column(sa.Column("merged_into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch.create_foreign_key(
            op.f("fk_visit_merged_into_id_visit"), "visit", ["merged_into_id"], ["id"], deferrable=True, initially="DEFERRED"
        )
    op.create_index(op.f("ix_visit_merged_into_id"), "visit", ["merged_into_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_visit_merged_into_id"), "visit")
    with keeping_triggers(), op.batch_alter_table("visit") as batch:
        batch.drop_constraint(op.f("fk_visit_merged_into_id_visit"), type_="foreignkey")
        batch.drop_column("merged_into_id")
    op.drop_index(op.f("ix_visit_account_key"), "visit")
    op.drop_column("visit", "account_key")
