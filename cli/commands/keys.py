"""`aftercare keys`: the keys that wrap the keys in the database."""

import base64
import secrets

import typer

from cli import output
from records.base import Database
from records.keys import rewrap
from records.vault import KEY_BYTES
from worker.counting import counted
from worker.settings import load

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Encryption keys. Keep a copy elsewhere: without them no row can be read."""


@app.command(epilog="Example: aftercare keys new")
def new() -> None:
    """Print a fresh key for AFTERCARE_ENCRYPTION_KEYS; nothing is stored."""
    output.result(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode())


@app.command(epilog="Example: AFTERCARE_ENCRYPTION_KEYS=new,old aftercare keys rotate")
def rotate() -> None:
    """Wrap the kept keys with the first configured key; rows stay as they are.

    Put the new key first and leave the old one behind it, restart all processes, run this, then
    take the old key away.
    """
    settings = load()
    database = Database.connect(settings.database_url.get_secret_value(), application="cli")
    try:
        with database.transaction() as session:
            changed = rewrap(session, settings.keys)
    finally:
        database.close()
    if changed:
        output.result(
            f"{counted(changed, 'key is', 'keys are')} wrapped by the first configured key now."
        )
    else:
        output.result("All keys are wrapped by the first configured key already.")
