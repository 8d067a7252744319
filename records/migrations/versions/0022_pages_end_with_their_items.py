"""Pages whose item has ended are closed: those of items that ended by themselves had stayed open.

Whoever answered a page was asked which of them was meant, and numbers to answer by ran out.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE page SET closed_at = COALESCE(f.resolved_at, clock_timestamp()) FROM follow_up f"
        " WHERE f.id = page.follow_up_id AND f.status = 'resolved' AND page.closed_at IS NULL"
    )
    op.execute(
        "UPDATE page_delivery d SET status = 'not_needed', next_at = NULL,"
        " final_at = clock_timestamp() FROM page p WHERE p.id = d.page_id AND d.status IN ('planned', 'sending')"
        " AND p.closed_at IS NOT NULL AND p.follow_up_id IS NOT NULL"
    )
