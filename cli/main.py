"""The `aftercare` command: its table of commands, each loaded only when it is asked for.

`aftercare --help` and a healthcheck answer at once; the database's and the carrier's libraries are
imported by the command that needs them.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.errors import FAILED, explain, is_usage, unforeseen
from worker.collecting import never_looked_through

#: Name, module under `cli.commands`, what the list of commands says, and under which heading.
_SETTING_UP, _PATIENTS, _LOOKING = "Setting up", "Patients and visits", "Looking and following up"
_RUNNING, _KEEPING = "Running", "Keeping it in order"
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "db": ("db", "Bring the database to the newest schema.", _SETTING_UP),
    "clinic": ("clinic", "Create or update a clinic from its file.", _SETTING_UP),
    "staff": ("staff", "Console users: roles, passwords, who is away or has left.", _SETTING_UP),
    "import": ("imports", "Bring in patients and appointments from CSV.", _SETTING_UP),
    "protocols": ("protocols", "List, check, publish and roll back schedules.", _SETTING_UP),
    "enroll": ("enroll", "Start a patient on a protocol.", _PATIENTS),
    "withdraw": ("withdraw", "End a patient's protocol.", _PATIENTS),
    "event": ("event", "Record what happened at a visit.", _PATIENTS),
    "patient": ("patient", "Hold, resume, close or tailor a patient's texts.", _PATIENTS),
    "form": ("form", "Note that a form behind a link was filled in.", _PATIENTS),
    "consent": ("consent", "Write a grant or a revocation to the ledger.", _PATIENTS),
    "preview": ("preview", "Show what a patient will be texted, and why.", _LOOKING),
    "messages": ("messages", "List texts planned and sent.", _LOOKING),
    "replies": ("replies", "List what patients texted, and how it was read.", _LOOKING),
    "reply": ("reply", "Correct how a reply was read.", _LOOKING),
    "followups": ("followups", "List what a person has to do.", _LOOKING),
    "followup": ("followup", "Take, assign, snooze or resolve; note what 911 was told.", _LOOKING),
    "disclosures": ("disclosures", "List what was told to 911 and others outside.", _LOOKING),
    "text": ("text", "Write to a patient, now or later.", _PATIENTS),
    "scores": ("scores", "Show a patient's answers over time, with doses.", _LOOKING),
    "call-list": ("call_list", "List whom to call while texts are down.", _LOOKING),
    "page": ("page", "Send test pages; list what became of pages.", _LOOKING),
    "history": ("history", "Show all that happened to one text.", _LOOKING),
    "understand": ("understand", "Show how a reply would be read.", _LOOKING),
    "web": ("web", "Run the webhooks and the console.", _RUNNING),
    "worker": ("worker", "Run a worker.", _RUNNING),
    "beat": ("beat", "Run the clock that wakes the workers.", _RUNNING),
    "sandbox": ("sandbox", "Run the Twilio-compatible carrier by itself.", _RUNNING),
    "demo": ("demo", "Run everything with sample data.", _RUNNING),
    "simulate": ("simulate", "Live a clinic's year on a simulated clock.", _RUNNING),
    "pause": ("pause", "Stop started texts; safety replies still go.", _KEEPING),
    "unpause": ("unpause", "Let started texts go again.", _KEEPING),
    "doctor": ("doctor", "Check settings, connections, clock, sender and queues.", _KEEPING),
    "health": ("health", "Say whether a process makes progress.", _KEEPING),
    "keys": ("keys", "Make and rotate encryption keys.", _KEEPING),
    "audit": ("audit", "Check that the audit trail is whole.", _KEEPING),
}
EXAMPLE = "Example: aftercare clinic apply clinic.yaml"


class LazyGroup(TyperGroup):
    """Shows commands by their one line, loads one when it is called, and explains every failure."""

    def __init__(self, **options: Any) -> None:
        """Fill the list with commands that have a line of help and nothing else."""
        super().__init__(**options)
        for name, (_, line, panel) in COMMANDS.items():
            stub = TyperCommand(name=name, help=line, rich_help_panel=panel)
            self.commands[name] = stub

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of its line."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(str(name)) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it fails with becomes a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if is_usage(error):
                raise
            words, code = explain(error) or (unforeseen(error), FAILED)
            print(words, file=sys.stderr)
            raise typer.Exit(code) from error


def load(name: str) -> Any:
    """Return the real command of that name."""
    with never_looked_through():
        module = importlib.import_module(f"cli.commands.{COMMANDS[name][0]}")
    command = typer.main.get_command(module.app)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=EXAMPLE,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - Seldom asked for.

        print(version("aftercare"))
        raise typer.Exit


@app.callback()
def main(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Text people in ketamine-assisted treatment, and bring what they answer to a person."""
    del version


if __name__ == "__main__":
    app()
