"""`aftercare preview`: what a patient will be texted, and why something will not go."""

import os
import stat
from datetime import datetime
from pathlib import Path
from uuid import UUID

import typer

from cli import calendar_page, calendars, listing, output
from cli.errors import refuse
from cli.samples import Wishes, at_place, protocol_named, sample_of
from cli.session import an_instant, looked_at, services, the_patient, zone_of_clinic
from records import clinics
from schedules.loader import load
from schedules.protocol import Protocol
from worker.clinicfiles import shipped_sources
from worker.preview import Calendar, preview_sample
from worker.preview import preview as preview_texts
from worker.protocols import of_clinic
from worker.services import Services

app = typer.Typer(add_completion=False)

_SAMPLE = "With --sample: "


@app.command(epilog="Example: aftercare preview P-1001 --protocol my-protocol.yaml --days 30")
def preview(
    patient: str | None = typer.Argument(None, help="The patient's id.", show_default=False),
    protocol: list[str] = typer.Option(
        [], help="A protocol's file or id: as if the patient followed only that."
    ),
    first: str | None = typer.Option(
        None, "--from", help="As if it were this day or instant; now unless given."
    ),
    days: int = typer.Option(14, min=1, max=366, help="How many days ahead."),
    clinic: str | None = typer.Option(
        None, help=f"The clinic, if several use this patient id. {_SAMPLE}an id, or a clinic.yaml."
    ),
    sample: bool = typer.Option(False, "--sample", help="Somebody imagined, and no patient."),
    visit: list[str] = typer.Option(
        [], help=f"{_SAMPLE}a visit, as KIND/ROUTE@2026-12-10T09:00 by the clinic's clock."
    ),
    language: str | None = typer.Option(None, help=f"{_SAMPLE}the language they read."),
    timezone: str | None = typer.Option(None, help=f"{_SAMPLE}their zone, as America/Denver."),
    check_in_time: str | None = typer.Option(None, help=f"{_SAMPLE}their own hour, as 18:30."),
    quit_date: str | None = typer.Option(None, help=f"{_SAMPLE}the day they stop."),
    substance: list[str] = typer.Option([], help=f"{_SAMPLE}what they are treated for."),
    price: float | None = typer.Option(None, min=0, help="US dollars a segment."),
    html: Path | None = typer.Option(None, help="Write a page to read and print to this file."),
    as_json: bool = listing.JSON,
) -> None:
    """Show the exact texts with the patient's local times, segments, cost and reasons.

    What depends on a visit that has not taken place, or on silence, is shown as conditional.
    Sends nothing, writes nothing but the file of --html. That a patient's were shown is recorded.
    """
    if sample == (patient is not None):
        refuse("Say whose texts: a patient's id, or --sample for somebody imagined.")
    wishes = Wishes(
        protocols=protocol,
        visits=visit,
        language=language,
        timezone=timezone,
        check_in_time=check_in_time,
        quit_date=quit_date,
        substances=substance,
    )
    if patient is not None:
        _refuse_wishes(wishes)
        found = _of_patient(patient, clinic, protocol, first, days, price)
        title = f"What {patient} will be texted"
    else:
        found = _of_sample(clinic, wishes, first, days, price)
        title = "What a patient will be texted"
    if html is not None:
        _write(html, calendar_page.page(found, title))
    if as_json:
        output.records(calendars.records(found), as_json=True)
    elif html is None:
        calendars.show(found)


def _refuse_wishes(wishes: Wishes) -> None:
    """Say it where an option would have no effect: a patient's record has it already."""
    if any((wishes.visits, wishes.language, wishes.timezone, wishes.check_in_time)) or any(
        (wishes.quit_date, wishes.substances)
    ):
        refuse("Visits, language, zone and the like are the patient's own: give them to --sample.")
    if len(wishes.protocols) > 1:
        refuse("Give one --protocol for a patient; --sample takes several.")


def _of_patient(
    patient: str,
    clinic: str | None,
    named: list[str],
    first: str | None,
    days: int,
    price: float | None,
) -> Calendar:
    with services() as running:
        person = the_patient(running, patient, clinic)
        wanted = _protocol(running, named[0], person.clinic_id) if named else None
        at = an_instant(first, zone_of_clinic(running, person.clinic_id), "--from")
        found = preview_texts(
            running, person.id, at=at or running.now, days=days, protocol=wanted, price=price
        )
        with running.database.transaction() as session:
            looked_at(running, session, person, "preview.shown", days=days)
        return found


def _of_sample(
    clinic: str | None, wishes: Wishes, first: str | None, days: int, price: float | None
) -> Calendar:
    with at_place(clinic) as place:
        at: datetime = an_instant(first, place.file.zone, "--from") or place.now
        person = sample_of(place, wishes, at)
        return preview_sample(place.catalog, place.file, person, at=at, days=days, price=price)


def _protocol(running: Services, named: str, clinic_id: UUID) -> Protocol:
    """Return a protocol from a file, the clinic's published ones, or those that are shipped."""
    known = {name: load(text, name) for name, text in shipped_sources().items()}
    with running.database.transaction() as session:
        known |= {name: each[0] for name, each in of_clinic(session, clinic_id).items()}
        terms = clinics.by_id(session, clinic_id).file.terms
    return protocol_named(named, known, terms)


def _write(file: Path, page: str) -> None:
    """Write a page that only its owner can read, over an earlier one too."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            # What was there has kept its mode; a pipe or a device is left as it is.
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
            opened.write(page)
    except OSError as error:
        refuse(f"{file} can't be written: {error.strerror}.")
    output.say(f"{file}: written. It names what a patient is texted; keep it where records are.")
