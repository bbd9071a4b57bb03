"""What the database itself enforces: no double booking, nothing rewritten that was said, each number given once"""

# ruff: noqa: S608 (every name in the statements is a constant of this file)

from alembic import op

revision = "5b1d0c7a2e90"
down_revision = "c92e6ec16f6a"
branch_labels = None
depends_on = None

SEQUENCES = ("accession", "filler", "export")
INSERT_ONLY = ("audit_entry", "audit_seal", "event", "attempt")
KEYS = {"audit_seal": "position"}
"""Primary keys that are not called id."""
REPORT_VERSION = (
    "id", "report_id", "number", "kind", "text", "signer_id", "signer_name", "meaning", "method", "signed_at", "digest",
    "identifiers", "publish_at",
)  # fmt: skip
MESSAGE = ("id", "raw", "digest", "control_id")


def upgrade() -> None:
    statements = _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite()
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    statements = _postgresql_back() if op.get_bind().dialect.name == "postgresql" else _sqlite_back()
    for statement in statements:
        op.execute(statement)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSE = """
CREATE FUNCTION ris_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is not changed once it is written', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""

REFUSE_BUT_PUBLISH = """
CREATE FUNCTION ris_refuse_but_publish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NULL AND to_jsonb(NEW) - 'published_at' = to_jsonb(OLD) - 'published_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'report_version is not changed once it is signed' USING ERRCODE = 'restrict_violation';
END $$
"""


def _postgresql() -> list[str]:
    return [
        "CREATE EXTENSION IF NOT EXISTS btree_gist",
        (
            "ALTER TABLE occupancy ADD CONSTRAINT ex_occupancy_overlap EXCLUDE USING gist "
            "(resource WITH =, lane WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)"
        ),
        *(f"CREATE SEQUENCE seq_{name}" for name in SEQUENCES),
        REFUSE,
        REFUSE_BUT_PUBLISH,
        *(_refusing(table, "UPDATE OR DELETE") for table in INSERT_ONLY),
        _refusing("report_version", "DELETE"),
        "CREATE TRIGGER report_version_publish BEFORE UPDATE ON report_version FOR EACH ROW EXECUTE FUNCTION ris_refuse_but_publish()",
        _refusing("message", "DELETE"),
        (
            "CREATE TRIGGER message_bytes BEFORE UPDATE ON message FOR EACH ROW "
            f"WHEN ({' OR '.join(f'NEW.{c} IS DISTINCT FROM OLD.{c}' for c in MESSAGE)}) EXECUTE FUNCTION ris_refuse()"
        ),
        *(
            f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ris_refuse()"
            for table in (*INSERT_ONLY, "report_version", "message")
        ),
    ]


def _refusing(table: str, what: str) -> str:
    return f"CREATE TRIGGER {table}_keep BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION ris_refuse()"


def _postgresql_back() -> list[str]:
    tables = (*INSERT_ONLY, "report_version", "message")
    return [
        "DROP TRIGGER report_version_publish ON report_version",
        "DROP TRIGGER message_bytes ON message",
        *(f"DROP TRIGGER {table}_{name} ON {table}" for table in tables for name in ("keep", "keep_all")),
        "DROP FUNCTION ris_refuse_but_publish",
        "DROP FUNCTION ris_refuse",
        *(f"DROP SEQUENCE seq_{name}" for name in SEQUENCES),
        "ALTER TABLE occupancy DROP CONSTRAINT ex_occupancy_overlap",
    ]


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sqlite() -> list[str]:
    return [
        *(f"INSERT INTO sequence_value (name, value) VALUES ('{name}', 0)" for name in SEQUENCES),
        _no_overlap("insert", "INSERT"),
        _no_overlap("update", "UPDATE OF resource, lane, starts_at, ends_at"),
        *(statement for table in INSERT_ONLY for statement in _insert_only(table)),
        _trigger("report_version", "delete", "DELETE"),
        _trigger("report_version", "update", "UPDATE", f"NOT (OLD.published_at IS NULL AND {_same(REPORT_VERSION)})"),
        _no_replacing("report_version", "id = NEW.id OR (report_id = NEW.report_id AND number = NEW.number)"),
        _trigger("message", "delete", "DELETE"),
        _trigger("message", "update", "UPDATE", f"NOT ({_same(MESSAGE)})"),
        _no_replacing("message", "id = NEW.id"),
    ]


def _no_overlap(name: str, when: str) -> str:
    return (
        f"CREATE TRIGGER occupancy_overlap_{name} BEFORE {when} ON occupancy "
        "WHEN EXISTS (SELECT 1 FROM occupancy AS o WHERE o.resource = NEW.resource AND o.lane = NEW.lane "
        "AND o.starts_at < NEW.ends_at AND o.ends_at > NEW.starts_at AND o.id <> NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'occupancy overlaps'); END"
    )


def _insert_only(table: str) -> list[str]:
    key = KEYS.get(table, "id")
    return [_trigger(table, "delete", "DELETE"), _trigger(table, "update", "UPDATE"), _no_replacing(table, f"{key} = NEW.{key}")]


def _no_replacing(table: str, same: str) -> str:
    """INSERT OR REPLACE takes the old row away without firing the trigger on DELETE."""
    return _trigger(table, "replace", "INSERT", f"EXISTS (SELECT 1 FROM {table} WHERE {same})")


def _trigger(table: str, name: str, what: str, condition: str = "1") -> str:
    return (
        f"CREATE TRIGGER {table}_keep_{name} BEFORE {what} ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not changed once it is written'); END"
    )


def _same(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"NEW.{c} IS OLD.{c}" for c in columns)


def _sqlite_back() -> list[str]:
    tables = (*INSERT_ONLY, "report_version", "message")
    return [
        *(f"DROP TRIGGER {table}_keep_{name}" for table in tables for name in ("delete", "update", "replace")),
        "DROP TRIGGER occupancy_overlap_insert",
        "DROP TRIGGER occupancy_overlap_update",
        "DELETE FROM sequence_value",
    ]
