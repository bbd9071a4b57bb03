"""Protocol codes, the protocol of an exam, and which procedures need one"""

import sqlalchemy as sa
from alembic import op

revision = "7d19c5be04f8"
down_revision = "e84d1b7c5f20"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
GRANTED = (("radiologist", "protocol:propose"), ("radiologist", "protocol:approve"))


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _key_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), initially="DEFERRED", deferrable=True
    )


def upgrade() -> None:
    op.create_table(
        "protocol_code",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("modality", _choice("modality", "CT", "MR", "US", "DX", "MG", "NM"), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protocol_code")),
        sa.UniqueConstraint("code", name=op.f("uq_protocol_code_code")),
    )
    op.create_table(
        "exam_protocol",
        sa.Column("id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("status", _choice("protocolstatus", "pending", "proposed", "approved", "rejected", "cancelled"), nullable=False),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column("urgency", _choice("urgency", "immediate", "urgent", "soon", "elective"), nullable=False),
        sa.Column("target_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by_id", KEY, nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("proposed_by_id", KEY, nullable=True),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("remark_by", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _key_to("exam_protocol", "procedure_id", "requested_procedure"),
        _key_to("exam_protocol", "claimed_by_id", "user_account"),
        _key_to("exam_protocol", "proposed_by_id", "user_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exam_protocol")),
        sa.UniqueConstraint("procedure_id", name=op.f("uq_exam_protocol_procedure_id")),
    )
    op.add_column("procedure", sa.Column("needs_protocol", sa.Boolean(), nullable=False, server_default=sa.false()))
    granting = sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, :permission FROM role WHERE code = :role")
    for role, permission in GRANTED:
        op.execute(granting.bindparams(sa.bindparam("permission", permission, sa.Text()), role=role))


def downgrade() -> None:
    for _, permission in GRANTED:
        op.execute(sa.text("DELETE FROM role_permission WHERE permission = :permission").bindparams(permission=permission))
    op.drop_column("procedure", "needs_protocol")
    op.drop_table("exam_protocol")
    op.drop_table("protocol_code")
