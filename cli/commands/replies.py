"""`aftercare replies`: what patients texted, and how it was read."""

import typer

from cli import listing, output
from cli.session import services
from records import casework, worklist

app = typer.Typer(add_completion=False)

#: Other programs read these: names are added, never changed.
FIELDS = (
    "id",
    "sid",
    "patient_id",
    "received_at",
    "prompt_message_id",
    "intent",
    "value",
    "also",
    "understood_by",
    "followup_id",
)
_COLUMNS = ("received_at", "patient_id", "intent", "value", "also", "followup_id")
_STATUSES = ("unread", "handled")


@app.command(epilog="Example: aftercare replies --since 2026-12-01 --json")
def replies(
    patient: str | None = listing.PATIENT,
    clinic: str | None = listing.CLINIC,
    status: str | None = typer.Option(None, help="unread or handled."),
    since: str | None = listing.SINCE,
    until: str | None = listing.UNTIL,
    limit: int | None = listing.LIMIT,
    reveal: bool = listing.REVEAL,
    as_json: bool = listing.JSON,
) -> None:
    """List received texts, the oldest first; of too many the last."""
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
            listed = worklist.replies(session, running.vault, **wanted.named())
            found = casework.as_corrected(session, listed)
        rows = [listing.picked(row, FIELDS) for row in found]
        if reveal:
            listing.reveal(running, "replies", found)
            for row, shown in zip(found, rows, strict=True):
                shown["from"] = row.from_number(running.vault)
                shown["body"] = row.body(running.vault)
    columns = (*_COLUMNS, "from", "body") if reveal else _COLUMNS
    output.records(rows, as_json=as_json, columns=columns, empty="No replies.")
