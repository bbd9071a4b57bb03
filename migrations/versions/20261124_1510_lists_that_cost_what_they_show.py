"""Lists that cost what they show: unread exams as rows of their own, appointments by status

A worklist is polled each three seconds. Without these it walks through everything that was ever done at the site.
"""

import sqlalchemy as sa
from alembic import op

revision = "c2a94e61d7f0"
down_revision = "bd6336fb215f"
branch_labels = None
depends_on = None

UNREAD = """
INSERT INTO unread_exam (procedure_id, site_id)
SELECT requested_procedure.id, requested_procedure.site_id FROM requested_procedure
LEFT JOIN report_procedure ON report_procedure.procedure_id = requested_procedure.id
LEFT JOIN report ON report.id = report_procedure.report_id
WHERE requested_procedure.status = 'completed' AND (report.id IS NULL OR report.status IN ('draft', 'preliminary'))
"""


def upgrade() -> None:
    op.create_table(
        "unread_exam",
        sa.Column("procedure_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"],
            ["requested_procedure.id"],
            name=op.f("fk_unread_exam_procedure_id_requested_procedure"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_unread_exam_site_id_site"), deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("procedure_id", name=op.f("pk_unread_exam")),
    )
    op.create_index(op.f("ix_unread_exam_site_id"), "unread_exam", ["site_id"])
    op.execute(UNREAD)
    op.create_index("ix_scheduled_procedure_step_status_site_id", "scheduled_procedure_step", ["status", "site_id"])


def downgrade() -> None:
    op.drop_index("ix_scheduled_procedure_step_status_site_id", "scheduled_procedure_step")
    op.drop_table("unread_exam")
