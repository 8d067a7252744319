"""A patient's own pause, kept where the rest of a crisis covers it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty for what rests already: `paused_until`, which older processes read, still says that.
    op.add_column(
        "patient", sa.Column("own_pause_until", sa.DateTime(timezone=True), nullable=True)
    )
