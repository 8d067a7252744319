"""`aftercare page`: a test page to everybody on the ladder, and what pages became of."""

from datetime import timedelta

import typer

from cli import listing, output
from cli.session import an_id, services, the_clinic
from records import pages
from records.pages import PageKind
from worker.counting import counted
from worker.paging.transports import transports
from worker.steps import followup_actions, rounds

app = typer.Typer(no_args_is_help=True, add_completion=False)

_CLINIC = typer.Option(None, help="The clinic's id; the only one unless given.")
_COLUMNS = ("id", "kind", "why", "person", "at", "sent_at", "acknowledged_at", "channels")


@app.callback()
def main() -> None:
    """Pages to staff. Who is paged for what, see docs/paging.md."""


@app.command("test", epilog="Example: aftercare page test --clinic riverside")
def rehearse(clinic: str | None = _CLINIC) -> None:
    """Page everybody on a clinic's ladder now, as the weekly test does; each has to take it."""
    with services() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        count = rounds.send_test(running, transports(running.settings).keys(), which)
    paged = counted(count, "person is", "people are")
    output.result(f"{paged} paged. See `aftercare page list` for who took it.")


@app.command("list", epilog="Example: aftercare page list --days 7")
def show(
    clinic: str | None = _CLINIC,
    days: int = typer.Option(7, min=1, max=400, help="How far back."),
    as_json: bool = listing.JSON,
) -> None:
    """List pages with what became of each channel."""
    with services() as running, running.database.transaction() as session:
        which = the_clinic(session, clinic)
        since = running.now - timedelta(days=days)
        rows = [
            {
                **{name: getattr(page, name) for name in _FIELDS},
                "channels": {
                    row.channel: f"{row.status}{f' ({row.error})' if row.error else ''}"
                    for row in pages.deliveries_of(session, page.id)
                },
            }
            for kind in PageKind
            for page in pages.of_kind(session, which.id, kind, since=since)
        ]
    rows.sort(key=lambda row: row["at"])
    output.records(rows, as_json=as_json, columns=_COLUMNS, empty="No pages.")


_FIELDS = (
    "id",
    "follow_up_id",
    "kind",
    "why",
    "severity",
    "person",
    "at",
    "sent_at",
    "acknowledged_at",
    "acknowledged_by",
)


@app.command(epilog="Example: aftercare page take 01931d6e-7a10-7c39-a1de-0d2f5a4be001")
def take(page_id: str = typer.Argument(help="The id that `page list` prints.")) -> None:
    """Acknowledge a page in the name of whoever was paged."""
    with services() as running:
        followup_actions.take_page(running, an_id(page_id, "page"))
    output.result("Taken.")
