"""Publishing: which version an enrollment follows, and proposals that a clinician approves."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty for what was planned before: it is then planned once more when a version comes.
    op.add_column("enrollment", sa.Column("protocol_number", sa.Integer(), nullable=True))
    op.add_column("protocol_version", sa.Column("restores", sa.Integer(), nullable=True))
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("safety", postgresql.JSONB(), nullable=False),
        sa.Column("base_number", sa.Integer(), nullable=True),
        sa.Column("base_settings", sa.Text(), nullable=False),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.Column("end_running", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_proposal_clinic_id")),
        sa.ForeignKeyConstraint(
            ["proposed_by", "clinic_id"],
            ["staff.id", "staff.clinic_id"],
            name=op.f("fk_proposal_proposed_by_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_proposal")),
    )
    op.create_index(
        "uq_proposal_open",
        "proposal",
        ["clinic_id", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "proposal_approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id", "clinic_id"],
            ["proposal.id", "proposal.clinic_id"],
            name=op.f("fk_proposal_approval_proposal_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id", "clinic_id"],
            ["staff.id", "staff.clinic_id"],
            name=op.f("fk_proposal_approval_staff_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_proposal_approval")),
        sa.UniqueConstraint(
            "proposal_id", "language", name=op.f("uq_proposal_approval_proposal_id_language")
        ),
    )
    # Who approved what is rewritten by nobody.
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_approval"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute('GRANT SELECT, INSERT, UPDATE ON proposal TO "aftercare_app"')
    op.execute('GRANT SELECT, INSERT ON proposal_approval TO "aftercare_app"')
