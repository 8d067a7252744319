"""Texts are found by when the carrier took them.

The nightly comparison asks for those of one day: it read the SIDs of all there ever were, and once
that took longer than a statement may, it began again every ten minutes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was broken off half way stands there invalid, and is made anew.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_message_accepted")
        op.create_index(
            "ix_message_accepted",
            "message",
            ["accepted_at"],
            postgresql_where=sa.text("sid IS NOT NULL"),
            postgresql_concurrently=True,
        )
