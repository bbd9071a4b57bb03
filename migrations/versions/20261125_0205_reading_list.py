"""The reading list: what it is sorted by, whose an exam is, how long one may wait, what a person may read and wants to see"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "5d2e8a17c640"
down_revision = "b3d9e6071c5a"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
PRIORITIES = ("S", "A", "P", "C", "T", "R")
LEVELS = {"S": (30, 60), "A": (60, 120)}
OTHER_LEVEL = (240, 1440)
NOT_FINAL = sa.text("status NOT IN ('final', 'addended')")
SORTED = """
UPDATE unread_exam SET
  rank = (
    SELECT CASE imaging_order.priority
      WHEN 'S' THEN 0 WHEN 'A' THEN 1 WHEN 'P' THEN 2 WHEN 'C' THEN 3 WHEN 'T' THEN 4 ELSE 5 END
    FROM requested_procedure JOIN imaging_order ON imaging_order.id = requested_procedure.order_id
    WHERE requested_procedure.id = unread_exam.procedure_id
  ),
  since = (
    SELECT COALESCE(requested_procedure.ended_at, imaging_order.placed_at)
    FROM requested_procedure JOIN imaging_order ON imaging_order.id = requested_procedure.order_id
    WHERE requested_procedure.id = unread_exam.procedure_id
  ),
  catalog_id = (SELECT procedure_id FROM requested_procedure WHERE requested_procedure.id = unread_exam.procedure_id)
"""


def upgrade() -> None:
    op.add_column("procedure", sa.Column("subspecialty", sa.Text(), nullable=False, server_default=""))
    _widen_unread()
    op.create_index("ix_report_not_final", "report", ["status", "drafted_by_id"], sqlite_where=NOT_FINAL, postgresql_where=NOT_FINAL)
    _index_where_set("report", "claimed_by_id")
    level = op.create_table(
        "reading_level",
        sa.Column("priority", sa.Enum(*PRIORITIES, name="priority", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("soon_minutes", sa.Integer(), nullable=False),
        sa.Column("late_minutes", sa.Integer(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("0 < soon_minutes AND soon_minutes < late_minutes", name=op.f("ck_reading_level_soon_before_late")),
        sa.PrimaryKeyConstraint("priority", name=op.f("pk_reading_level")),
    )
    rows = {priority: LEVELS.get(priority, OTHER_LEVEL) for priority in PRIORITIES}
    op.bulk_insert(
        level, [{"priority": p, "soon_minutes": soon, "late_minutes": late, "row_version": 1} for p, (soon, late) in rows.items()]
    )
    op.create_table(
        "reading_credential",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column(
            "kind", sa.Enum("modality", "subspecialty", name="credentialkind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("value", sa.Text(), nullable=False),
        _to("reading_credential", "user_id", "user_account"),
        sa.PrimaryKeyConstraint("user_id", "kind", "value", name=op.f("pk_reading_credential")),
    )  # fmt: skip
    op.create_table(
        "saved_filter",
        sa.Column("id", KEY, nullable=False),
        sa.Column("worklist", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("role_id", KEY, nullable=True),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _to("saved_filter", "owner_id", "user_account"),
        _to("saved_filter", "role_id", "role"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filter")),
        sa.UniqueConstraint("worklist", "owner_id", "name", name=op.f("uq_saved_filter_worklist_owner_id_name")),
    )
    op.create_index(op.f("ix_saved_filter_owner_id"), "saved_filter", ["owner_id"])
    op.create_table(
        "list_choice",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("worklist", sa.Text(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("filter_id", KEY, nullable=True),
        _to("list_choice", "user_id", "user_account"),
        _to("list_choice", "filter_id", "saved_filter"),
        sa.PrimaryKeyConstraint("user_id", "worklist", name=op.f("pk_list_choice")),
    )


def downgrade() -> None:
    for table in ("list_choice", "saved_filter", "reading_credential", "reading_level"):
        op.drop_table(table)
    for index in ("ix_report_claimed_by_id", "ix_report_not_final"):
        op.drop_index(index, "report")
    for index in ("ix_unread_exam_in_turn", "ix_unread_exam_in_turn_at_site", "ix_unread_exam_held_by_id"):
        op.drop_index(index, "unread_exam")
    with keeping_triggers(), op.batch_alter_table("unread_exam") as batch_op:
        batch_op.drop_constraint(op.f("ck_unread_exam_holding"), type_="check")
        for column, table in (("catalog_id", "procedure"), ("held_by_id", "user_account")):
            batch_op.drop_constraint(op.f(f"fk_unread_exam_{column}_{table}"), type_="foreignkey")
        for column in ("held_why", "held_at", "holding", "held_by_id", "since", "rank", "catalog_id"):
            batch_op.drop_column(column)
    op.create_index(op.f("ix_unread_exam_site_id"), "unread_exam", ["site_id"])
    op.drop_column("procedure", "subspecialty")


def _widen_unread() -> None:
    """PostgreSQL alters no table for whose rows a check of this transaction is still to come."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.drop_index(op.f("ix_unread_exam_site_id"), "unread_exam")
    for column in (sa.Column("rank", sa.Integer()), sa.Column("since", MOMENT), sa.Column("catalog_id", KEY)):
        op.add_column("unread_exam", column)
    op.execute(SORTED)
    with keeping_triggers(), op.batch_alter_table("unread_exam") as batch_op:
        batch_op.alter_column("rank", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("since", existing_type=MOMENT, nullable=False)
        batch_op.add_column(sa.Column("held_by_id", KEY, nullable=True))
        batch_op.add_column(
            sa.Column(
                "holding",
                sa.Enum("assigned", "reserved", name="holding", native_enum=False, create_constraint=True, length=32),
                nullable=True,
            )
        )
        batch_op.add_column(sa.Column("held_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("held_why", sa.Text(), nullable=False, server_default=""))
        for column, table in (("catalog_id", "procedure"), ("held_by_id", "user_account")):
            batch_op.create_foreign_key(
                op.f(f"fk_unread_exam_{column}_{table}"), table, [column], ["id"], deferrable=True, initially="DEFERRED"
            )
    op.create_index("ix_unread_exam_in_turn", "unread_exam", ["rank", "since", "procedure_id"])
    op.create_index("ix_unread_exam_in_turn_at_site", "unread_exam", ["site_id", "rank", "since", "procedure_id"])
    _index_where_set("unread_exam", "held_by_id")
    if is_postgresql:
        op.execute("SET CONSTRAINTS ALL DEFERRED")


def _index_where_set(table: str, column: str) -> None:
    where = sa.text(f"{column} IS NOT NULL")
    op.create_index(f"ix_{table}_{column}", table, [column], sqlite_where=where, postgresql_where=where)


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), deferrable=True, initially="DEFERRED"
    )
