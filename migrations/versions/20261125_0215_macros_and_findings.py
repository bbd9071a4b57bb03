"""Macros, coded findings of drafts and of signed versions, and which procedures ask for them"""

import sqlalchemy as sa
from alembic import op

revision = "d1c58e27f409"
down_revision = "9be14c3f70a2"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEPT = "version_finding"


def upgrade() -> None:
    _edited("macro", _texts("shelf", "shortcut", "name", "text"), unique=("shelf", "shortcut"))
    _edited(
        "finding_code", [*_texts("scheme", "code", "name", "unit"), sa.Column("position", sa.Integer(), nullable=False)],
        unique=("scheme", "code"),
    )  # fmt: skip
    _edited(
        "procedure_scheme",
        [
            sa.Column("procedure_id", KEY, nullable=False), *_texts("scheme"), sa.Column("required", sa.Boolean(), nullable=False),
            _to("procedure_scheme", "procedure_id", "procedure"),
        ],
        unique=("procedure_id", "scheme"),
    )  # fmt: skip
    for table, of, columns in (
        ("draft_finding", "report", ("scheme", "code", "value")),
        (KEPT, "report_version", ("scheme", "code", "name", "value", "unit")),
    ):
        key = f"{of.removeprefix('report_')}_id"
        op.create_table(
            table, sa.Column(key, KEY, nullable=False), *_texts(*columns), _to(table, key, of),
            sa.PrimaryKeyConstraint(key, "scheme", "code", name=op.f(f"pk_{table}")),
        )  # fmt: skip
    for statement in _triggers():
        op.execute(statement)


def downgrade() -> None:
    for table in (KEPT, "draft_finding", "procedure_scheme", "finding_code", "macro"):
        op.drop_table(table)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _edited(table: str, columns: list[sa.Column[str]], *, unique: tuple[str, str]) -> None:
    op.create_table(
        table, sa.Column("id", KEY, nullable=False), *columns, sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint(*unique, name=op.f(f"uq_{table}_{'_'.join(unique)}")),
    )  # fmt: skip


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, deferrable=True, initially="DEFERRED")


def _triggers() -> list[str]:
    if op.get_bind().dialect.name == "postgresql":
        return [
            f"CREATE TRIGGER {KEPT}_keep BEFORE UPDATE OR DELETE ON {KEPT} FOR EACH ROW EXECUTE FUNCTION ris_refuse()",
            f"CREATE TRIGGER {KEPT}_keep_all BEFORE TRUNCATE ON {KEPT} FOR EACH STATEMENT EXECUTE FUNCTION ris_refuse()",
        ]
    same = "version_id = NEW.version_id AND scheme = NEW.scheme AND code = NEW.code"
    replaces = f"EXISTS (SELECT 1 FROM {KEPT} WHERE {same})"  # noqa: S608 (constants of this file)
    refuse = f"RAISE(ABORT, '{KEPT} is not changed once it is written')"
    return [
        f"CREATE TRIGGER {KEPT}_keep_{name} BEFORE {what} ON {KEPT} WHEN {condition} BEGIN SELECT {refuse}; END"
        for name, what, condition in (("delete", "DELETE", "1"), ("update", "UPDATE", "1"), ("replace", "INSERT", replaces))
    ]
