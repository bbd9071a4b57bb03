"""Lead schedulers, who may overbook"""

# ruff: noqa: S608 (every name in the statements is a constant of this file)

from alembic import op

revision = "b2d7f40e8c61"
down_revision = "2c8e51b7d4f6"
branch_labels = None
depends_on = None

ROLE, OF = "lead_scheduler", "scheduler"


def upgrade() -> None:
    """What schedulers may, and to overbook; only where a hospital has begun with its roles."""
    op.execute(
        "INSERT INTO role (id, code, name, row_version) "
        f"SELECT (SELECT max(id) FROM role) + 1, '{ROLE}', 'Lead scheduler', 1 FROM role WHERE code = '{OF}'"
    )
    op.execute(
        "INSERT INTO role_permission (role_id, permission) "
        "SELECT new.id, given.permission FROM role AS new, role AS old, role_permission AS given "
        f"WHERE new.code = '{ROLE}' AND old.code = '{OF}' AND given.role_id = old.id"
    )
    op.execute(f"INSERT INTO role_permission (role_id, permission) SELECT id, 'schedule:overbook' FROM role WHERE code = '{ROLE}'")


def downgrade() -> None:
    chosen = f"(SELECT id FROM role WHERE code = '{ROLE}')"
    op.execute(f"DELETE FROM role_assignment WHERE role_id IN {chosen}")
    op.execute(f"DELETE FROM role_permission WHERE role_id IN {chosen}")
    op.execute(f"DELETE FROM role WHERE code = '{ROLE}'")
