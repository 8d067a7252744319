"""Completed forms: what was told of each, with its scores, so that telling again is known."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "filled_form",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scores", sa.LargeBinary(), nullable=False),
        sa.Column("scores_blind", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_filled_form_patient_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_filled_form")),
    )
    op.create_index(
        "ix_filled_form_patient", "filled_form", ["patient_id", "form", "filled_at"], unique=False
    )
    # A form told of once more with other scores is another row; none is rewritten.
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON filled_form"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute('GRANT SELECT, INSERT ON filled_form TO "aftercare_app"')
