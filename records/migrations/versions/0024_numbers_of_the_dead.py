"""Numbers of patients who died are texted nothing more, whoever else has them (care rule 24)."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO opt_out (clinic_id, phone_blind, reason, occurred_at)"
        " SELECT DISTINCT clinic_id, phone_blind, 'deceased', clock_timestamp() FROM patient"
        " WHERE status = 'closed' AND status_reason = 'deceased'"
        " ON CONFLICT (clinic_id, phone_blind) DO UPDATE SET reason = 'deceased', lifted_at = NULL"
    )
