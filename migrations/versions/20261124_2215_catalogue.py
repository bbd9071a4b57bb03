"""Reference data that people edit: versions of durations, steps and needs, preparation texts, order sets, reasons"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "b61d0c7e93fa"
down_revision = "d41f8a0c26be"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEYS = {
    "room_procedure": ("room_id", "procedure_id", "step"),
    "step_plan": ("procedure_id", "step"),
    "procedure_need": ("procedure_id", "step", "capability"),
}
REASONS = sa.Enum(
    "cancel", "no_show", "hold", "discontinue", "override", "overbook", name="reasonkind", native_enum=False, create_constraint=True,
    length=32,
)  # fmt: skip


def upgrade() -> None:
    for table, keys in KEYS.items():
        _add_version(table, keys)
    _add("room_procedure", sa.Column("set_up_minutes", sa.Integer(), nullable=False, server_default="0"))
    _add("room_procedure", sa.Column("clean_up_minutes", sa.Integer(), nullable=False, server_default="0"))
    _add("procedure", sa.Column("sided", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "preparation_text",
        sa.Column("id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_preparation_text_procedure_id_procedure"), deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preparation_text")),
        sa.UniqueConstraint("procedure_id", "language", name=op.f("uq_preparation_text_procedure_id_language")),
    )  # fmt: skip
    op.create_table(
        "order_set",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("procedures", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_set")),
        sa.UniqueConstraint("code", name=op.f("uq_order_set_code")),
    )
    op.create_table(
        "reason",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", REASONS, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("needs_text", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reason")),
        sa.UniqueConstraint("kind", "code", name=op.f("uq_reason_kind_code")),
    )
    op.execute(
        sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, 'catalog:manage' FROM role WHERE code = 'administrator'")
    )


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM role_permission WHERE permission = 'catalog:manage'"))
    for table in ("reason", "order_set", "preparation_text"):
        op.drop_table(table)
    _drop("procedure", "sided")
    _drop("room_procedure", "clean_up_minutes", "set_up_minutes")
    for table in KEYS:
        with keeping_triggers(), op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(f"uq_{table}_id", type_="unique")
            for column in ("active", "row_version", "id"):
                batch_op.drop_column(column)


def _add_version(table: str, keys: tuple[str, ...]) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        batch_op.add_column(sa.Column("id", sa.BigInteger(), nullable=True))
    _number(table, keys)
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        batch_op.alter_column("id", existing_type=sa.BigInteger(), nullable=False)
        batch_op.create_unique_constraint(f"uq_{table}_id", ["id"])
    _add(
        table,
        sa.Column("row_version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()),
    )


def _number(table: str, keys: tuple[str, ...]) -> None:
    """Small keys for the rows that are there: those that the program makes are far greater."""
    of = sa.table(table, sa.column("id"), *(sa.column(key) for key in keys))
    connection = op.get_bind()
    for number, row in enumerate(connection.execute(sa.select(*(of.c[key] for key in keys))).all(), start=1):
        is_it = sa.and_(*(of.c[key] == value for key, value in zip(keys, row, strict=True)))
        connection.execute(sa.update(of).where(is_it).values(id=number))


def _add(table: str, *columns: sa.Column[object]) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        for column in columns:
            batch_op.add_column(column)
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        for column in columns:
            batch_op.alter_column(column.name, server_default=None)


def _drop(table: str, *columns: str) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        for column in columns:
            batch_op.drop_column(column)
