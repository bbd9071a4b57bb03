"""Which procedures need consent, and who has given it"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "a93e5d17c0b4"
down_revision = "a7c4f2e95d08"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FORM = sa.Enum("written", "spoken", name="consentform", native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("procedure") as batch_op:
        batch_op.add_column(sa.Column("needs_consent", sa.Boolean(), nullable=False, server_default=sa.false()))
    with keeping_triggers(), op.batch_alter_table("procedure") as batch_op:
        batch_op.alter_column("needs_consent", server_default=None)
    op.create_table(
        "consent",
        sa.Column("id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("form", FORM, nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["requested_procedure.id"], name=op.f("fk_consent_procedure_id_requested_procedure"),
            initially="DEFERRED", deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )  # fmt: skip
    op.create_index("ix_consent_procedure_id", "consent", ["procedure_id"])


def downgrade() -> None:
    op.drop_table("consent")
    with keeping_triggers(), op.batch_alter_table("procedure") as batch_op:
        batch_op.drop_column("needs_consent")
