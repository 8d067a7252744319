"""`aftercare demo`: everything on this machine, with sample data."""

import importlib

import typer

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: aftercare demo --reset")
def demo(
    reset: bool = typer.Option(False, "--reset", help="Throw the last demo's data away first."),
) -> None:
    """Start database, broker, carrier, worker, beat and web; Ctrl-C stops all of it."""
    # Imported by name: it needs the extra `embedded`, which a clinic's own set-up has not.
    importlib.import_module("cli.demo").run(reset=reset)
