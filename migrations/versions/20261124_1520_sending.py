"""What a destination does with refusals, when it calls a person, its TLS; and the deliveries that others wait behind"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "8e41b7c0d25a"
down_revision = "c2a94e61d7f0"
branch_labels = None
depends_on = None


def _on_refusal(column: str, default: str) -> sa.Column[str]:
    kind = sa.Enum("park", "retry", name=column, native_enum=False, create_constraint=True, length=32)
    return sa.Column(column, kind, nullable=False, server_default=default)


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("destination") as batch_op:
        batch_op.add_column(_on_refusal("on_error", "park"))
        batch_op.add_column(_on_refusal("on_rejection", "retry"))
        batch_op.add_column(sa.Column("alarm_minutes", sa.BigInteger(), nullable=False, server_default="15"))
        batch_op.add_column(sa.Column("tls", sa.Boolean(), nullable=False, server_default=sa.false()))
        for name in ("authorities", "certificate", "certificate_key"):
            batch_op.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name, where in (("parked", "state = 'parked'"), ("corrected", "correction > 0")):
        op.create_index(
            f"ix_delivery_{name}", "delivery", ["destination_id", "order_key"], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    for name in ("corrected", "parked"):
        op.drop_index(f"ix_delivery_{name}", "delivery")
    with keeping_triggers(), op.batch_alter_table("destination") as batch_op:
        for name in ("on_error", "on_rejection"):
            batch_op.drop_constraint(op.f(f"ck_destination_{name}"), type_="check")
        for name in ("certificate_key", "certificate", "authorities", "tls", "alarm_minutes", "on_rejection", "on_error"):
            batch_op.drop_column(name)
