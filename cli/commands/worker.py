"""`aftercare worker`: a process that sends, receives and plans."""

import typer

from worker.run import worker_main
from worker.settings import load

app = typer.Typer(add_completion=False)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: aftercare worker --concurrency=8",
)
def worker(context: typer.Context) -> None:
    """Run a worker until told to stop; other options go to Celery's own worker command."""
    worker_main(load(), context.args)
