"""`aftercare scores`: a patient's answers over time, with the doses among them."""

import csv
import sys
from dataclasses import asdict, fields
from typing import Any

import typer

from cli import listing, output
from cli.errors import refuse
from cli.session import looked_at, services, the_patient
from records import scores
from records.scores import Mark
from worker import protocols

app = typer.Typer(add_completion=False)

_FIELDS = tuple(field.name for field in fields(Mark))
_COLUMNS = ("at", "kind", "item", "value", "status", "route", "days_since_dose")


@app.command("scores", epilog="Example: aftercare scores P-1001 --csv")
def show(
    patient: str = typer.Argument(help="The patient's id at the clinic.", show_default=False),
    clinic: str | None = listing.CLINIC,
    as_csv: bool = typer.Option(False, "--csv", help="A table with a header line."),
    as_json: bool = listing.JSON,
) -> None:
    """Show a patient's answers over time, with dose marks; that it was looked at is recorded."""
    if as_csv and as_json:
        refuse("Say --csv or --json, not both.")
    with services() as running:
        person = the_patient(running, patient, clinic)
        with running.database.transaction() as session:
            worse = protocols.direction_of(session, person.clinic_id)
            found = scores.series(session, person.id, worse=worse)
            looked_at(running, session, person, "scores.viewed", count=len(found))
    rows = [asdict(mark) for mark in found]
    if as_csv:
        _print_csv(rows)
    else:
        output.records(rows, as_json=as_json, columns=_COLUMNS, empty="No answers yet.")


def _print_csv(rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: output.plain(value) for name, value in row.items()})
