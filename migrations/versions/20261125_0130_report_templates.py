"""Report templates, image viewers, and the doubts that somebody signed against"""

import sqlalchemy as sa
from alembic import op

revision = "a3d84f60c1e7"
down_revision = "3c91e07ab5d2"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOUBT = "overridden_doubt"
KEPT = f"'{DOUBT} is not changed once it is written'"


def upgrade() -> None:
    op.create_table(
        "report_template",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("procedure_id", KEY, nullable=True),
        sa.Column("modality", _choice("modality", "CT", "MR", "US", "DX", "MG", "NM"), nullable=True),
        sa.Column("site_id", KEY, nullable=True),
        sa.Column("sex", _choice("sex", "F", "M", "O", "U"), nullable=True),
        sa.Column("age_from", sa.Integer(), nullable=True),
        sa.Column("age_to", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _to("report_template", "procedure_id", "procedure"),
        _to("report_template", "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_template")),
        sa.UniqueConstraint("code", name=op.f("uq_report_template_code")),
    )
    op.create_index(op.f("ix_report_template_procedure_id"), "report_template", ["procedure_id"])
    op.create_table(
        "image_viewer",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _to("image_viewer", "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_viewer")),
        sa.UniqueConstraint("site_id", name=op.f("uq_image_viewer_site_id")),
    )
    op.create_table(
        DOUBT,
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("check", "says", "excerpt", "reason")),
        _to(DOUBT, "version_id", "report_version"),
        sa.PrimaryKeyConstraint("version_id", "position", name=op.f("pk_overridden_doubt")),
    )
    for statement in _triggers():
        op.execute(statement)


def downgrade() -> None:
    for table in (DOUBT, "image_viewer", "report_template"):
        op.drop_table(table)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, deferrable=True, initially="DEFERRED")


def _triggers() -> list[str]:
    if op.get_bind().dialect.name == "postgresql":
        return [
            f"CREATE TRIGGER {DOUBT}_keep BEFORE UPDATE OR DELETE ON {DOUBT} FOR EACH ROW EXECUTE FUNCTION ris_refuse()",
            f"CREATE TRIGGER {DOUBT}_keep_all BEFORE TRUNCATE ON {DOUBT} FOR EACH STATEMENT EXECUTE FUNCTION ris_refuse()",
        ]
    same = "version_id = NEW.version_id AND position = NEW.position"
    replaces = f"EXISTS (SELECT 1 FROM {DOUBT} WHERE {same})"  # noqa: S608 (constants of this file)
    return [
        f"CREATE TRIGGER {DOUBT}_keep_{name} BEFORE {what} ON {DOUBT} WHEN {condition} BEGIN SELECT RAISE(ABORT, {KEPT}); END"
        for name, what, condition in (("delete", "DELETE", "1"), ("update", "UPDATE", "1"), ("replace", "INSERT", replaces))
    ]
