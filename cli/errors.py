"""How a command fails: a plain sentence on standard error and a code, never a traceback.

2 is bad usage or bad input, 1 a failure (docs/operations.md). Imports here are of the standard
library alone, so that `aftercare --help` stays quick; the others are known by where they come from.
"""

import traceback
from typing import NoReturn

FAILED, BAD_INPUT = 1, 2


class CommandError(Exception):
    """A command that can't go on; the message says what to do. `code` is what it exits with."""

    def __init__(self, message: str, *, code: int = FAILED) -> None:
        """Keep the message and the exit code."""
        self.code = code
        super().__init__(message)


def refuse(message: str) -> NoReturn:
    """End the command over bad usage or bad input."""
    raise CommandError(message, code=BAD_INPUT)


#: Our own errors whose message is made for the user, by module and name of a base class.
_IN_USERS_WORDS = {
    "worker.refusal.RefusedError": BAD_INPUT,
    "worker.settings.SettingsError": BAD_INPUT,
    "worker.taking.FollowUpActionError": BAD_INPUT,
    "schedules.errors.ScheduleError": BAD_INPUT,
    "messages.errors.MessageError": BAD_INPUT,
    "records.base.RecordsError": FAILED,
    "records.vault.VaultError": FAILED,
    "cli.footing.EmbeddedError": FAILED,
}
#: Says how far a command came; why it stopped is the cause's to say.
_CUT_SHORT = "worker.intake.batches.CutShortError"
_DATABASE = frozenset({"sqlalchemy.exc.DBAPIError", "sqlalchemy.exc.TimeoutError"})


def explain(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence and the exit code for an error; None for one that nobody foresaw."""
    if isinstance(error, CommandError):
        return str(error), error.code
    for kind in type(error).__mro__:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in _IN_USERS_WORDS:
            return str(error), _IN_USERS_WORDS[name]
        if name in _DATABASE:
            return _database(error), FAILED
        if name == _CUT_SHORT and error.__cause__ is not None:
            cause = error.__cause__
            why, code = explain(cause) or (unforeseen(cause), FAILED)
            return f"{why}\n{error}", code
    return None


def is_usage(error: BaseException) -> bool:
    """Whether Typer itself knows what to do with it: bad usage, an exit, a reader that left."""
    return isinstance(error, BrokenPipeError) or type(error).__module__.startswith("typer.")


def unforeseen(error: BaseException) -> str:
    """Say where a fault of the program happened, without its words: they may name a patient."""
    places = [
        f"  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "typer" not in frame.filename
    ]
    kind = type(error).__name__
    return "\n".join([f"This is a fault of the program ({kind}); please report it:", *places])


def _state_of_refusal(words: str) -> str | None:
    """Return the SQLSTATE of a connection that was refused, which the driver leaves out."""
    told = {"password authentication failed": "28P01", "does not exist": "3D000"}
    return next((state for phrase, state in told.items() if phrase in words), None)


def _database(error: BaseException) -> str:
    """Say what ails the database. Its own words stay out: they quote the row they refused."""
    refused = getattr(error, "orig", None)
    state = getattr(refused, "sqlstate", None) or _state_of_refusal(str(refused))
    if state in {"42P01", "42703", "3F000"}:
        return "The database has not the schema this version needs: run `aftercare db upgrade`."
    if state in {"28P01", "28000"}:
        return "The database refused the login: check the user and password in DATABASE_URL."
    if state == "3D000":
        return "There is no such database: check the name in DATABASE_URL, or create it."
    if state == "42501":
        return "The database login lacks a right: run `aftercare db upgrade` as the owner."
    if state is None:
        return "The database does not answer: check that it runs and that DATABASE_URL is right."
    # A command may make several changes, each for itself: only the one that failed is not there.
    return (
        f"The database refused a statement (SQLSTATE {state}), and the change that it was part of "
        "was not made. Changes that the command made before that stand."
    )
