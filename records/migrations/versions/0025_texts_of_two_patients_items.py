"""A text from a number that two patients share names each one's item, so that each finds it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The block below commits what stands before it: broken off there, this is run once more.
    op.add_column(
        "inbound",
        sa.Column("other_follow_ups", ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_inbound_other_follow_ups")
        op.create_index(
            "ix_inbound_other_follow_ups",
            "inbound",
            ["other_follow_ups"],
            postgresql_using="gin",
            postgresql_where=sa.text("other_follow_ups <> '{}'"),
            postgresql_concurrently=True,
        )
