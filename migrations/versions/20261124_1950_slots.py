"""What rooms can bear, who and what helps in them, steps of procedures, reserved blocks, holds, and how a site books"""

import sqlalchemy as sa
from alembic import op

from migrations.triggers import keeping_triggers

revision = "71a4e9c35d08"
down_revision = "0b7ac24d9e15"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "booking_policy",
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("room_change_minutes", sa.Integer(), nullable=False),
        sa.Column("site_change_minutes", sa.Integer(), nullable=False),
        sa.Column("combine_within_minutes", sa.Integer(), nullable=False),
        sa.Column("hides_useless_gaps", sa.Boolean(), nullable=False),
        sa.Column("hold_seconds", sa.Integer(), nullable=False),
        sa.Column("overbooked_at_once", sa.Integer(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_booking_policy_site_id_site"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_booking_policy")),
    )
    op.create_table(
        "procedure_need",
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("capability", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_procedure_need_procedure_id_procedure"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("procedure_id", "step", "capability", name=op.f("pk_procedure_need")),
    )
    op.create_table(
        "resource",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("equipment", "person", name="resourcekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_resource_site_id_site"), initially="DEFERRED", deferrable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("code", name=op.f("uq_resource_code")),
    )
    op.create_index("ix_resource_site_id", "resource", ["site_id"])
    op.create_table(
        "slot_hold",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("places", sa.JSON(), nullable=False),
        sa.Column("staff_sex", sa.Text(), nullable=False),
        sa.Column("with_anaesthesia", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_slot_hold_site_id_site"), initially="DEFERRED", deferrable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_hold")),
    )
    op.create_table(
        "step_plan",
        sa.Column("procedure_id", KEY, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gap_min_minutes", sa.Integer(), nullable=False),
        sa.Column("gap_max_minutes", sa.Integer(), nullable=False),
        sa.CheckConstraint("0 <= gap_min_minutes AND gap_min_minutes <= gap_max_minutes", name=op.f("ck_step_plan_gap_in_order")),
        sa.CheckConstraint("step >= 1", name=op.f("ck_step_plan_counted_from_one")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_step_plan_procedure_id_procedure"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("procedure_id", "step", name=op.f("pk_step_plan")),
    )
    op.create_table(
        "reserved_block",
        sa.Column("id", KEY, nullable=False),
        sa.Column("room_id", KEY, nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("begins", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column(
            "reserved_for",
            sa.Enum("emergency", "inpatient", name="reservedfor", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("release_minutes", sa.Integer(), nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("begins < ends", name=op.f("ck_reserved_block_begins_before_ends")),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_reserved_block_room_id_room"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reserved_block")),
    )
    op.create_index("ix_reserved_block_room_id", "reserved_block", ["room_id"])
    op.create_table(
        "resource_hours",
        sa.Column("id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("opens", sa.Time(), nullable=False),
        sa.Column("closes", sa.Time(), nullable=False),
        sa.CheckConstraint("opens < closes", name=op.f("ck_resource_hours_opens_before_closes")),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resource.id"], name=op.f("fk_resource_hours_resource_id_resource"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource_hours")),
    )
    op.create_index("ix_resource_hours_resource_id", "resource_hours", ["resource_id"])
    with keeping_triggers(), op.batch_alter_table("closure") as batch_op:
        batch_op.add_column(sa.Column("resource_id", KEY, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_closure_resource_id_resource"), "resource", ["resource_id"], ["id"], initially="DEFERRED", deferrable=True
        )

    with keeping_triggers(), op.batch_alter_table("occupancy") as batch_op:
        batch_op.add_column(sa.Column("hold_id", KEY, nullable=True))
        batch_op.alter_column("step_id", existing_type=KEY, nullable=True)
        batch_op.create_check_constraint(op.f("ck_occupancy_booked_or_held"), sa.text("(step_id IS NULL) <> (hold_id IS NULL)"))
        batch_op.create_index(batch_op.f("ix_occupancy_hold_id"), ["hold_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_occupancy_hold_id_slot_hold"), "slot_hold", ["hold_id"], ["id"], initially="DEFERRED", deferrable=True
        )

    with keeping_triggers(), op.batch_alter_table("room") as batch_op:
        batch_op.add_column(sa.Column("weight_limit_kg", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("gives_contrast", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("has_anaesthesia", sa.Boolean(), nullable=False, server_default=sa.false()))

    with keeping_triggers(), op.batch_alter_table("room_procedure") as batch_op:
        batch_op.add_column(sa.Column("step", sa.Integer(), nullable=False, server_default="1"))
        batch_op.drop_constraint("pk_room_procedure", type_="primary")
        batch_op.create_primary_key("pk_room_procedure", ["room_id", "procedure_id", "step"])

    with keeping_triggers(), op.batch_alter_table("scheduled_procedure_step") as batch_op:
        batch_op.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("name", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("booking_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("staff_sex", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("with_anaesthesia", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("overbook_reason", sa.Text(), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_scheduled_procedure_step_booking_id"), ["booking_id"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM occupancy WHERE hold_id IS NOT NULL")
    op.execute("DELETE FROM room_procedure WHERE step > 1")
    with keeping_triggers(), op.batch_alter_table("scheduled_procedure_step") as batch_op:
        batch_op.drop_index(batch_op.f("ix_scheduled_procedure_step_booking_id"))
        batch_op.drop_column("overbook_reason")
        batch_op.drop_column("with_anaesthesia")
        batch_op.drop_column("staff_sex")
        batch_op.drop_column("booking_id")
        batch_op.drop_column("name")
        batch_op.drop_column("number")

    with keeping_triggers(), op.batch_alter_table("room_procedure") as batch_op:
        batch_op.drop_constraint("pk_room_procedure", type_="primary")
        batch_op.drop_column("step")
        batch_op.create_primary_key("pk_room_procedure", ["room_id", "procedure_id"])

    with keeping_triggers(), op.batch_alter_table("room") as batch_op:
        batch_op.drop_column("has_anaesthesia")
        batch_op.drop_column("gives_contrast")
        batch_op.drop_column("weight_limit_kg")

    with keeping_triggers(), op.batch_alter_table("occupancy") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_occupancy_hold_id_slot_hold"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_occupancy_hold_id"))
        batch_op.drop_constraint(op.f("ck_occupancy_booked_or_held"), type_="check")
        batch_op.alter_column("step_id", existing_type=KEY, nullable=False)
        batch_op.drop_column("hold_id")

    with keeping_triggers(), op.batch_alter_table("closure") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_closure_resource_id_resource"), type_="foreignkey")
        batch_op.drop_column("resource_id")

    op.drop_table("resource_hours")
    op.drop_table("reserved_block")
    op.drop_table("step_plan")
    op.drop_table("slot_hold")
    op.drop_table("resource")
    op.drop_table("procedure_need")
    op.drop_table("booking_policy")
