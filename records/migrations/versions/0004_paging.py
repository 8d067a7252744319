"""Paging: the ladder's clocks on each follow-up, pages, and how each was delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    for name in ("climbs_at", "run_at", "run_acknowledged_at", "joined_at", "noack_at"):
        op.add_column("follow_up", _instant(name))
    op.add_column("follow_up", sa.Column("taken_by", sa.Text(), nullable=True))
    op.add_column(
        "follow_up", sa.Column("rung", sa.SmallInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index(
        "ix_follow_up_climbs",
        "follow_up",
        ["climbs_at"],
        unique=False,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "page",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("follow_up_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        _instant("at", nullable=False),
        _instant("sent_at"),
        _instant("acknowledged_at"),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        _instant("closed_at"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_page_clinic_id")),
        sa.ForeignKeyConstraint(
            ["follow_up_id", "clinic_id"],
            ["follow_up.id", "follow_up.clinic_id"],
            name=op.f("fk_page_follow_up_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_page")),
    )
    op.create_index("ix_page_follow_up", "page", ["follow_up_id", "at"], unique=False)
    op.create_index("ix_page_kind", "page", ["clinic_id", "kind", "at"], unique=False)
    op.create_index(
        "uq_page_cause",
        "page",
        ["clinic_id", "cause"],
        unique=True,
        postgresql_where=sa.text("cause IS NOT NULL"),
    )
    op.create_table(
        "page_delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        _instant("next_at"),
        _instant("expires_at", nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        _instant("accepted_at"),
        _instant("final_at"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["page_id", "clinic_id"],
            ["page.id", "page.clinic_id"],
            name=op.f("fk_page_delivery_page_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_page_delivery")),
    )
    op.create_index("ix_page_delivery_page", "page_delivery", ["page_id"], unique=False)
    op.create_index(
        "ix_page_delivery_due",
        "page_delivery",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(
        "ix_inbound_follow_up",
        "inbound",
        ["follow_up_id"],
        unique=False,
        postgresql_where=sa.text("follow_up_id IS NOT NULL"),
    )
    op.execute('GRANT SELECT, INSERT, UPDATE ON page, page_delivery TO "aftercare_app"')
