"""Addresses that take no mail"""

import sqlalchemy as sa
from alembic import op

revision = "5e1d8a40c9b7"
down_revision = "d27f8ab0c914"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "mail_failure",
        sa.Column("id", KEY, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("notice_id", KEY, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.Column("lifted_at", MOMENT, nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notice.id"], name=op.f("fk_mail_failure_notice_id_notice"), deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_failure")),
    )
    op.create_index(
        "uq_mail_failure_address", "mail_failure", ["address"], unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"), postgresql_where=sa.text("lifted_at IS NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("mail_failure")
