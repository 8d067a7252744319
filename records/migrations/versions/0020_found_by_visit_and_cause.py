"""Texts are found by their visit, items by their cause, patients by the end of their hold.

Each answer about a visit, and each text about one that ended, read the whole outbox for the others;
each duty read all items of its clinic for its own, and each look at holds all patients.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_message_appointment")
        op.create_index(
            "ix_message_appointment",
            "message",
            ["appointment_id"],
            postgresql_where=sa.text("appointment_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_follow_up_cause")
        op.create_index(
            "ix_follow_up_cause", "follow_up", ["clinic_id", "cause"], postgresql_concurrently=True
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_patient_held")
        op.create_index(
            "ix_patient_held",
            "patient",
            ["held_until"],
            postgresql_where=sa.text("status = 'held'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    raise NotImplementedError("Aftercare goes forward only: restore a backup instead")
