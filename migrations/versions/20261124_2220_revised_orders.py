"""Orders that are split, replaced and combined, exams that are changed, and who holds an order"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "d5f0a86b3e19"
down_revision = "b61d0c7e93fa"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LINKS = (
    ("imaging_order", "split_from_id", "imaging_order"),
    ("imaging_order", "replaces_id", "imaging_order"),
    ("requested_procedure", "asked_procedure_id", "procedure"),
    ("requested_procedure", "combined_into_id", "requested_procedure"),
)
INDEXED = [(table, column) for table, column, _ in LINKS if column != "asked_procedure_id"]


def _link(batch: object, table: str, column: str, target: str) -> None:
    batch.add_column(sa.Column(column, KEY, nullable=True))
    name = op.f(f"fk_{table}_{column}_{target}")
    batch.create_foreign_key(name, target, [column], ["id"], deferrable=True, initially="DEFERRED")


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("imaging_order") as batch:
        for table, column, target in LINKS[:2]:
            _link(batch, table, column, target)
        batch.add_column(sa.Column("held_by", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("held_by_placer", sa.Boolean(), nullable=False, server_default=sa.false()))
    with keeping_triggers(), op.batch_alter_table("requested_procedure") as batch:
        for table, column, target in LINKS[2:]:
            _link(batch, table, column, target)
        batch.add_column(sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("asked_laterality", sa.Text(), nullable=False, server_default=""))
    for table, column in INDEXED:
        is_set = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_{table}_{column}", table, [column], sqlite_where=is_set, postgresql_where=is_set)


def downgrade() -> None:
    for table, column in INDEXED:
        op.drop_index(f"ix_{table}_{column}", table_name=table)
    with keeping_triggers(), op.batch_alter_table("requested_procedure") as batch:
        for table, column, target in LINKS[2:]:
            batch.drop_constraint(op.f(f"fk_{table}_{column}_{target}"), type_="foreignkey")
            batch.drop_column(column)
        for column in ("changed_at", "asked_laterality"):
            batch.drop_column(column)
    with keeping_triggers(), op.batch_alter_table("imaging_order") as batch:
        for table, column, target in LINKS[:2]:
            batch.drop_constraint(op.f(f"fk_{table}_{column}_{target}"), type_="foreignkey")
            batch.drop_column(column)
        for column in ("held_by", "held_by_placer"):
            batch.drop_column(column)
