"""Who takes a resource on PostgreSQL waits for its turn

Two transactions that insert overlapping rows at once each wait for the other, so that the exclusion constraint alone
ends a rush on one slot in deadlocks, each a second long; the loser then hears that the database is away. The key is that of
UnitOfWork.lock.
"""

from alembic import op

revision = "7d20c4f1b6e3"
down_revision = "004ba5550077"
branch_labels = None
depends_on = None

TAKE_TURN = """
CREATE FUNCTION ris_take_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.resource, 0));
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(TAKE_TURN)
        op.execute(
            "CREATE TRIGGER occupancy_turn BEFORE INSERT OR UPDATE OF resource, lane, starts_at, ends_at ON occupancy "
            "FOR EACH ROW EXECUTE FUNCTION ris_take_turn()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER occupancy_turn ON occupancy")
        op.execute("DROP FUNCTION ris_take_turn")
