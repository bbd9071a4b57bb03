"""Keys by which patients are searched for"""

import sqlalchemy as sa
from alembic import op

revision = "e83b1d5f70c2"
down_revision = "e4a6d19b0c35"
branch_labels = None
depends_on = None

NEW = ("family_last", "sound", "phone_key")


def upgrade() -> None:
    by_code_point = sa.Text(collation="C") if op.get_context().dialect.name == "postgresql" else sa.Text()
    for name in NEW:
        op.add_column("patient", sa.Column(name, by_code_point, nullable=False, server_default=""))
    if op.get_context().dialect.name == "postgresql":
        for name in ("family_key", "given_key"):
            op.alter_column("patient", name, type_=by_code_point)
    op.create_index("ix_patient_given", "patient", ["given_key"])
    op.create_index("ix_patient_sound", "patient", ["sound"])
    op.create_index("ix_patient_birth_date", "patient", ["birth_date"])
    _partial("ix_patient_phone", "phone_key <> ''", "phone_key")
    op.drop_index("ix_patient_merged_into_id", "patient")
    _partial("ix_patient_merged_into_id", "merged_into_id IS NOT NULL", "merged_into_id")
    _partial("ix_patient_family_last", "family_last <> ''", "family_last", "given_key")


def _partial(name: str, where: str, *columns: str) -> None:
    op.create_index(name, "patient", list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name in ("family_last", "phone", "birth_date", "sound", "given"):
        op.drop_index(f"ix_patient_{name}", "patient")
    op.drop_index("ix_patient_merged_into_id", "patient")
    op.create_index("ix_patient_merged_into_id", "patient", ["merged_into_id"])
    if op.get_context().dialect.name == "postgresql":
        for name in ("family_key", "given_key"):
            op.alter_column("patient", name, type_=sa.Text(collation="default"))
    for name in NEW:
        op.drop_column("patient", name)
