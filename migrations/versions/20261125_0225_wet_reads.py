"""Wet reads: one more kind of signed version"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "d27f8ab0c914"
down_revision = "d1c58e27f409"
branch_labels = None
depends_on = None

KINDS = ("preliminary", "final", "addendum", "retraction", "withdrawal")


def upgrade() -> None:
    _allow(*KINDS, "wet_read")


def downgrade() -> None:
    _allow(*KINDS)


def _allow(*kinds: str) -> None:
    with keeping_triggers(), op.batch_alter_table("report_version") as batch_op:
        batch_op.drop_constraint(op.f("ck_report_version_versionkind"), type_="check")
        batch_op.create_check_constraint(op.f("ck_report_version_versionkind"), sa.column("kind").in_(kinds))
