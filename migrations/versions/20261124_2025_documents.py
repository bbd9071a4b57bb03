"""Documents of orders"""

import sqlalchemy as sa
from alembic import op

revision = "4be7d0915ac3"
down_revision = "90d4c2ae6b18"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = ("requisition", "consent", "outside_report", "other")


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, deferrable=True, initially="DEFERRED")


def upgrade() -> None:
    op.create_table(
        "order_document",
        sa.Column("id", KEY, nullable=False),
        sa.Column("order_id", KEY, nullable=False),
        sa.Column("kind", sa.Enum(*KINDS, name="documentkind", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by", sa.Text(), nullable=False),
        sa.Column("removed_reason", sa.Text(), nullable=False),
        _refers("order_document", "order_id", "imaging_order"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_document")),
    )
    op.create_index(op.f("ix_order_document_order_id"), "order_document", ["order_id"])
    op.create_table(
        "document_content",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _refers("document_content", "document_id", "order_document"),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_document_content")),
    )


def downgrade() -> None:
    for table in ("document_content", "order_document"):
        op.drop_table(table)
