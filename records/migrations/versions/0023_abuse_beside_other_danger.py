"""Texts say whether they tell of abuse beside another danger, which is not answered with more.

Of texts that came before only those are known that told of nothing else; `value` says so.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "inbound",
        sa.Column("abuse", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
