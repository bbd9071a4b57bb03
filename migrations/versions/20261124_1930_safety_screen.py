"""What patients said in a safety screen, and who may ask them"""

import sqlalchemy as sa
from alembic import op

revision = "e47d0c3a9b62"
down_revision = "8b2e64d0f713"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ASKING = ("scheduler", "front_desk", "technologist", "radiologist")


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "screening_answer",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("question", _choice("question", "implant", "pregnancy", "contrast_reaction"), nullable=False),
        sa.Column("answer", _choice("answer", "no", "yes", "conditional"), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_screening_answer_patient_id_patient"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening_answer")),
    )
    op.create_index(op.f("ix_screening_answer_patient_id"), "screening_answer", ["patient_id"])
    granting = sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, 'patient:screen' FROM role WHERE code = :role")
    for role in ASKING:
        op.execute(granting.bindparams(role=role))


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission = 'patient:screen'")
    op.drop_table("screening_answer")
