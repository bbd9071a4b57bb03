"""Files that are brought by the browser, and who may take them in"""

import sqlalchemy as sa
from alembic import op

revision = "e27a90d4c15b"
down_revision = "0b7e93c41fd8"
branch_labels = None
depends_on = None

GRANTED = (("administrator", "import:run"), ("integration", "import:run"), ("integration", "patient:import"))


def upgrade() -> None:
    op.create_table(
        "import_file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("brought_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("brought_by", sa.Text(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_by", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_file")),
    )
    granting = sa.text("INSERT INTO role_permission (role_id, permission) SELECT id, :permission FROM role WHERE code = :role")
    for role, permission in GRANTED:
        op.execute(granting.bindparams(sa.bindparam("permission", permission, sa.Text()), role=role))


def downgrade() -> None:
    for permission in dict.fromkeys(permission for _, permission in GRANTED):
        op.execute(sa.text("DELETE FROM role_permission WHERE permission = :permission").bindparams(permission=permission))
    op.drop_table("import_file")
