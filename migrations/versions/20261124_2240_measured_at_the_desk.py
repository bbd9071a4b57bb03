"""Weight and creatinine that the desk was told: findings without a sender"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "6a0d5ec17b92"
down_revision = "e27a90d4c15b"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("observation") as batch:
        batch.alter_column("partner_id", existing_type=KEY, nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM observation WHERE partner_id IS NULL")
    with keeping_triggers(), op.batch_alter_table("observation") as batch:
        batch.alter_column("partner_id", existing_type=KEY, nullable=False)
