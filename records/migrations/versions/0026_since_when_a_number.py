"""Of two patients on one number, who had it first is texted, and not whose record is older."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of those that are there the older record has it, as before: all have the same instant.
    op.add_column(
        "patient",
        sa.Column(
            "number_since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
