"""Who is told of cancelled appointments is told of missed ones too"""

import sqlalchemy as sa
from alembic import op

revision = "c5e2f80b91d6"
down_revision = "4be7d0915ac3"
branch_labels = None
depends_on = None

EVENTS = ("scheduling.missed", "scheduling.miss_undone")
TELL = sa.text(
    "INSERT INTO subscription (id, destination_id, event, message, own_orders_only) "
    "SELECT (SELECT max(id) FROM subscription) + row_number() OVER (ORDER BY id), destination_id, :event, message, own_orders_only "
    "FROM subscription AS known WHERE event = 'scheduling.cancelled' AND NOT EXISTS (SELECT 1 FROM subscription AS told "
    "WHERE told.destination_id = known.destination_id AND told.event = :event)"
)
FORGET = sa.text("DELETE FROM subscription WHERE event = :event")


def upgrade() -> None:
    _for_each_event(TELL)


def downgrade() -> None:
    _for_each_event(FORGET)


def _for_each_event(statement: sa.TextClause) -> None:
    for event in EVENTS:
        op.execute(statement.bindparams(sa.bindparam("event", event, sa.Text())))
