"""Alerts of patients"""

import sqlalchemy as sa
from alembic import op

revision = "2c8e51b7d4f6"
down_revision = "7d19c5be04f8"
branch_labels = None
depends_on = None

KINDS = ("language", "isolation", "fall_risk", "vip", "other")


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "patient_alert",
        sa.Column("id", key, nullable=False),
        sa.Column("patient_id", key, nullable=False),
        sa.Column("kind", sa.Enum(*KINDS, name="alertkind", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_patient_alert_patient_id_patient"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_alert")),
    )
    op.create_index(op.f("ix_patient_alert_patient_id"), "patient_alert", ["patient_id"])


def downgrade() -> None:
    op.drop_table("patient_alert")
