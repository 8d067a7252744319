"""`aftercare beat`: the clock that wakes the workers."""

import typer

from worker.run import beat_main
from worker.settings import load

app = typer.Typer(add_completion=False)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: aftercare beat",
)
def beat(context: typer.Context) -> None:
    """Run beat until told to stop; two at once, or none for a while, are both harmless."""
    beat_main(load(), context.args)
