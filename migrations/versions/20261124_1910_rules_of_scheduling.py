"""Rules that a booking is held to, and the reasons given against them"""

import sqlalchemy as sa
from alembic import op

revision = "5b8e2d9c1a47"
down_revision = "3f1c9a7e5d20"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SEVERITY = sa.Enum("off", "warn", "block", name="severity", native_enum=False, create_constraint=True, length=32)


def _key_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), initially="DEFERRED", deferrable=True
    )


def upgrade() -> None:
    op.create_table(
        "scheduling_rule",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("site_id", KEY, nullable=True),
        sa.Column("severity", SEVERITY, nullable=False),
        sa.Column("override", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _key_to("scheduling_rule", "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduling_rule")),
        sa.UniqueConstraint("name", name=op.f("uq_scheduling_rule_name")),
    )
    op.create_table(
        "rule_answer",
        sa.Column("id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("step_id", KEY, nullable=True),
        sa.Column("rule_id", KEY, nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("severity", SEVERITY, nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        _key_to("rule_answer", "procedure_id", "requested_procedure"),
        _key_to("rule_answer", "step_id", "scheduled_procedure_step"),
        _key_to("rule_answer", "rule_id", "scheduling_rule"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_answer")),
        sa.UniqueConstraint("procedure_id", "key", name=op.f("uq_rule_answer_procedure_id_key")),
    )
    op.create_index(op.f("ix_rule_answer_rule_id"), "rule_answer", ["rule_id"])


def downgrade() -> None:
    op.drop_table("rule_answer")
    op.drop_table("scheduling_rule")
