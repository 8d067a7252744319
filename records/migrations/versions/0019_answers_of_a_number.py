"""The answers to a number are found by the number.

By the texts that they answer, each text of a flood cost a look at all those before it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_message_answers")
        op.create_index(
            "ix_message_answers",
            "message",
            ["clinic_id", "recipient_blind", "due_at"],
            postgresql_where=sa.text("inbound_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
