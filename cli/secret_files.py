"""`make secrets`: the files that docker-compose.yml hands to its services as secrets.

Run with any Python and no package installed. What exists is kept, so it is safe to run again: a
new encryption key in the place of an old one would make every row unreadable.
"""

import base64
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

OWNER = "aftercare"
PROCESS = "aftercare_process"

# Only the clinic's own Twilio account knows these.
TO_FILL_IN = ("twilio_account_sid", "twilio_auth_token")


def database_url(user: str, password: str) -> str:
    """Return the address of the compose file's database for that login."""
    return f"postgresql+psycopg://{user}:{password}@db:5432/aftercare"


def new_values() -> Mapping[str, str]:
    """Return a fresh value for every secret file; passwords and addresses agree."""
    owner, process = secrets.token_hex(24), secrets.token_hex(24)
    return {
        "database_owner_password": owner,
        "database_owner_url": database_url(OWNER, owner),
        "database_url": database_url(PROCESS, process),
        "encryption_keys": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "secret_key": secrets.token_urlsafe(48),
        **dict.fromkeys(TO_FILL_IN, ""),
    }


def write(folder: Path) -> list[str]:
    """Write the files that are missing; return their names.

    The containers' account is not this user's, so it needs files that everybody may read; the
    folder around them is closed to all others on this machine.
    """
    folder.mkdir(exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    values = new_values()
    missing = [name for name in values if not (folder / name).exists()]
    # The owner's password stands in two files: one alone would not fit the other.
    if len({"database_owner_password", "database_owner_url"} & set(missing)) == 1:
        raise SystemExit(
            f"{folder} has only one of database_owner_password and database_owner_url. "
            "Restore the other from your backup, or delete both and the volume `database`."
        )
    for name in missing:
        path = folder / name
        path.write_text(values[name])
        path.chmod(0o644 if name in TO_FILL_IN else 0o444)
    return missing


def main(folder: Path) -> None:
    """Write what is missing and say what the user has to add."""
    written = write(folder)
    sys.stderr.write(f"Written to {folder}/: {', '.join(written) or 'nothing, all exist'}.\n")
    empty = [name for name in TO_FILL_IN if not (folder / name).read_text().strip()]
    if empty:
        sys.stderr.write(f"Fill in from your Twilio console: {', '.join(empty)}.\n")
    sys.stderr.write("Keep a copy of encryption_keys elsewhere: without it no row can be read.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
