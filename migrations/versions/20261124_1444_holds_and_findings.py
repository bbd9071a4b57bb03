"""Orders on hold, copies and parents of orders, allergies and findings of patients"""

import sqlalchemy as sa
from alembic import op

revision = "bd6336fb215f"
down_revision = "eb8568faa4ba"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allergy",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("reaction", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_allergy_partner_id_partner"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_allergy_patient_id_patient"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allergy")),
    )
    op.create_index(op.f("ix_allergy_patient_id"), "allergy", ["patient_id"])
    op.create_table(
        "observation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "weight",
                "height",
                "pregnancy",
                "creatinine",
                "egfr",
                name="observationkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_observation_partner_id_partner"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_observation_patient_id_patient"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
    )
    op.create_index(op.f("ix_observation_patient_id"), "observation", ["patient_id"])
    # What stands there already says nothing of these.
    for name in ("copies_to", "parent_number", "held_reason"):
        op.add_column("imaging_order", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("imaging_order", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("visit", sa.Column("ambulatory_status", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("visit", "ambulatory_status")
    for name in ("held_at", "held_reason", "parent_number", "copies_to"):
        op.drop_column("imaging_order", name)
    op.drop_table("observation")
    op.drop_table("allergy")
