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


# Each index with its table, its columns, and which rows it holds; None: all.
_INDEXES = (
    ("ix_message_appointment", "message", ["appointment_id"], "appointment_id IS NOT NULL"),
    ("ix_follow_up_cause", "follow_up", ["clinic_id", "cause"], None),
    ("ix_patient_held", "patient", ["held_until"], "status = 'held'"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, columns, rows in _INDEXES:
            # One that was broken off half way stands there invalid, and is made anew.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(
                name,
                table,
                columns,
                postgresql_where=None if rows is None else sa.text(rows),
                postgresql_concurrently=True,
            )
