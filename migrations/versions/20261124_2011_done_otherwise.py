"""What was done instead of what was asked, exams done in one go, and charges for what was given"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "f2a90c4d7e61"
down_revision = "94e0b7d2f6a3"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COMPONENTS = ("technical", "professional")
IN_FORCE = sa.text("status <> 'voided' AND reverses_id IS NULL")
STEP = "performed_procedure_step"
INSTEAD = "fk_performed_procedure_step_done_instead_id_procedure"


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table(STEP) as batch_op:
        batch_op.add_column(sa.Column("done_instead_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("acquisition_id", sa.BigInteger(), nullable=True))
        batch_op.create_foreign_key(op.f(INSTEAD), "procedure", ["done_instead_id"], ["id"], initially="DEFERRED", deferrable=True)
        batch_op.create_index("ix_performed_procedure_step_acquisition_id", ["acquisition_id"])
    op.drop_index("uq_charge_in_force", "charge")
    with keeping_triggers(), op.batch_alter_table("charge") as batch_op:
        batch_op.add_column(sa.Column("item", sa.Text(), nullable=False, server_default=""))
    _allow((*COMPONENTS, "supply"))
    _in_force("procedure_id", "component", "item")


def downgrade() -> None:
    op.execute("DELETE FROM export_line WHERE charge_id IN (SELECT id FROM charge WHERE component = 'supply')")
    op.execute("DELETE FROM charge WHERE component = 'supply'")
    op.drop_index("uq_charge_in_force", "charge")
    _allow(COMPONENTS)
    with keeping_triggers(), op.batch_alter_table("charge") as batch_op:
        batch_op.drop_column("item")
    _in_force("procedure_id", "component")
    with keeping_triggers(), op.batch_alter_table(STEP) as batch_op:
        batch_op.drop_index("ix_performed_procedure_step_acquisition_id")
        batch_op.drop_constraint(op.f(INSTEAD), type_="foreignkey")
        batch_op.drop_column("acquisition_id")
        batch_op.drop_column("done_instead_id")


def _in_force(*columns: str) -> None:
    op.create_index("uq_charge_in_force", "charge", list(columns), unique=True, sqlite_where=IN_FORCE, postgresql_where=IN_FORCE)


def _allow(components: tuple[str, ...]) -> None:
    with keeping_triggers(), op.batch_alter_table("charge") as batch_op:
        batch_op.alter_column("item", server_default=None)
        batch_op.drop_constraint(op.f("ck_charge_component"), type_="check")
        batch_op.create_check_constraint(op.f("ck_charge_component"), sa.column("component").in_(components))
