"""Distribution of reports: recipients, one record for each and version, and more ways to a referrer"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "b3d9e6071c5a"
down_revision = "a1c94e07d35b"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
WAYS = ("hl7", "email", "fax", "print", "none")
ROLES = ("orderer", "copy", "added")
CHANNELS = ("hl7", "email", "fax", "print", "folder", "none")
STATES = ("waiting", "sending", "sent", "handed_over", "failed", "dropped")
SENDERS = ("front_desk", "lead_scheduler", "radiologist", "scheduler")
TO_DESTINATION = "fk_referrer_practice_destination_id_destination"
OPEN = "state IN ('waiting', 'sending')"


def upgrade() -> None:
    _ways(*WAYS, "folder")
    with keeping_triggers(), op.batch_alter_table("referrer_practice") as batch_op:
        batch_op.add_column(sa.Column("destination_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("folder", sa.Text(), nullable=False, server_default=""))
        batch_op.create_foreign_key(op.f(TO_DESTINATION), "destination", ["destination_id"], ["id"], initially="DEFERRED", deferrable=True)
    _recipients()
    _dispatches()
    op.create_index(op.f("ix_report_version_digest"), "report_version", ["digest"])
    granting = sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, 'result:send' FROM role WHERE code = :role")
    for role in SENDERS:
        op.execute(granting.bindparams(role=role))


def _recipients() -> None:
    op.create_table(
        "result_recipient",
        sa.Column("id", KEY, nullable=False),
        sa.Column("order_id", KEY, nullable=False),
        sa.Column("referrer_id", KEY, nullable=False),
        sa.Column("role", _enum("recipientrole", ROLES), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "added_by", "ended_by", "ended_reason")),
        _to("result_recipient", "order_id", "imaging_order"),
        _to("result_recipient", "referrer_id", "referrer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result_recipient")),
        sa.UniqueConstraint("order_id", "referrer_id", name=op.f("uq_result_recipient_order_id_referrer_id")),
    )
    op.create_index(op.f("ix_result_recipient_referrer_id"), "result_recipient", ["referrer_id"])


def _dispatches() -> None:
    references = {"report_id": "report", "version_id": "report_version", "recipient_id": "result_recipient", "site_id": "site"}
    op.create_table(
        "result_dispatch",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in references),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("channel", _enum("channel", CHANNELS), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("delivery_id", KEY, nullable=True),
        sa.Column("state", _enum("dispatchstate", STATES), nullable=False),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("created_at", "not_before")),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *(sa.Column(name, MOMENT, nullable=True) for name in ("tried_at", "done_at")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("done_by", "reason")),
        sa.Column("row_version", sa.Integer(), nullable=False),
        *(_to("result_dispatch", column, table) for column, table in {**references, "delivery_id": "delivery"}.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result_dispatch")),
        sa.UniqueConstraint("version_id", "recipient_id", "series", name=op.f("uq_result_dispatch_version_id_recipient_id_series")),
    )
    for column in ("report_id", "recipient_id"):
        op.create_index(op.f(f"ix_result_dispatch_{column}"), "result_dispatch", [column])
    op.create_index("ix_result_dispatch_site_id_state_channel", "result_dispatch", ["site_id", "state", "channel"])
    for name, columns, where in (
        ("ix_result_dispatch_due", ["channel", "not_before"], OPEN),
        ("ix_result_dispatch_delivery_id", ["delivery_id"], "delivery_id IS NOT NULL"),
    ):
        op.create_index(name, "result_dispatch", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission = 'result:send'")
    op.drop_index(op.f("ix_report_version_digest"), "report_version")
    op.drop_table("result_dispatch")
    op.drop_table("result_recipient")
    op.execute("UPDATE referrer_practice SET delivery = 'print' WHERE delivery = 'folder'")
    with keeping_triggers(), op.batch_alter_table("referrer_practice") as batch_op:
        batch_op.drop_constraint(op.f(TO_DESTINATION), type_="foreignkey")
        batch_op.drop_column("folder")
        batch_op.drop_column("destination_id")
    _ways(*WAYS)


def _ways(*values: str) -> None:
    with keeping_triggers(), op.batch_alter_table("referrer_practice") as batch_op:
        batch_op.drop_constraint(op.f("ck_referrer_practice_delivery"), type_="check")
        batch_op.create_check_constraint(op.f("ck_referrer_practice_delivery"), sa.column("delivery").in_(values))


def _enum(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), deferrable=True, initially="DEFERRED"
    )
