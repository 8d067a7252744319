"""`aftercare doctor`: what is wrong, and how to mend it."""

import logging
from dataclasses import asdict

import typer

from cli import output
from cli.carrier_checks import inbound_fallback
from cli.checks import Finding, Verdict, everything, wrong
from cli.errors import FAILED
from cli.paging_checks import paging
from worker import logs
from worker.settings import SettingsError, load

app = typer.Typer(add_completion=False)

_MARKS = {Verdict.OK: "ok   ", Verdict.NOTE: "note ", Verdict.WRONG: "WRONG"}


@app.command(epilog="Example: aftercare doctor --json")
def doctor(
    as_json: bool = typer.Option(False, "--json", help="One JSON object a check."),
) -> None:
    """Check settings, connections, schema, clock, senders, webhooks, queues and paging.

    Exit 1 if anything is wrong. It changes nothing and texts nobody.
    """
    logs.configure("console")
    # Alembic tells at INFO that it looked at the schema; the finding says so.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    found = []
    for finding in _findings():
        found.append(finding)
        output.result(output.json_line(asdict(finding)) if as_json else _line(finding))
    if any(finding.verdict is Verdict.WRONG for finding in found):
        raise typer.Exit(FAILED)


def _findings() -> list[Finding]:
    try:
        settings = load()
    except SettingsError as error:
        return [wrong("settings", line, "") for line in str(error).splitlines()]
    return list(everything(settings, {"paging": paging, "fallback": inbound_fallback}))


def _line(finding: Finding) -> str:
    mend = f" {finding.mend}" if finding.mend else ""
    return f"{_MARKS[finding.verdict]} {finding.check}: {finding.message}.{mend}".replace("..", ".")
