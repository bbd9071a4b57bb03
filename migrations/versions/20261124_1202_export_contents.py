"""Export contents"""

import sqlalchemy as sa
from alembic import op

revision = "004ba5550077"
down_revision = "5b1d0c7a2e90"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "export_content",
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["export_batch.id"], name=op.f("fk_export_content_batch_id_export_batch"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_export_content")),
    )


def downgrade() -> None:
    op.drop_table("export_content")
