"""Patients who share a number: a tag of their own in every text, or calls instead of texts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("patient", sa.Column("tag", sa.LargeBinary(), nullable=True))
    op.add_column(
        "patient",
        sa.Column("calls_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
