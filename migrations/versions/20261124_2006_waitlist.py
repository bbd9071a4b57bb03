"""Who wants an earlier slot, and what was proposed to them"""

import sqlalchemy as sa
from alembic import op

revision = "4c8e01d7b935"
down_revision = "b2d7f40e8c61"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = "state = 'waiting'"


def _state(name: str, *values: str) -> sa.Column[str]:
    return sa.Column("state", sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32), nullable=False)


def _points_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, initially="DEFERRED", deferrable=True)


def upgrade() -> None:
    op.create_table(
        "waitlist_entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("not_before", sa.Time()),
        sa.Column("not_after", sa.Time()),
        sa.Column("notice_minutes", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _state("waitstate", "waiting", "done", "withdrawn"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _points_to("waitlist_entry", "procedure_id", "requested_procedure"),
        _points_to("waitlist_entry", "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entry")),
    )
    op.create_index(
        "uq_waitlist_entry_waiting", "waitlist_entry", ["procedure_id"], unique=True,
        sqlite_where=sa.text(WAITING), postgresql_where=sa.text(WAITING),
    )  # fmt: skip
    op.create_index("ix_waitlist_entry_site_id_state", "waitlist_entry", ["site_id", "state"])
    op.create_table(
        "waitlist_proposal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("entry_id", KEY, nullable=False),
        sa.Column("room_id", KEY, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("places", sa.JSON(), nullable=False),
        _state("proposalstate", "open", "accepted", "declined"),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _points_to("waitlist_proposal", "entry_id", "waitlist_entry"),
        _points_to("waitlist_proposal", "room_id", "room"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_proposal")),
    )
    op.create_index("ix_waitlist_proposal_entry_id", "waitlist_proposal", ["entry_id"])


def downgrade() -> None:
    op.drop_table("waitlist_proposal")
    op.drop_table("waitlist_entry")
