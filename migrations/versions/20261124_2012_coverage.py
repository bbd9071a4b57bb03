"""Coverage, authorisations, and the exams that are done under them"""

import sqlalchemy as sa
from alembic import op

revision = "90d4c2ae6b18"
down_revision = "f2a90c4d7e61"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, deferrable=True, initially="DEFERRED")


def upgrade() -> None:
    op.create_table(
        "coverage",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("payer", "payer_code", "plan", "member_number", "group_number")),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _refers("coverage", "patient_id", "patient"),
        _refers("coverage", "partner_id", "partner"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage")),
    )
    op.create_index(op.f("ix_coverage_patient_id"), "coverage", ["patient_id"])
    op.create_table(
        "coverage_authorization",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("coverage_id", KEY, nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _refers("coverage_authorization", "patient_id", "patient"),
        _refers("coverage_authorization", "coverage_id", "coverage"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_authorization")),
    )
    op.create_index(op.f("ix_coverage_authorization_patient_id"), "coverage_authorization", ["patient_id"])
    op.create_table(
        "authorized_procedure",
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("authorization_id", KEY, nullable=False),
        _refers("authorized_procedure", "procedure_id", "requested_procedure"),
        _refers("authorized_procedure", "authorization_id", "coverage_authorization"),
        sa.PrimaryKeyConstraint("procedure_id", name=op.f("pk_authorized_procedure")),
    )
    op.create_index(op.f("ix_authorized_procedure_authorization_id"), "authorized_procedure", ["authorization_id"])


def downgrade() -> None:
    for table in ("authorized_procedure", "coverage_authorization", "coverage"):
        op.drop_table(table)
