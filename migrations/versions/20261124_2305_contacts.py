"""Whom to call about a patient, and how to reach the patient"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "e8c35a17f04d"
down_revision = "4f0a7d2c9b16"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAYS = ("phone", "other_phone", "email", "post")


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("patient") as batch_op:
        batch_op.add_column(sa.Column("other_phone", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(
            sa.Column("reached_by", sa.Enum(*WAYS, name="reachedby", native_enum=False, create_constraint=True, length=32), nullable=True)
        )
    with keeping_triggers(), op.batch_alter_table("patient") as batch_op:
        batch_op.alter_column("other_phone", server_default=None)
    op.create_table(
        "patient_contact",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "relation", "phone", "other_phone", "email")),
        sa.Column("is_guardian", sa.Boolean(), nullable=False),
        sa.Column("is_called_first", sa.Boolean(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_patient_contact_patient_id_patient"), deferrable=True, initially="DEFERRED"
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_patient_contact_partner_id_partner"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_contact")),
    )
    op.create_index(op.f("ix_patient_contact_patient_id"), "patient_contact", ["patient_id"])


def downgrade() -> None:
    op.drop_table("patient_contact")
    with keeping_triggers(), op.batch_alter_table("patient") as batch_op:
        batch_op.drop_constraint("reachedby", type_="check")
        batch_op.drop_column("reached_by")
        batch_op.drop_column("other_phone")
