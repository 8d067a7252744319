"""What the last file said of each patient and visit, so that staff's edits win over a repetition."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("patient", sa.Column("imported", sa.LargeBinary(), nullable=True))
    op.add_column("appointment", sa.Column("imported", sa.LargeBinary(), nullable=True))
