"""Which texts said how to stop and whom to call, so that patients are told once every 30 days.

What went before says nothing of it: after the upgrade each patient is told once more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The block below commits what stands before it: broken off there, this is run once more.
    op.add_column(
        "message", sa.Column("tells_stop", sa.Boolean(), nullable=True), if_not_exists=True
    )
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_message_tells_stop")
        op.create_index(
            "ix_message_tells_stop",
            "message",
            ["patient_id", "due_at"],
            postgresql_where=sa.text("tells_stop"),
            postgresql_concurrently=True,
        )
