"""Pages taken by answering their text, and the record of what was told to somebody outside."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("page", sa.Column("reply_code", sa.SmallInteger(), nullable=True))
    op.create_index("ix_page_person", "page", ["clinic_id", "person", "at"], unique=False)
    op.create_table(
        "disclosure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("follow_up_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("recipient", sa.LargeBinary(), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_disclosure_clinic_id")),
        sa.ForeignKeyConstraint(
            ["patient_id", "clinic_id"],
            ["patient.id", "patient.clinic_id"],
            name=op.f("fk_disclosure_patient_id_clinic_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follow_up_id", "clinic_id"],
            ["follow_up.id", "follow_up.clinic_id"],
            name=op.f("fk_disclosure_follow_up_id_clinic_id"),
        ),
        sa.PrimaryKeyConstraint("id", "clinic_id", name=op.f("pk_disclosure")),
    )
    op.create_index("ix_disclosure_patient", "disclosure", ["patient_id", "at"], unique=False)
    op.create_index("ix_disclosure_follow_up", "disclosure", ["follow_up_id"], unique=False)
    # What was said once can't be unsaid: a mistake is mended by a further entry.
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosure"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute('GRANT SELECT, INSERT ON disclosure TO "aftercare_app"')
