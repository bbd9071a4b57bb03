"""Questionnaires with their versions, what was answered, tablets; answers and alerts that hold for a while"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "e41c7b90d2a6"
down_revision = "5b7e20d9c4f1"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
STATUS = sa.Enum(
    "in-progress", "completed", "amended", "stopped", name="responsestatus", native_enum=False, create_constraint=True, length=32
)  # fmt: skip
QUESTIONS = ("implant", "pregnancy", "contrast_reaction")
ALERTS = ("language", "isolation", "fall_risk", "vip", "other")
MORE_ALERTS = ("language", "isolation", "fall_risk", "vip", "safety", "other")

COMPLETED = "OLD.completed_at IS NOT NULL"
CHANGED = "NEW.answers::text IS DISTINCT FROM OLD.answers::text OR NEW.version_id IS DISTINCT FROM OLD.version_id"
POSTGRESQL = (
    ("questionnaire_version_keep", "UPDATE OR DELETE", "questionnaire_version", "OLD.published_at IS NOT NULL"),
    ("questionnaire_response_keep", "UPDATE", "questionnaire_response", f"{COMPLETED} AND ({CHANGED})"),
    ("questionnaire_response_stay", "DELETE", "questionnaire_response", COMPLETED),
)


def upgrade() -> None:
    _choices("screening_answer", "question", "question", QUESTIONS, (*QUESTIONS, "kidney_disease"))
    _choices("patient_alert", "kind", "alertkind", ALERTS, MORE_ALERTS)
    for table in ("screening_answer", "patient_alert"):
        op.add_column(table, sa.Column("holds_until", MOMENT, nullable=True))
    _questionnaires()
    _responses()
    _tablets()
    for statement in _triggers():
        op.execute(statement)
    op.execute("INSERT INTO role_permission (role_id, permission) SELECT id, 'form:manage' FROM role WHERE code = 'administrator'")


def downgrade() -> None:
    op.execute("DELETE FROM role_permission WHERE permission = 'form:manage'")
    for table in ("tablet_session", "questionnaire_response", "questionnaire_version", "questionnaire"):
        op.drop_table(table)
    op.execute("DELETE FROM screening_answer WHERE question = 'kidney_disease'")
    op.execute("DELETE FROM patient_alert WHERE kind = 'safety'")
    for table in ("screening_answer", "patient_alert"):
        with keeping_triggers(), op.batch_alter_table(table) as batch_op:
            batch_op.drop_column("holds_until")
    _choices("screening_answer", "question", "question", (*QUESTIONS, "kidney_disease"), QUESTIONS)
    _choices("patient_alert", "kind", "alertkind", MORE_ALERTS, ALERTS)


def _choices(table: str, column: str, name: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """What a column may hold."""

    def kind(values: tuple[str, ...]) -> sa.Enum:
        return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)

    with keeping_triggers(), op.batch_alter_table(table) as batch_op:
        batch_op.alter_column(column, existing_type=kind(before), type_=kind(after), existing_nullable=False)


def _references(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, deferrable=True, initially="DEFERRED")


def _questionnaires() -> None:
    op.create_table(
        "questionnaire",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questionnaire")),
        sa.UniqueConstraint("code", name=op.f("uq_questionnaire_code")),
    )
    op.create_table(
        "questionnaire_version",
        sa.Column("id", KEY, nullable=False),
        sa.Column("questionnaire_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _references("questionnaire_version", "questionnaire_id", "questionnaire"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questionnaire_version")),
        sa.UniqueConstraint("questionnaire_id", "number", name=op.f("uq_questionnaire_version_questionnaire_id_number")),
    )


def _responses() -> None:
    op.create_table(
        "questionnaire_response",
        sa.Column("id", KEY, nullable=False),
        sa.Column("patient_id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.Column("completed_by", sa.Text(), nullable=False),
        sa.Column("by_patient", sa.Boolean(), nullable=False),
        sa.Column("valid_until", MOMENT, nullable=True),
        sa.Column("corrects_id", KEY, nullable=True),
        sa.Column("correction_reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        _references("questionnaire_response", "patient_id", "patient"),
        _references("questionnaire_response", "procedure_id", "requested_procedure"),
        _references("questionnaire_response", "version_id", "questionnaire_version"),
        _references("questionnaire_response", "corrects_id", "questionnaire_response"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questionnaire_response")),
    )
    for column in ("patient_id", "procedure_id"):
        op.create_index(op.f(f"ix_questionnaire_response_{column}"), "questionnaire_response", [column])


def _tablets() -> None:
    op.create_table(
        "tablet_session",
        sa.Column("id", KEY, nullable=False),
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("response_ids", sa.JSON(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=True),
        sa.Column("csrf_secret", sa.Text(), nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=False),
        _references("tablet_session", "procedure_id", "requested_procedure"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tablet_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tablet_session_token_hash")),
    )
    for column in ("procedure_id", "code_hash"):
        op.create_index(op.f(f"ix_tablet_session_{column}"), "tablet_session", [column])


def _triggers() -> list[str]:
    """A published version and the answers of a completed response stay as they are, also for raw SQL."""
    if op.get_bind().dialect.name == "postgresql":
        return [_keeping(*trigger) for trigger in POSTGRESQL]
    version, answers = "questionnaire_version is not changed once it is published", "a completed response is not changed"
    changed = "OLD.completed_at IS NOT NULL AND (NEW.answers IS NOT OLD.answers OR NEW.version_id IS NOT OLD.version_id)"
    return [
        _refusing("questionnaire_version_update", "UPDATE", "questionnaire_version", "OLD.published_at IS NOT NULL", version),
        _refusing("questionnaire_version_delete", "DELETE", "questionnaire_version", "OLD.published_at IS NOT NULL", version),
        _refusing("questionnaire_response_update", "UPDATE", "questionnaire_response", changed, answers),
        _refusing("questionnaire_response_delete", "DELETE", "questionnaire_response", "OLD.completed_at IS NOT NULL", answers),
    ]


def _keeping(name: str, what: str, table: str, when: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION ris_refuse()"


def _refusing(name: str, what: str, table: str, when: str, said: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {what} ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, '{said}'); END"
