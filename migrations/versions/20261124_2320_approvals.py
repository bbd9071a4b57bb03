"""Readings that somebody else approves, and signatures that are taken back before publication"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "4f0a7d2c9b16"
down_revision = "ee8e4f2c6697"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
REPORT = ("draft", "preliminary", "final", "addended", "retracted")
VERSION = ("preliminary", "final", "addendum", "retraction")
GRADE = ("agreed", "wording", "minor", "major")
PEOPLE = ("drafted_by_id", "author_id", "supervisor_id", "sent_back_by_id")


def upgrade() -> None:
    _allow("report", "status", "ck_report_reportstatus", (*REPORT, "in_review", "sent_back"))
    _allow("report_version", "kind", "ck_report_version_versionkind", (*VERSION, "withdrawal"))
    with keeping_triggers(), op.batch_alter_table("report") as batch_op:
        for person in PEOPLE:
            batch_op.add_column(sa.Column(person, KEY, nullable=True))
            batch_op.create_foreign_key(
                op.f(f"fk_report_{person}_user_account"), "user_account", [person], ["id"], initially="DEFERRED", deferrable=True
            )
        batch_op.add_column(sa.Column("submitted_at", MOMENT, nullable=True))
        batch_op.add_column(sa.Column("sent_back_reason", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "report_discrepancy",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in ("report_id", "preliminary_id", "final_id", "author_id", "reviewer_id")),
        sa.Column("grade", sa.Enum(*GRADE, name="grade", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        _reference("report_id", "report"),
        _reference("preliminary_id", "report_version"),
        _reference("final_id", "report_version"),
        _reference("author_id", "user_account"),
        _reference("reviewer_id", "user_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_discrepancy")),
    )
    for column in ("report_id", "final_id", "author_id", "reviewer_id"):
        op.create_index(op.f(f"ix_report_discrepancy_{column}"), "report_discrepancy", [column])
    op.execute(
        "INSERT INTO role_permission (role_id, permission) SELECT id, 'report:write' FROM role WHERE code IN ('radiologist', 'resident')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission = 'report:write'")
    op.drop_table("report_discrepancy")
    with keeping_triggers(), op.batch_alter_table("report") as batch_op:
        batch_op.drop_column("sent_back_reason")
        batch_op.drop_column("submitted_at")
        for person in reversed(PEOPLE):
            batch_op.drop_constraint(op.f(f"fk_report_{person}_user_account"), type_="foreignkey")
            batch_op.drop_column(person)
    _allow("report_version", "kind", "ck_report_version_versionkind", VERSION)
    _allow("report", "status", "ck_report_reportstatus", REPORT)


def _reference(column: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_report_discrepancy_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, initially="DEFERRED", deferrable=True)


def _allow(table: str, column: str, constraint: str, values: tuple[str, ...]) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(constraint), type_="check")
        batch_op.create_check_constraint(op.f(constraint), sa.column(column).in_(values))
