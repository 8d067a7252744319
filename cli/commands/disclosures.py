"""`aftercare disclosures`: what was told about patients to somebody outside, to whom and when."""

import csv
import sys
from dataclasses import fields
from typing import Any

import typer

from cli import listing, output
from cli.errors import refuse
from cli.session import ACTOR, services
from records import accounting, audit, clinics
from records.accounting import NOTICE, ListedDisclosure
from worker.services import Services

app = typer.Typer(add_completion=False)

_FIELDS = tuple(field.name for field in fields(ListedDisclosure))
_COLUMNS = ("at", "patient_id", "recipient", "told", "nature", "by")


@app.command("disclosures", epilog="Example: aftercare disclosures --patient P-1001 --csv")
def show(
    patient: str | None = listing.PATIENT,
    clinic: str | None = listing.CLINIC,
    since: str | None = listing.SINCE,
    until: str | None = listing.UNTIL,
    limit: int | None = listing.LIMIT,
    as_csv: bool = typer.Option(False, "--csv", help="A table with a header line."),
    as_json: bool = listing.JSON,
) -> None:
    """List what was told to 911 and others outside: the accounting of 42 CFR 2.25 and 2.51.

    Each line of --csv and --json bears the notice of 42 CFR 2.32. Looking is recorded.
    """
    if as_csv and as_json:
        refuse("Say --csv or --json, not both.")
    with services() as running:
        wanted = listing.filters(
            running,
            patient=patient,
            clinic=clinic,
            status=None,
            since=since,
            until=until,
            limit=limit,
            as_json=as_csv or as_json,
            known=(),
        ).named()
        del wanted["status"]
        with running.database.transaction() as session:
            found = accounting.listed(session, running.vault, **wanted)
        _record(running, found)
    rows = [listing.picked(row, _FIELDS) for row in found]
    if as_csv:
        _print_csv(rows)
        return
    output.records(rows, as_json=as_json, columns=_COLUMNS, empty="Nothing was told to anybody.")
    if rows and not as_json:
        output.result(NOTICE)


def _record(running: Services, found: list[ListedDisclosure]) -> None:
    """Note in each clinic's trail that its accounting was read, before anything is shown."""
    counts: dict[str, int] = {}
    for row in found:
        counts[row.clinic] = counts.get(row.clinic, 0) + 1
    with running.database.transaction() as session:
        for clinic in clinics.all_clinics(session):
            if clinic.key in counts:
                audit.record(
                    session,
                    running.vault,
                    clinic_id=clinic.id,
                    now=running.now,
                    actor=ACTOR,
                    action="disclosures.viewed",
                    subject=f"clinic:{clinic.id}",
                    details={"count": counts[clinic.key]},
                )


def _print_csv(rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: output.plain(value) for name, value in row.items()})
