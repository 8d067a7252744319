"""`aftercare preview`: what a patient will be texted, and why something will not go."""

from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import typer

from cli import listing, output
from cli.errors import refuse
from cli.session import an_instant, services, the_patient, zone_of_clinic
from schedules.loader import load
from schedules.protocol import Protocol
from worker.intake.table import near
from worker.preview import preview as preview_texts
from worker.protocols import known_templates, of_clinic
from worker.services import Services
from worker.steps.clinics import shipped_sources

app = typer.Typer()

_COLUMNS = ("local_time", "step", "status", "why", "segments", "body")


@app.command(epilog="Example: aftercare preview P1001 --protocol my-protocol.yaml --days 30")
def preview(
    patient: str = typer.Argument(help="The patient's id.", show_default=False),
    protocol: str | None = typer.Option(
        None, help="A protocol's file or id: as if the patient followed only that."
    ),
    first: str | None = typer.Option(
        None, "--from", help="As if it were this day or instant; now unless given."
    ),
    days: int = typer.Option(14, min=1, max=366, help="How many days ahead."),
    clinic: str | None = typer.Option(None, help="The clinic, if several use this patient id."),
    as_json: bool = listing.JSON,
) -> None:
    """Show the exact texts with the patient's local times, segments and reasons.

    Sends nothing, writes nothing.
    """
    with services() as running:
        person = the_patient(running, patient, clinic)
        wanted = _protocol(running, protocol, person.clinic_id) if protocol else None
        at = an_instant(first, zone_of_clinic(running, person.clinic_id), "--from")
        found = preview_texts(running, person.id, at=at or running.now, days=days, protocol=wanted)
    rows = [_row(asdict(text), as_json=as_json) for text in found]
    output.records(rows, as_json=as_json, columns=_COLUMNS, empty="No texts in these days.")


def _row(text: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    local = text["local_time"]
    if as_json:
        return {**text, "local_time": local.isoformat(), "zone": local.tzinfo.key}
    shown = f"{local:%a %Y-%m-%d %H:%M %Z}"
    return {**text, "local_time": shown, "body": text["body"] or text["problem"]}


def _protocol(running: Services, named: str, clinic_id: UUID) -> Protocol:
    """Return a protocol from a file, the clinic's published ones, or those that are shipped."""
    file = Path(named)
    if file.suffix in {".yaml", ".yml"} or file.exists():
        return load(_text(file), named, templates=known_templates())
    with running.database.transaction() as session:
        published = of_clinic(session, clinic_id)
    if named in published:
        return published[named][0]
    shipped = shipped_sources()
    if named not in shipped:
        refuse(f'There is no protocol "{named}"; {near(named, sorted({*published, *shipped}))}')
    return load(shipped[named], named)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        refuse(f"{file} can't be read: {reason}.")
