"""When a rule is asked"""

import sqlalchemy as sa
from alembic import op

revision = "94e0b7d2f6a3"
down_revision = "4c8e01d7b935"
branch_labels = None
depends_on = None

MOMENT = sa.Enum("booking", "start", "both", name="moment", native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    with op.batch_alter_table("scheduling_rule") as batch_op:
        batch_op.add_column(sa.Column("moment", MOMENT, nullable=False, server_default="booking"))


def downgrade() -> None:
    with op.batch_alter_table("scheduling_rule") as batch_op:
        batch_op.drop_constraint(op.f("ck_scheduling_rule_moment"), type_="check")
        batch_op.drop_column("moment")
