"""Referrers with their practices and numbers"""

import sqlalchemy as sa
from alembic import op

revision = "7f20c4be93d5"
down_revision = "c7d30f5be814"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WAYS = ("hl7", "email", "fax", "print", "none")


def upgrade() -> None:
    op.create_table(
        "referrer",
        sa.Column("id", KEY, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("family", "given", "title", "specialty", "npi")),
        *(sa.Column(name, BY_CODE_POINT, nullable=False) for name in ("family_key", "given_key")),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("joined_to_id", KEY, nullable=True),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _to("referrer", "joined_to_id", "referrer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrer")),
    )
    op.create_index("ix_referrer_name", "referrer", ["family_key", "given_key"])
    for name, column, where, unique in (
        ("uq_referrer_npi", "npi", "npi <> ''", True),
        ("ix_referrer_joined_to_id", "joined_to_id", "joined_to_id IS NOT NULL", False),
    ):
        op.create_index(name, "referrer", [column], unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "referrer_practice",
        sa.Column("id", KEY, nullable=False),
        sa.Column("referrer_id", KEY, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("name", "street", "postal_code", "city", "region", "phone", "fax", "email")
        ),
        sa.Column("delivery", sa.Enum(*WAYS, name="delivery", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("is_main", sa.Boolean(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _to("referrer_practice", "referrer_id", "referrer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrer_practice")),
    )
    op.create_table(
        "referrer_alias",
        sa.Column("id", KEY, nullable=False),
        sa.Column("referrer_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "number", "name")),
        _to("referrer_alias", "referrer_id", "referrer"),
        _to("referrer_alias", "partner_id", "partner"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrer_alias")),
        sa.UniqueConstraint("key", name=op.f("uq_referrer_alias_key")),
    )
    for table in ("referrer_practice", "referrer_alias"):
        op.create_index(op.f(f"ix_{table}_referrer_id"), table, ["referrer_id"])


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), deferrable=True, initially="DEFERRED"
    )


def downgrade() -> None:
    for table in ("referrer_alias", "referrer_practice", "referrer"):
        op.drop_table(table)
