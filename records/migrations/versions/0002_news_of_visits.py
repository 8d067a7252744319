"""News of visits, and safe hours: what is to be told when, and when a patient wants texts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "clinic", sa.Column("visits_imported_at", sa.DateTime(timezone=True), nullable=True)
    )
    for name in ("cancelled_at", "no_show_at", "announced_at"):
        op.add_column("appointment", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ("safe_from", "safe_until"):
        op.add_column("patient", sa.Column(name, sa.Time(), nullable=True))
    # A clinic that has visits has imported before: its next import is no first one.
    op.execute(
        "UPDATE clinic SET visits_imported_at = now()"
        " WHERE EXISTS (SELECT 1 FROM appointment a WHERE a.clinic_id = clinic.id)"
    )
