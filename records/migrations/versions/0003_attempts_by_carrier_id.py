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
        op.create_index(
            "ix_attempt_sid",
            "attempt",
            ["sid"],
            postgresql_where=sa.text("sid IS NOT NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
