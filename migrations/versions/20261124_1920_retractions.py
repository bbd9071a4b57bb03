"""Reports that are retracted, and charges that are taken back"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "8b2e64d0f713"
down_revision = "c90a4f7be318"
branch_labels = None
depends_on = None

REPORT = ("draft", "preliminary", "final", "addended")
VERSION = ("preliminary", "final", "addendum")
CHARGE = ("ready", "held", "exported")
IN_FORCE = "status <> 'voided' AND reverses_id IS NULL"


def upgrade() -> None:
    _allow("report", "status", "ck_report_reportstatus", (*REPORT, "retracted"))
    _allow("report_version", "kind", "ck_report_version_versionkind", (*VERSION, "retraction"))
    with keeping_triggers(), op.batch_alter_table("charge") as batch_op:
        batch_op.add_column(sa.Column("voided_reason", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("reverses_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_charge_reverses_id_charge"), "charge", ["reverses_id"], ["id"], initially="DEFERRED", deferrable=True
        )
        batch_op.create_unique_constraint(op.f("uq_charge_reverses_id"), ["reverses_id"])
        batch_op.drop_constraint("uq_charge_procedure_id_component", type_="unique")
    _allow("charge", "status", "ck_charge_chargestatus", (*CHARGE, "voided"))
    where = sa.text(IN_FORCE)
    op.create_index("uq_charge_in_force", "charge", ["procedure_id", "component"], unique=True, sqlite_where=where, postgresql_where=where)
    op.execute("INSERT INTO role_permission (role_id, permission) SELECT id, 'report:retract' FROM role WHERE code = 'radiologist'")
    # Whoever is told of charges must be told that one does not hold.
    op.execute(
        "INSERT INTO subscription (id, destination_id, event, message, own_orders_only) "
        "SELECT (SELECT max(id) FROM subscription) + row_number() OVER (ORDER BY id), destination_id, 'charge.voided', message, "
        "own_orders_only FROM subscription WHERE event = 'charge.captured'"
    )


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission = 'report:retract'")
    op.execute("DELETE FROM subscription WHERE event = 'charge.voided'")
    op.drop_index("uq_charge_in_force", "charge")
    _allow("charge", "status", "ck_charge_chargestatus", CHARGE)
    with keeping_triggers(), op.batch_alter_table("charge") as batch_op:
        batch_op.create_unique_constraint("uq_charge_procedure_id_component", ["procedure_id", "component"])
        batch_op.drop_constraint(op.f("uq_charge_reverses_id"), type_="unique")
        batch_op.drop_constraint(op.f("fk_charge_reverses_id_charge"), type_="foreignkey")
        batch_op.drop_column("reverses_id")
        batch_op.drop_column("voided_reason")
    _allow("report_version", "kind", "ck_report_version_versionkind", VERSION)
    _allow("report", "status", "ck_report_reportstatus", REPORT)


def _allow(table: str, column: str, constraint: str, values: tuple[str, ...]) -> None:
    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(constraint), type_="check")
        batch_op.create_check_constraint(op.f(constraint), sa.column(column).in_(values))
