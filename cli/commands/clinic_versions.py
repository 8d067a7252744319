"""`aftercare clinic show | history | wording`: what is in force, and what was before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
import yaml

from cli import output
from cli.commands import publishing
from cli.errors import refuse
from cli.session import services, the_clinic
from messages.errors import MessageError
from messages.templates import Catalog
from messages.wording import is_safety
from records import clinics as kept
from records import publishing as proposals
from records.clinics import Clinic
from records.publishing import CLINIC_FILE
from schedules.clinic import ClinicFile
from worker import clinicfiles
from worker.rendering import Subject, render, words_of
from worker.services import Services

_NUMBER = typer.Option(None, "--number", help="A version; the one in force unless given.")
_LANGUAGE = typer.Option(None, help="Only this language; the clinic's unless given.")


def show(clinic: str | None = publishing.CLINIC, number: int | None = _NUMBER) -> None:
    """Print a clinic's file as it is in force, or as an earlier version had it."""
    with services() as running, running.database.transaction() as session:
        which = the_clinic(session, clinic)
        versions = {each.number: each.settings for each in kept.versions(session, which.id)}
        if number is not None and number not in versions:
            refuse(f"Versions kept are {', '.join(map(str, versions))}.")
        file = _in_force(which) if number is None else kept.read(versions[number])
    if file is None:
        refuse(f"Version {number} can't be read by this release.")
    output.result(as_file(file))


def _in_force(which: Clinic) -> ClinicFile:
    """Return the file that a clinic goes by; say so where it is not the present one."""
    file = which.file_if_any
    if file is None:
        refuse("Neither the clinic's settings nor an earlier version can be read. Apply its file.")
    if which.is_broken:
        output.say("The present settings can't be read: this is the version that holds meanwhile.")
    return file


def as_file(file: ClinicFile) -> str:
    """Return a clinic's file without what is empty; `clinic apply` takes it as it is."""
    written = {key: value for key, value in file.to_json().items() if value not in (None, {}, [])}
    return yaml.safe_dump(
        written, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120
    ).rstrip()


def history(clinic: str | None = publishing.CLINIC, as_json: bool = publishing.JSON) -> None:
    """List the versions of a clinic's file, and what was proposed with who approved it."""
    with services() as running, running.database.transaction() as session:
        which = the_clinic(session, clinic)
        emails = proposals.emails(session, which.id)
        rows: list[dict[str, Any]] = [
            {
                "what": "version",
                "number": row.number,
                "at": row.applied_at,
                "by": publishing.named(row.applied_by, emails),
                "restores": row.restores,
                "outcome": "in_force" if row.number == which.version else "replaced",
                "approved_by": None,
            }
            for row in kept.versions(session, which.id)
        ]
        rows += [
            {
                "what": "proposal",
                "number": None,
                "at": row.proposed_at,
                "by": emails.get(row.proposed_by),
                "restores": row.restores,
                "outcome": row.outcome or "waits",
                "approved_by": {
                    language: emails.get(staff)
                    for language, staff in proposals.approvals(session, row.id).items()
                },
            }
            for row in proposals.proposals(session, which.id)
            if row.subject == CLINIC_FILE
        ]
    rows.sort(key=lambda row: row["at"])
    columns = ("what", "number", "at", "by", "restores", "outcome", "approved_by")
    output.records(rows, as_json=as_json, columns=columns)


def earlier(running: Services, clinic: str | None, to: int | None) -> tuple[ClinicFile, int]:
    """Return an earlier file of a clinic, and the number of its version; say what it leaves."""
    with running.database.transaction() as session:
        which = the_clinic(session, clinic)
    found = clinicfiles.earlier(running, which.id, to)
    if found.still_closed:
        days = ", ".join(map(str, found.still_closed))
        output.say(f"Closed since version {found.number}, and closed still: {days}.")
    return found.file, found.number


def wording(
    clinic: str | None = publishing.CLINIC,
    language: str | None = _LANGUAGE,
    template: list[str] = typer.Option([], help="Only this text."),
    as_json: bool = publishing.JSON,
) -> None:
    """List every text in the words in force, whose words they are, and how a patient reads them."""
    with services() as running, running.database.transaction() as session:
        which = the_clinic(session, clinic)
        file, version = _in_force(which), which.version
        found = [
            {"clinic": which.key, "version": version, **row}
            for row in texts(running.catalog, file, language)
            if not template or row["template"] in template
        ]
    columns = ("template", "language", "words", "safety", "segments", "reads")
    output.records(found, as_json=as_json, columns=columns)


def texts(catalog: Catalog, file: ClinicFile, language: str | None = None) -> Iterator[Any]:
    """Give each text of a clinic: whose words, the wording, and a sample of what is read."""
    own = words_of(catalog, file)
    for key in catalog.templates:
        for each in [language] if language else file.languages:
            reads, segments = _sample(catalog, file, key, each)
            yield {
                "template": key,
                "language": each,
                "words": "clinic" if (key, each) in own.overridden else "shipped",
                "safety": is_safety(catalog, key),
                "wording": own.wording(key, each).text,
                "segments": segments,
                "reads": reads,
            }


#: A morning on which most clinics are open: a sample says the same whenever it is looked at.
_A_MORNING = datetime(2026, 9, 23, 14, 0, tzinfo=UTC)


def _sample(catalog: Catalog, file: ClinicFile, key: str, language: str) -> tuple[str, int]:
    """Return a text as it would be read, with a visit of tomorrow and values of usual length."""
    values = {name: by[language] for name, by in catalog.samples.items()}
    params = {name: values[name] for name in ("min", "max", "words", "link")}
    subject = Subject(
        clinic=file,
        now=_A_MORNING,
        starts_at=_A_MORNING + timedelta(days=1),
        details={"location": values["place"]},
        params=params,
    )
    try:
        written = render(catalog, key, language, subject, safety=True)
    except MessageError as error:
        return str(error), 0
    return written.body, written.segments
