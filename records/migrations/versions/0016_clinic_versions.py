"""Every version of a clinic's file, so that one can be looked up and brought back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clinic_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.Column("applied_by", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinic.id"], name=op.f("fk_clinic_version_clinic_id")
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_clinic_version")),
        sa.UniqueConstraint(
            "clinic_id", "number", name=op.f("uq_clinic_version_clinic_id_number")
        ),
    )
    # What is in force when versions begin to be kept is the first that can be brought back.
    op.execute(
        "INSERT INTO clinic_version (id, clinic_id, number, settings, applied_by, applied_at)"
        " SELECT gen_random_uuid(), id, version, settings, 'upgrade', updated_at FROM clinic"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON clinic_version"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute('GRANT SELECT, INSERT ON clinic_version TO "aftercare_app"')
