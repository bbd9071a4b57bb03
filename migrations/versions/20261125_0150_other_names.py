"""Names that a patient is or was also known by"""

import sqlalchemy as sa
from alembic import op

revision = "a1c94e07d35b"
down_revision = "a3d84f60c1e7"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = ("former", "maiden", "birth", "alias", "nickname", "merged", "other")
BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SET = sa.text("family_last <> ''")


def upgrade() -> None:
    op.create_table(
        "patient_name",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("kind", sa.Enum(*KINDS, name="namekind", native_enum=False, create_constraint=True, length=32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("family", "given")),
        *(sa.Column(name, BY_CODE_POINT, nullable=False) for name in ("family_key", "given_key", "family_last", "sound")),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_patient_name_patient_id_patient"), deferrable=True, initially="DEFERRED"
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_patient_name_partner_id_partner"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_name")),
    )
    op.create_index(op.f("ix_patient_name_patient_id"), "patient_name", ["patient_id"])
    op.create_index("ix_patient_name_family_key", "patient_name", ["family_key", "given_key"])
    op.create_index("ix_patient_name_given_key", "patient_name", ["given_key"])
    op.create_index("ix_patient_name_sound", "patient_name", ["sound"])
    op.create_index("ix_patient_name_family_last", "patient_name", ["family_last", "given_key"], sqlite_where=SET, postgresql_where=SET)


def downgrade() -> None:
    op.drop_table("patient_name")
