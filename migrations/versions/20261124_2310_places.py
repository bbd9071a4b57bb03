"""Addresses, holidays and special days of sites, rooms that are open until midnight, and who manages all that"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "d5b1f08c7a26"
down_revision = "e8c35a17f04d"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WEEKS = {
    "opening_hours": ("opens_before_closes", "opens", "closes"),
    "resource_hours": ("opens_before_closes", "opens", "closes"),
    "reserved_block": ("begins_before_ends", "begins", "ends"),
}
"""Table to its check and the two columns that this compares."""
CATALOG = sa.text("substr(what, 1, 8) = 'catalog.'")
MANAGERS = ("administrator", "lead_scheduler")


def _choice(name: str) -> sa.Enum:
    return sa.Enum("open", "closed", "reduced", name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    _add("site", ("address", sa.Text(), ""), ("holiday_country", sa.Text(), ""), ("holiday_subdivision", sa.Text(), ""),
         ("other_holidays", _choice("other_holidays"), "closed"))  # fmt: skip
    _add("room", ("keeps_holidays", sa.Boolean(), sa.true()))
    _add("resource", ("keeps_holidays", sa.Boolean(), sa.true()))
    with keeping_triggers(), op.batch_alter_table("user_account") as batch_op:
        batch_op.add_column(sa.Column("working_site_id", KEY, nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_user_account_working_site_id_site"), "site", ["working_site_id"], ["id"], deferrable=True, initially="DEFERRED"
        )
    for table, (name, begins, ends) in WEEKS.items():
        _compare(table, name, f"{begins} < {ends} OR {ends} < '00:00:01'")
    _special_hours()
    _site_holidays()
    where = {"sqlite_where": CATALOG, "postgresql_where": CATALOG}
    op.create_index("ix_audit_entry_of_catalog", "audit_entry", ["object_kind", "object_id"], **where)
    granting = sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, 'place:manage' FROM role WHERE code = :role")
    for role in MANAGERS:
        op.execute(granting.bindparams(role=role))


def downgrade() -> None:
    """A room that is open until midnight closes a second before it."""
    op.execute("DELETE FROM role_permission WHERE permission = 'place:manage'")
    op.drop_index("ix_audit_entry_of_catalog", table_name="audit_entry")
    op.drop_table("site_holiday")
    op.drop_table("special_hours")
    for table, (name, begins, ends) in WEEKS.items():
        op.execute(f"UPDATE {table} SET {ends} = '23:59:59.000000' WHERE {ends} < '00:00:01'")  # noqa: S608 (names of this file)
        _compare(table, name, f"{begins} < {ends}")
    with keeping_triggers(), op.batch_alter_table("user_account") as batch_op:
        batch_op.drop_constraint(op.f("fk_user_account_working_site_id_site"), type_="foreignkey")
        batch_op.drop_column("working_site_id")
    _drop("resource", "keeps_holidays")
    _drop("room", "keeps_holidays")
    with keeping_triggers(), op.batch_alter_table("site") as batch_op:
        batch_op.drop_constraint(op.f("ck_site_other_holidays"), type_="check")
    _drop("site", "other_holidays", "holiday_subdivision", "holiday_country", "address")


def _add(table: str, *columns: tuple[str, sa.types.TypeEngine[object], object]) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        for name, kind, value in columns:
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default=value))
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        for name, _, _ in columns:
            batch_op.alter_column(name, server_default=None)


def _drop(table: str, *columns: str) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        for name in columns:
            batch_op.drop_column(name)


def _compare(table: str, name: str, condition: str) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
        batch_op.create_check_constraint(op.f(f"ck_{table}_{name}"), sa.text(condition))


def _belongs(table: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{to}_id_{to}")
    return sa.ForeignKeyConstraint([f"{to}_id"], [f"{to}.id"], name=name, initially="DEFERRED", deferrable=True)


def _special_hours() -> None:
    op.create_table(
        "special_hours",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("room_id", KEY, nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("opens", sa.Time(), nullable=True),
        sa.Column("closes", sa.Time(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(opens IS NULL) = (closes IS NULL)", name=op.f("ck_special_hours_both_or_none")),
        sa.CheckConstraint(
            "opens IS NULL OR opens < closes OR closes < '00:00:01'", name=op.f("ck_special_hours_opens_before_closes")
        ),
        _belongs("special_hours", "site"),
        _belongs("special_hours", "room"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_special_hours")),
    )  # fmt: skip
    op.create_index("ix_special_hours_site_id_day", "special_hours", ["site_id", "day"])


def _site_holidays() -> None:
    op.create_table(
        "site_holiday",
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("choice", _choice("choice"), nullable=False),
        sa.Column("opens", sa.Time(), nullable=True),
        sa.Column("closes", sa.Time(), nullable=True),
        sa.CheckConstraint(
            "(choice = 'reduced') = (opens IS NOT NULL AND closes IS NOT NULL)", name=op.f("ck_site_holiday_hours_when_reduced")
        ),
        sa.CheckConstraint(
            "opens IS NULL OR opens < closes OR closes < '00:00:01'", name=op.f("ck_site_holiday_opens_before_closes")
        ),
        _belongs("site_holiday", "site"),
        sa.PrimaryKeyConstraint("site_id", "name", name=op.f("pk_site_holiday")),
    )  # fmt: skip
