"""`aftercare messages`: what was planned and sent, and why not."""

import typer

from cli import listing, output
from cli.session import services
from messages.status import MessageStatus
from records import worklist

app = typer.Typer(add_completion=False)

#: Other programs read these: names are added, never changed.
FIELDS = (
    "id",
    "clinic",
    "patient_id",
    "protocol",
    "step",
    "occurrence",
    "appointment_id",
    "template",
    "language",
    "due_at",
    "latest_at",
    "priority",
    "status",
    "reason",
    "sid",
    "segments",
    "attempts",
    "submitted_at",
    "accepted_at",
    "final_at",
)
_COLUMNS = ("id", "patient_id", "step", "due_at", "status", "reason", "segments")


@app.command(epilog="Example: aftercare messages --patient P-1001 --status planned,sent --json")
def messages(
    patient: str | None = listing.PATIENT,
    clinic: str | None = listing.CLINIC,
    status: str | None = listing.STATUS,
    since: str | None = listing.SINCE,
    until: str | None = listing.UNTIL,
    limit: int | None = listing.LIMIT,
    reveal: bool = listing.REVEAL,
    as_json: bool = listing.JSON,
) -> None:
    """List texts by due time, the oldest first; of too many the last."""
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
            known=tuple(MessageStatus),
        )
        with running.database.transaction() as session:
            found = worklist.messages(session, running.vault, **wanted.named())
        rows = [listing.picked(row, FIELDS) for row in found]
        if reveal:
            listing.reveal(running, "messages", found)
            for row, shown in zip(found, rows, strict=True):
                shown["to"] = row.recipient(running.vault)
                shown["body"] = row.body(running.vault)
    columns = (*_COLUMNS, "to", "body") if reveal else _COLUMNS
    output.records(rows, as_json=as_json, columns=columns, empty="No texts.")
