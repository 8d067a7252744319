"""Since when a conversation with staff rests a patient's check-ins, until a person ends it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "patient", sa.Column("conversation_since", sa.DateTime(timezone=True), nullable=True)
    )
