"""Reports that were written before or elsewhere"""

import sqlalchemy as sa
from alembic import op

revision = "4f8b1c6d2e97"
down_revision = "e41c7b90d2a6"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXTS = ("source", "number", "procedure", "modality", "region", "author", "study_instance_uid", "text", "kept_by")


def upgrade() -> None:
    op.create_table(
        "outside_report",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        sa.Column("study_date", sa.Date(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_outside_report_patient_id_patient"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_report")),
        sa.UniqueConstraint("key", name=op.f("uq_outside_report_key")),
    )
    op.create_index(op.f("ix_outside_report_patient_id"), "outside_report", ["patient_id"])


def downgrade() -> None:
    op.drop_table("outside_report")
