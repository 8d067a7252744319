"""The dose that a clinician has to decide on with an item."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty for what is open already: the next minute's round fills it in.
    op.add_column("follow_up", sa.Column("dose_at", sa.DateTime(timezone=True), nullable=True))
