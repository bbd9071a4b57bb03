"""Appointments that the patient missed"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "3f1c9a7e5d20"
down_revision = "d17b60f2c4a9"
branch_labels = None
depends_on = None

NAME = "ck_scheduled_procedure_step_stepstatus"
BEFORE = ("booked", "arrived", "started", "finished", "discontinued", "cancelled")


def upgrade() -> None:
    _allow((*BEFORE, "missed"))


def downgrade() -> None:
    op.execute("UPDATE scheduled_procedure_step SET status = 'cancelled' WHERE status = 'missed'")
    _allow(BEFORE)


def _allow(states: tuple[str, ...]) -> None:
    with keeping_triggers(), op.batch_alter_table("scheduled_procedure_step") as batch_op:
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), sa.column("status").in_(states))
