"""`aftercare audit verify`: whether the audit trail is whole."""

import typer

from cli import output
from cli.errors import FAILED
from cli.session import services
from records import audit, clinics

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Who did what, kept as a chain of hashes for each clinic."""


@app.command(epilog="Example: aftercare audit verify --json")
def verify(
    as_json: bool = typer.Option(False, "--json", help="One JSON object a clinic."),
) -> None:
    """Check that no event was changed or taken out; exit 1 where one was."""
    found = []
    with services() as running, running.database.transaction() as session:
        for clinic in clinics.all_clinics(session):
            broken = audit.first_break(session, clinic.id)
            found.append({"clinic": clinic.key, "whole": broken is None, "first_break": broken})
    output.records(found, as_json=as_json, empty="There is no clinic yet.")
    if not all(each["whole"] for each in found):
        raise typer.Exit(FAILED)
