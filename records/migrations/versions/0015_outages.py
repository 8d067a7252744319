"""Since when the carrier takes no text of a sender's, and when one last arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The block below commits what stands before it: broken off there, this is run once more.
    for name in ("failing_since", "arrived_at"):
        column = sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        op.add_column("sender", column, if_not_exists=True)
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_message_not_arrived")
        op.create_index(
            "ix_message_not_arrived",
            "message",
            ["clinic_id", "final_at"],
            postgresql_where=sa.text("status IN ('failed', 'undelivered')"),
            postgresql_concurrently=True,
        )
