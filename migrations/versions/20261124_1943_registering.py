"""Patients that are registered here: their numbers, the unknown among them, and the rights of the desk"""

import sqlalchemy as sa
from alembic import op

revision = "0b7ac24d9e15"
down_revision = "f19c6e20a4d7"
branch_labels = None
depends_on = None

GRANT = """
INSERT INTO role_permission (role_id, permission)
SELECT role.id, granted.permission FROM role, (SELECT 'order:enter' AS permission UNION ALL SELECT 'patient:edit') AS granted
WHERE role.code IN ('scheduler', 'front_desk')
"""


def upgrade() -> None:
    op.add_column("patient", sa.Column("temporary", sa.Boolean(), nullable=False, server_default=sa.false()))
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE seq_patient")
    else:
        op.execute("INSERT INTO sequence_value (name, value) VALUES ('patient', 0)")
    op.execute(GRANT)


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission IN ('order:enter', 'patient:edit')")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE seq_patient")
    else:
        op.execute("DELETE FROM sequence_value WHERE name = 'patient'")
    op.drop_column("patient", "temporary")
