"""`aftercare history`: all that happened to one text."""

from typing import Any
from uuid import UUID

import typer

from cli import listing, output
from cli.commands.messages import FIELDS
from cli.errors import refuse
from cli.session import an_id, services
from records import outbox, worklist
from records.base import Session
from worker.reasons import in_plain_words

app = typer.Typer(add_completion=False)

_COLUMNS = ("at", "what", "status", "number", "detail")


@app.command(epilog="Example: aftercare history 01931d6e-7a10-7c39-a1de-0d2f5a4be001")
def history(
    message_id: str = typer.Argument(help="The id that `messages` prints.", show_default=False),
    reveal: bool = listing.REVEAL,
    as_json: bool = listing.JSON,
) -> None:
    """Show a text's states, the calls to the carrier and the carrier's words about it."""
    wanted = an_id(message_id, "text")
    with services() as running:
        with running.database.transaction() as session:
            text = worklist.message(session, running.vault, wanted)
            if text is None:
                refuse("There is no text with this id. List them with `aftercare messages`.")
            happened = _happened(session, wanted)
        shown = listing.picked(text, FIELDS)
        if reveal:
            listing.reveal(running, "messages", [text])
            shown["to"], shown["body"] = text.recipient(running.vault), text.body(running.vault)
    if as_json:
        for row in ({"what": "text", **shown}, *happened):
            output.result(output.json_line(row))
        return
    for name, value in shown.items():
        output.result(f"{name}: {output.cell(value)}")
    if text.reason:
        output.result(f"in words: {in_plain_words(text.reason, text.error_code)}")
    output.records(happened, as_json=False, columns=_COLUMNS, empty="Nothing has happened yet.")


def _happened(session: Session, message_id: UUID) -> list[dict[str, Any]]:
    """Return states, calls and receipts, each kind in its order."""
    found: list[dict[str, Any]] = []
    for state in outbox.history(session, message_id):
        said = {"at": state.at, "what": "status", "status": state.status, "number": state.attempt}
        found.append({**said, "detail": state.reason, "due_at": state.due_at})
    for call in outbox.attempts(session, message_id):
        detail = _joined(call.http_status and f"HTTP {call.http_status}", call.error_code, call.sid)
        said = {"at": call.intent_at, "what": "attempt", "status": call.outcome or "open"}
        found.append({**said, "number": call.number, "detail": detail, "closed_at": call.closed_at})
    for receipt in outbox.receipts(session, message_id):
        detail = _joined(receipt.source, receipt.error_code, receipt.sid)
        said = {"at": receipt.received_at, "what": "receipt", "status": receipt.status}
        found.append({**said, "number": receipt.attempt, "detail": detail})
    return found


def _joined(*parts: object) -> str | None:
    return " ".join(str(part) for part in parts if part) or None
