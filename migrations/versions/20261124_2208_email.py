"""Where a patient is written to, and in which language"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "b1d7c52e9f36"
down_revision = "a93e5d17c0b4"
branch_labels = None
depends_on = None

NAMES = ("email", "language")


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("patient") as batch_op:
        for name in NAMES:
            batch_op.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
    with keeping_triggers(), op.batch_alter_table("patient") as batch_op:
        for name in NAMES:
            batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("patient") as batch_op:
        for name in NAMES:
            batch_op.drop_column(name)
