"""`aftercare followups`: what a person has to do."""

import typer

from cli import listing, output
from cli.session import services
from records import worklist

app = typer.Typer(add_completion=False)

#: Other programs read these: names are added, never changed.
FIELDS = (
    "id",
    "patient_id",
    "reason",
    "severity",
    "status",
    "owner",
    "opened_at",
    "due_at",
    "escalation_level",
    "outcome",
    "source",
    "dose_at",
    "times_joined",
)
_COLUMNS = ("id", "patient_id", "reason", "severity", "status", "owner", "due_at", "outcome")
_STATUSES = ("open", "acknowledged", "resolved")


@app.command(epilog="Example: aftercare followups --status open,acknowledged")
def followups(
    patient: str | None = listing.PATIENT,
    clinic: str | None = listing.CLINIC,
    status: str | None = listing.STATUS,
    since: str | None = listing.SINCE,
    until: str | None = listing.UNTIL,
    limit: int | None = listing.LIMIT,
    as_json: bool = listing.JSON,
) -> None:
    """List follow-ups by opening, the oldest first; of too many the last."""
    with services() as running:
        wanted = listing.filters(
            running,
            patient=patient,
            clinic=clinic,
            status=status,
            since=since,
            until=until,
            limit=limit,
            as_json=as_json,
            known=_STATUSES,
        )
        with running.database.transaction() as session:
            found = worklist.follow_ups(session, running.vault, **wanted.named())
    rows = [listing.picked(row, FIELDS) for row in found]
    output.records(rows, as_json=as_json, columns=_COLUMNS, empty="No follow-ups.")
