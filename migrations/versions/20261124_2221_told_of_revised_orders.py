"""Who is told of cancelled orders is told of changed, split and replaced ones too"""

import sqlalchemy as sa
from alembic import op

revision = "0b7e93c41fd8"
down_revision = "d5f0a86b3e19"
branch_labels = None
depends_on = None

PLACERS = ("order.procedure_changed", "order.split", "order.rejoined", "order.replaced")
IMAGE_MANAGERS = ("order.procedure_changed", "order.split", "order.rejoined")
TELL = sa.text(
    "INSERT INTO subscription (id, destination_id, event, message, own_orders_only) "
    "SELECT (SELECT max(id) FROM subscription) + row_number() OVER (ORDER BY id), destination_id, :event, message, own_orders_only "
    "FROM subscription AS known WHERE event = :known AND message IN (:first, :second) AND NOT EXISTS "
    "(SELECT 1 FROM subscription AS told WHERE told.destination_id = known.destination_id AND told.event = :event)"
)
FORGET = sa.text("DELETE FROM subscription WHERE event = :event")


def upgrade() -> None:
    for event in PLACERS:
        _tell(event, "order.cancelled", "orm_o01", "orm_o01")
    for event in IMAGE_MANAGERS:
        _tell(event, "order.procedure_cancelled", "orm_o01_zds", "omi_o23")


def downgrade() -> None:
    for event in PLACERS:
        op.execute(FORGET.bindparams(sa.bindparam("event", event, sa.Text())))


def _tell(event: str, known: str, first: str, second: str) -> None:
    values = {"event": event, "known": known, "first": first, "second": second}
    op.execute(TELL.bindparams(*(sa.bindparam(name, value, sa.Text()) for name, value in values.items())))
