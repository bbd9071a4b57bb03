"""Critical results: classes, who was told, who is on call, and how they are escalated"""

import sqlalchemy as sa
from alembic import op

revision = "3c91e07ab5d2"
down_revision = "7f20c4be93d5"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
YES_NO = ("needs_detail", "needs_number", "needs_read_back", "before_signing", "active")


def upgrade() -> None:
    op.create_table(
        "critical_class",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("code", "name")),
        sa.Column("within", sa.Integer(), nullable=False),
        _choice("unit", "unit", ("minutes", "hours", "days")),
        _choice("whom", "whom", ("orderer", "treating", "patient", "anybody")),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in YES_NO),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("1 <= within", name=op.f("ck_critical_class_within_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_critical_class")),
        sa.UniqueConstraint("code", name=op.f("uq_critical_class_code")),
    )
    op.create_table(
        "on_call_list",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("code", "name")),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_on_call_list")),
        sa.UniqueConstraint("code", name=op.f("uq_on_call_list_code")),
    )
    op.create_table(
        "on_call_shift",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in ("on_call_list_id", "site_id", "user_id")),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("starts_at", "ends_at")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_on_call_shift_starts_before_ends")),
        _to("on_call_shift", "on_call_list_id", "on_call_list"),
        _to("on_call_shift", "site_id", "site"),
        _to("on_call_shift", "user_id", "user_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_on_call_shift")),
    )
    op.create_index("ix_on_call_shift_site_id_ends_at", "on_call_shift", ["site_id", "ends_at"])
    op.create_table(
        "escalation_step",
        sa.Column("critical_class_id", KEY, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("after_minutes", sa.Integer(), nullable=False),
        sa.Column("on_call_list_id", KEY, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("0 <= after_minutes", name=op.f("ck_escalation_step_after_not_negative")),
        _to("escalation_step", "critical_class_id", "critical_class"),
        _to("escalation_step", "on_call_list_id", "on_call_list"),
        sa.PrimaryKeyConstraint("critical_class_id", "step", name=op.f("pk_escalation_step")),
        sa.UniqueConstraint("id", name=op.f("uq_escalation_step_id")),
    )
    _results()
    op.execute(
        "INSERT INTO role_permission (role_id, permission) "
        "SELECT id, 'critical:tell' FROM role WHERE code IN ('radiologist', 'resident', 'front_desk')"
    )


def _results() -> None:
    keys = {
        "report_id": "report", "procedure_id": "requested_procedure", "site_id": "site", "critical_class_id": "critical_class",
        "flagged_by_id": "user_account",
    }  # fmt: skip
    op.create_table(
        "critical_result",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in keys),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("detail", "ended_by", "end_reason")),
        _choice("status", "criticalstatus", ("open", "told", "closed", "withdrawn")),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("flagged_at", "due_at")),
        *(sa.Column(name, MOMENT, nullable=True) for name in ("escalate_at", "ended_at")),
        sa.Column("escalated", sa.Integer(), nullable=False),
        sa.Column("version_id", KEY, nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        *(_to("critical_result", column, table) for column, table in keys.items()),
        _to("critical_result", "version_id", "report_version"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_critical_result")),
    )
    for column in ("report_id", "status"):
        op.create_index(op.f(f"ix_critical_result_{column}"), "critical_result", [column])
    is_set = sa.text("escalate_at IS NOT NULL")
    op.create_index(
        "ix_critical_result_escalate_at", "critical_result", ["escalate_at"], sqlite_where=is_set, postgresql_where=is_set
    )  # fmt: skip
    op.create_table(
        "critical_call",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in ("critical_result_id", "written_by_id")),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("at", "written_at")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("teller", "receiver", "number", "note")),
        _choice("way", "way", ("telephone", "in_person", "message")),
        _choice("outcome", "outcome", ("read_back", "told", "not_reached")),
        _to("critical_call", "critical_result_id", "critical_result"),
        _to("critical_call", "written_by_id", "user_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_critical_call")),
    )
    op.create_index(op.f("ix_critical_call_critical_result_id"), "critical_call", ["critical_result_id"])
    op.create_table(
        "critical_escalation",
        sa.Column("critical_result_id", KEY, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("fetched", sa.JSON(), nullable=False),
        _to("critical_escalation", "critical_result_id", "critical_result"),
        sa.PrimaryKeyConstraint("critical_result_id", "step", name=op.f("pk_critical_escalation")),
    )


def _choice(column: str, name: str, values: tuple[str, ...]) -> sa.Column[str]:
    return sa.Column(column, sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32), nullable=False)


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), deferrable=True, initially="DEFERRED"
    )


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission = 'critical:tell'")
    for table in (
        "critical_escalation", "critical_call", "critical_result", "escalation_step", "on_call_shift", "on_call_list", "critical_class",
    ):  # fmt: skip
        op.drop_table(table)
