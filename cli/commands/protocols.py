"""`aftercare protocols`: the schedule definitions, shipped and published."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from cli import effects, output
from cli.commands import publishing
from cli.errors import BAD_INPUT, refuse
from cli.session import services, the_clinic
from records import clinics, enrollments
from schedules import schema as schemas
from schedules.clinic import ClinicFile, read_clinic
from schedules.errors import ProtocolError
from schedules.loader import BY_HAND, WITH_CONSENT, load
from schedules.protocol import Protocol
from worker import enrolling
from worker.clinicfiles import shipped_sources
from worker.counting import counted
from worker.intake.table import near
from worker.protocols import known_templates

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Schedules: which text goes when, and what is done about the answer."""


@app.command(name="list", epilog="Example: aftercare protocols list --clinic riverside")
def list_(
    clinic: str | None = typer.Option(None, help="Those published for a clinic."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
) -> None:
    """List the protocols that come with the product, or those of a clinic."""
    found = _shipped() if clinic is None else _published(clinic)
    output.records(found, as_json=as_json, empty="No protocol is published.")


@app.command(epilog="Example: aftercare protocols show dosing-visit")
def show(
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    clinic: str | None = typer.Option(None, help="As it is published for a clinic."),
) -> None:
    """Print a protocol as YAML, as it is written, to read or to start one of your own."""
    sources = shipped_sources() if clinic is None else _sources(clinic)
    if protocol not in sources:
        refuse(f'There is no protocol "{protocol}"; {near(protocol, list(sources))}')
    output.result(sources[protocol].rstrip("\n"))


@app.command(epilog="Example: aftercare protocols schema > protocol.schema.json")
def schema(
    clinic: Path | None = typer.Option(None, help="A clinic's file: its routes and substances."),
) -> None:
    """Print a JSON Schema of protocol files, for editors that complete and check."""
    terms = None if clinic is None else _file(clinic).terms
    output.result(json.dumps(schemas.schema(terms), indent=2))


@app.command(epilog="Example: aftercare protocols check my-protocol.yaml --clinic clinic.yaml")
def check(
    files: list[Path] = typer.Argument(help="Protocol files.", show_default=False),
    clinic: Path | None = typer.Option(
        None,
        help="A clinic's file: its routes and substances, and where nobody would read an answer.",
    ),
) -> None:
    """Print every fault of the files with file, line and mend; exit 2 if there is one."""
    faulty, described = False, None if clinic is None else _file(clinic)
    terms = None if described is None else described.terms
    for file in files:
        try:
            protocol = load(_read(file), str(file), templates=known_templates(), terms=terms)
        except ProtocolError as error:
            faulty = True
            output.result(str(error))
        else:
            output.say(f"{file}: {protocol.id} is right, {counted(len(protocol.steps), 'step')}.")
            if described is not None:
                for warning in effects.unread(protocol, described):
                    output.say(f"{file}: warning: {warning}")
    if faulty:
        raise typer.Exit(BAD_INPUT)


for _command, _example in (
    (publishing.publish, "publish my-protocol.yaml --clinic riverside --by you@clinic.test"),
    (publishing.approve, "approve my-protocol --clinic riverside --by lee@clinic.test"),
    (publishing.reject, 'reject my-protocol --by lee@clinic.test --why "7 is too high"'),
    (publishing.rollback, "rollback my-protocol --clinic riverside --to 2"),
    (publishing.history, "history my-protocol --clinic riverside"),
):
    app.command(epilog=f"Example: aftercare protocols {_example}")(_command)


def _file(file: Path) -> ClinicFile:
    return read_clinic(_read(file), str(file), sandbox=True)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        refuse(f"{file} can't be read: {reason}.")


def _described(protocol: Protocol) -> dict[str, Any]:
    visits = protocol.visits
    return {
        "id": protocol.id,
        "title": protocol.title,
        "visits": sorted(visits.kinds) if visits else [],
        "routes": sorted(visits.routes) if visits else [],
        "enrolls": "visits" if visits else WITH_CONSENT if protocol.with_consent else BY_HAND,
        "steps": len(protocol.steps),
    }


def _shipped() -> Iterator[dict[str, Any]]:
    for name, source in sorted(shipped_sources().items()):
        yield _described(load(source, name))


def _published(key: str) -> list[dict[str, Any]]:
    with services() as running, running.database.transaction() as session:
        clinic = the_clinic(session, key)
        switched_on = enrolling.switched_on(clinic.file)
        rows = enrollments.current_protocols(session, clinic.id)
    return [
        {
            **_described(load(row.source, name, published=True)),
            "clinic": clinic.key,
            "version": row.number,
            "on": name in switched_on,
            "published_by": row.published_by,
            "published_at": row.published_at,
        }
        for name, row in sorted(rows.items())
    ]


def _sources(key: str) -> dict[str, str]:
    with services() as running, running.database.transaction() as session:
        clinic = clinics.by_key(session, key) or the_clinic(session, key)
        rows = enrollments.current_protocols(session, clinic.id)
    return {name: row.source for name, row in rows.items()}
