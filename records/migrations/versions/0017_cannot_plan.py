"""Give items about a patient who can't be planned a reason that is no text's reason as well.

`not_planned` is why a text was withdrawn. A process of the release before may still open one under
the old name: it is shown alike, and the new one joins none of the old.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


#: Of open items only: what is resolved is history.
RENAMED = r"""
    UPDATE follow_up SET reason = 'cannot_plan',
        cause = 'cannot_plan' || substr(cause, length('not_planned') + 1)
    WHERE reason = 'not_planned' AND status <> 'resolved' AND cause LIKE 'not\_planned:%'
      AND NOT EXISTS (
        SELECT 1 FROM follow_up other
        WHERE other.clinic_id = follow_up.clinic_id AND other.status <> 'resolved'
          AND other.cause = 'cannot_plan' || substr(follow_up.cause, length('not_planned') + 1))
"""


def upgrade() -> None:
    op.execute(RENAMED)
