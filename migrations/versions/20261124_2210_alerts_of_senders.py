"""Alerts that follow from messages"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "d41f8a0c26be"
down_revision = "b1d7c52e9f36"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("patient", sa.Column("heard", sa.JSON(), nullable=True))
    with keeping_triggers(), op.batch_alter_table("patient_alert") as batch_op:
        batch_op.add_column(sa.Column("partner_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("place", sa.Text(), nullable=False, server_default=""))
        batch_op.create_foreign_key(
            op.f("fk_patient_alert_partner_id_partner"), "partner", ["partner_id"], ["id"], deferrable=True, initially="DEFERRED"
        )
    with keeping_triggers(), op.batch_alter_table("patient_alert") as batch_op:
        batch_op.alter_column("place", server_default=None)


def downgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("patient_alert") as batch_op:
        batch_op.drop_constraint(op.f("fk_patient_alert_partner_id_partner"), type_="foreignkey")
        batch_op.drop_column("place")
        batch_op.drop_column("partner_id")
    op.drop_column("patient", "heard")
