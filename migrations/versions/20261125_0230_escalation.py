"""E-mail addresses of staff, e-mails of escalations, and how who is on call is reached"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "51d8a2e6c0b7"
down_revision = "5e1d8a40c9b7"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
STATES = ("queued", "quiet", "sending", "sent", "refused", "returned", "opted_out", "not_sent")


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("user_account") as batch_op:
        batch_op.add_column(sa.Column("email", sa.Text(), nullable=False, server_default=""))
    with keeping_triggers(), op.batch_alter_table("on_call_shift") as batch_op:
        batch_op.add_column(sa.Column("reach", sa.Text(), nullable=False, server_default=""))
    with keeping_triggers(), op.batch_alter_table("on_call_shift") as batch_op:
        batch_op.alter_column("reach", server_default=None)
    op.create_table(
        "critical_mail",
        sa.Column("id", KEY, nullable=False),
        sa.Column("critical_result_id", KEY, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("state", sa.Enum(*STATES, name="noticestate", native_enum=False, create_constraint=True, length=32), nullable=False),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("created_at", "due_at")),
        *(sa.Column(name, MOMENT, nullable=True) for name in ("tried_at", "sent_at")),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("address", "reason")),
        _to("critical_result_id", "critical_result"),
        _to("user_id", "user_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_critical_mail")),
        sa.UniqueConstraint(
            "critical_result_id", "step", "user_id", name=op.f("uq_critical_mail_critical_result_id_step_user_id")
        ),
    )  # fmt: skip
    op.create_index("ix_critical_mail_state_due_at", "critical_mail", ["state", "due_at"])


def _to(column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_critical_mail_{column}_{other}"), deferrable=True, initially="DEFERRED"
    )


def downgrade() -> None:
    op.drop_table("critical_mail")
    with keeping_triggers(), op.batch_alter_table("on_call_shift") as batch_op:
        batch_op.drop_column("reach")
    with keeping_triggers(), op.batch_alter_table("user_account") as batch_op:
        batch_op.drop_column("email")
