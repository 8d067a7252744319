"""When silence on a question about a visit is looked at next, so that nobody looks each minute."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "check_in", sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True)
    )
