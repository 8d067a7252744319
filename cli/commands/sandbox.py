"""`aftercare sandbox`: the Twilio-compatible carrier by itself."""

import typer

from sandbox.__main__ import main as run

app = typer.Typer(add_completion=False)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
    epilog="Example: aftercare sandbox --port 9099",
)
def sandbox(context: typer.Context) -> None:
    """Run the carrier; its options are its own (see --help)."""
    raise typer.Exit(run(context.args))
