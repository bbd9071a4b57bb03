"""Which destinations want reports as files, and where their people see the images"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "e4a6d19b0c35"
down_revision = "e47d0c3a9b62"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("destination") as batch_op:
        batch_op.add_column(sa.Column("report_pdf", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("study_link", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    with keeping_triggers(), op.batch_alter_table("destination") as batch_op:
        batch_op.drop_column("study_link")
        batch_op.drop_column("report_pdf")
