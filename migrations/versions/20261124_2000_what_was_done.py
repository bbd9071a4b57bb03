"""What was checked, given and measured in an exam, and its interruptions"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "e84d1b7c5f20"
down_revision = "6d1f80c3b72a"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


KIND = _one_of("materialkind", "contrast", "medication", "tracer", "supply")


def _key_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), initially="DEFERRED", deferrable=True
    )


def upgrade() -> None:
    _materials()
    _done()
    with keeping_triggers(), op.batch_alter_table("performed_procedure_step") as batch_op:
        batch_op.add_column(sa.Column("paused_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("paused_seconds", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("undone_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("image_count", sa.Integer(), nullable=True))
    with keeping_triggers(), op.batch_alter_table("performed_procedure_step") as batch_op:
        batch_op.alter_column("paused_seconds", server_default=None)
    with keeping_triggers(), op.batch_alter_table("allergy") as batch_op:
        batch_op.alter_column("partner_id", existing_type=KEY, nullable=True)


def _materials() -> None:
    op.create_table(
        "material",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("charge_code", sa.Text(), nullable=False),
        sa.Column("charge_amount", sa.BigInteger(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_material")),
        sa.UniqueConstraint("code", name=op.f("uq_material_code")),
    )
    op.create_table(
        "given_material",
        sa.Column("id", KEY, nullable=False),
        sa.Column("performed_id", KEY, nullable=False),
        sa.Column("material_id", KEY, nullable=True),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("taken_back_at", MOMENT, nullable=True),
        _key_to("given_material", "performed_id", "performed_procedure_step"),
        _key_to("given_material", "material_id", "material"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_given_material")),
    )
    op.create_index("ix_given_material_performed_id", "given_material", ["performed_id"])
    op.create_index("ix_given_material_lot", "given_material", ["lot"])


def _done() -> None:
    op.create_table(
        "safety_check",
        sa.Column("id", KEY, nullable=False),
        sa.Column("performed_id", KEY, nullable=False),
        sa.Column("point", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("outcome", _one_of("checkoutcome", "known", "confirmed", "overridden"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _key_to("safety_check", "performed_id", "performed_procedure_step"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_safety_check")),
    )
    op.create_index("ix_safety_check_performed_id", "safety_check", ["performed_id"])
    quantities = ("ctdi_vol", "dlp", "dose_area_product", "fluoroscopy_time", "glandular_dose", "activity")
    op.create_table(
        "dose",
        sa.Column("performed_id", KEY, nullable=False),
        sa.Column("quantity", _one_of("quantity", *quantities), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        _key_to("dose", "performed_id", "performed_procedure_step"),
        sa.PrimaryKeyConstraint("performed_id", "quantity", name=op.f("pk_dose")),
    )


def downgrade() -> None:
    op.execute("DELETE FROM allergy WHERE partner_id IS NULL")
    with keeping_triggers(), op.batch_alter_table("allergy") as batch_op:
        batch_op.alter_column("partner_id", existing_type=KEY, nullable=False)
    with keeping_triggers(), op.batch_alter_table("performed_procedure_step") as batch_op:
        for column in ("paused_at", "paused_seconds", "undone_at", "image_count"):
            batch_op.drop_column(column)
    for table in ("dose", "safety_check", "given_material", "material"):
        op.drop_table(table)
