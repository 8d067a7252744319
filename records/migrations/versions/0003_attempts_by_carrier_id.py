"""Find an attempt by the carrier's id: each look at the carrier's list asks for many."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Built beside the running house: no worker waits for it.
    with op.get_context().autocommit_block():
        # One that was broken off half way stands there invalid, and is made anew.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_attempt_sid")
        op.create_index(
            "ix_attempt_sid",
            "attempt",
            ["sid"],
            postgresql_where=sa.text("sid IS NOT NULL"),
            postgresql_concurrently=True,
        )
