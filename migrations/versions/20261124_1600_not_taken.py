"""An index of what was not taken"""

import sqlalchemy as sa
from alembic import op

revision = "d17b60f2c4a9"
down_revision = "a41d5e0c7b92"
branch_labels = None
depends_on = None

NOT_TAKEN = "state IN ('refused', 'quarantined')"


def upgrade() -> None:
    op.drop_index("ix_message_partner_id_direction_at_state")
    op.create_index("ix_message_partner_id_direction_at", "message", ["partner_id", "direction", "at"])
    op.create_index("ix_message_not_taken", "message", ["at"], sqlite_where=sa.text(NOT_TAKEN), postgresql_where=sa.text(NOT_TAKEN))
    if op.get_context().dialect.name == "postgresql":
        # A partner that never sent looks to the planner like any other, and it would search the whole journal from its end.
        op.execute("CREATE STATISTICS stx_message_partner_id_direction (mcv) ON partner_id, direction FROM message")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP STATISTICS stx_message_partner_id_direction")
    op.drop_index("ix_message_not_taken")
    op.drop_index("ix_message_partner_id_direction_at")
    op.create_index("ix_message_partner_id_direction_at_state", "message", ["partner_id", "direction", "at", "state"])
