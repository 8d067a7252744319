"""The ledger says with a consent whether the patient was told that texts are not private."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty for what was written before, and where nobody said: the patient's profile has the last word.
    op.add_column("consent", sa.Column("risk_acknowledged", sa.Boolean(), nullable=True))
