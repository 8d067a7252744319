"""Corrected readings: what staff say a text means, kept beside what the rules read."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reading_correction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("inbound_id", sa.Uuid(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinic.id"], name=op.f("fk_reading_correction_clinic_id")
        ),
        sa.ForeignKeyConstraint(
            ["inbound_id", "clinic_id"],
            ["inbound.id", "inbound.clinic_id"],
            name=op.f("fk_reading_correction_inbound_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_reading_correction")),
    )
    op.create_index(
        "ix_reading_correction_inbound", "reading_correction", ["inbound_id", "id"], unique=False
    )
    # A correction is corrected by another one; none is rewritten.
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reading_correction"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute('GRANT SELECT, INSERT ON reading_correction TO "aftercare_app"')
