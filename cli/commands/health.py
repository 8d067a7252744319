"""`aftercare health`: whether a process makes progress, not whether its pid is there."""

import socket
import urllib.error
import urllib.request
from enum import StrEnum

import typer

from cli import output
from cli.errors import FAILED, CommandError
from records import progress
from records.base import Database
from worker.settings import Settings, load

app = typer.Typer(add_completion=False)

#: Seconds without progress after which a process counts as stuck. Both mark every 5 s.
STUCK_SECONDS = 30
_WEB_SECONDS = 5
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Process(StrEnum):
    """What can be asked after."""

    WORKER = "worker"
    BEAT = "beat"
    WEB = "web"


@app.command(epilog="Example: aftercare health worker")
def health(
    process: Process = typer.Argument(help="Which process.", show_default=False),
) -> None:
    """Exit 0 if this machine's worker, beat or web made progress lately, 1 if not."""
    settings = load()
    if process is Process.WEB:
        _ask_web(settings)
        output.result("web: ready.")
        return
    name = f"worker:{socket.gethostname()}" if process is Process.WORKER else "beat"
    age = _age(settings, name)
    if age is None:
        raise CommandError(f"{process.value}: no progress is on record.", code=FAILED)
    if age > STUCK_SECONDS:
        raise CommandError(f"{process.value}: no progress for {age:.0f} s.", code=FAILED)
    output.result(f"{process.value}: progress {age:.0f} s ago.")


def _age(settings: Settings, name: str) -> float | None:
    url = settings.database_url.get_secret_value()
    database = Database.connect(url, application="health", pool_size=1)
    try:
        with database.transaction() as session:
            return progress.ages(session).get(name)
    finally:
        database.close()


def _ask_web(settings: Settings) -> None:
    host = _EVERY_ADDRESS.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    # A proxy of the machine must not be asked for an address on it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{settings.port}/readyz", timeout=_WEB_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        with error:
            raise CommandError(f"web: not ready (HTTP {error.code}).", code=FAILED) from None
    except OSError:
        raise CommandError("web: it does not answer.", code=FAILED) from None
