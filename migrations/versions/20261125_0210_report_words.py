"""The words of reports: FTS5 on SQLite, a text vector on PostgreSQL

What was signed before is found after `manage.py search rebuild`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "9be14c3f70a2"
down_revision = "5d2e8a17c640"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "report_words",
        sa.Column("place", KEY, autoincrement=False, nullable=False),
        *(sa.Column(name, KEY, nullable=False) for name in ("report_id", "version_id", "site_id")),
        sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=True),
        *(_to(column, table) for column, table in (("report_id", "report"), ("version_id", "report_version"), ("site_id", "site"))),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_report_words")),
        sa.UniqueConstraint("report_id", name=op.f("uq_report_words_report_id")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_report_words_words", "report_words", ["words"], postgresql_using="gin")
        return
    op.execute(
        "CREATE VIRTUAL TABLE report_fts USING fts5(impression, findings, other, facts, content='', contentless_delete=1, tokenize='ascii')"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE report_fts")
    op.drop_table("report_words")


def _to(column: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_report_words_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, deferrable=True, initially="DEFERRED")
