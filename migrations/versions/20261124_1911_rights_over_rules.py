"""Rights over rules for the roles that a hospital began with"""

import sqlalchemy as sa
from alembic import op

revision = "c90a4f7be318"
down_revision = "5b8e2d9c1a47"
branch_labels = None
depends_on = None

GRANTED = (
    ("administrator", "rule:manage"), ("scheduler", "rule:override"), ("radiologist", "rule:override"), ("radiologist", "safety:override")
)  # fmt: skip


def upgrade() -> None:
    granting = sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, :permission FROM role WHERE code = :role")
    for role, permission in GRANTED:
        op.execute(granting.bindparams(sa.bindparam("permission", permission, sa.Text()), role=role))


def downgrade() -> None:
    for _, permission in GRANTED:
        op.execute(sa.text("DELETE FROM role_permission WHERE permission = :permission").bindparams(permission=permission))
