"""The `aftercare` command in this process: what it does, without the second that starting takes."""

import logging
from collections.abc import Mapping, Sequence

from typer.testing import CliRunner, Result

from cli.main import app


def run_here(
    words: Sequence[str], *, stdin: str | None = None, settings: Mapping[str, str] | None = None
) -> Result:
    """Run a command and return how it ended; what no command foresees is raised."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        result = CliRunner().invoke(app, list(words), input=stdin, env=settings)
    finally:
        # A command's handler writes to the captured standard error, which is gone by now.
        root.handlers, root.level = before, level
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
