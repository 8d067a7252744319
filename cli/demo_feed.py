"""What the demo prints while it runs: texts, receipts, replies and follow-ups, a line each.

Texts and replies are read from the carrier's log, follow-ups from the database, so that the feed
shows what happened and not what the product says about itself.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from records import worklist
from records.worklist import ListedFollowUp
from web.wording import FOLLOW_UPS, SEVERITIES, named
from worker.services import Services

_TONES: Mapping[str, str] = {"page_now": "bold red", "call_today": "yellow"}
_NAME_WIDTH = 8
_MOST_FOLLOW_UPS = 500
_BAD_ENDINGS = frozenset({"undelivered", "failed"})


class Feed:
    """Prints lines. `names` maps a number to a first name; `zone` is the clinic's."""

    def __init__(self, console: Console, names: Mapping[str, str], zone: ZoneInfo) -> None:
        self._console = console
        self._names = names
        self._zone = zone
        # Follow-ups shown, and how often each had been joined by then.
        self._shown: dict[UUID, int] = {}
        self._earlier = 0
        self._now = datetime.now(UTC)
        self.texts = self.delivered = self.replies = 0

    @property
    def follow_ups(self) -> int:
        """How many follow-ups were opened in this run."""
        return len(self._shown) - self._earlier

    def carrier(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Show what the carrier's log says: texts it took, receipts it gave, replies it brought."""
        delivered: dict[str, str] = {}
        for entry in entries:
            at = self._clock(datetime.fromisoformat(entry["at"]))
            match entry["kind"]:
                case "create":
                    self.texts += 1
                    self._line(at, "->", entry["to"], entry.get("body", ""), "cyan")
                case "inbound":
                    self.replies += 1
                    self._line(at, "<-", entry["from"], entry["body"], "green")
                case "auto-reply":
                    self._line(at, "->", entry["to"], f"(the carrier) {entry['body']}", "dim")
                case "refused" | "blocked":
                    code = entry.get("code", "opted out")
                    self._line(at, "x ", entry.get("to", ""), f"refused: {code}", "red")
                case "inbound-webhook" if entry.get("failure") and entry["attempts"] == 1:
                    words = f"the clinic's webhook failed ({entry['failure']})"
                    self._line(at, "x ", entry["from"], words, "red")
                case "callback" if entry["message_status"] == "delivered":
                    self.delivered += 1
                    delivered[entry["to"]] = at
                case "callback" if entry["message_status"] in _BAD_ENDINGS:
                    self._line(
                        at, "x ", entry["to"], f"not delivered ({entry['message_status']})", "red"
                    )
                case _:
                    continue
        self._receipts(delivered)

    def database(self, services: Services) -> None:
        """Show the follow-ups that were opened or joined by another cause since the last call."""
        self._now = services.now
        with services.database.transaction() as session:
            found = worklist.follow_ups(session, services.vault, limit=_MOST_FOLLOW_UPS)
        for item in found:
            before = self._shown.get(item.id)
            if before is None or item.times_joined > before:
                self._shown[item.id] = item.times_joined
                self._follow_up(item, again=before is not None)

    def known(self, services: Services) -> None:
        """Take the follow-ups of an earlier run as shown."""
        with services.database.transaction() as session:
            found = worklist.follow_ups(session, services.vault, limit=_MOST_FOLLOW_UPS)
        self._shown.update((item.id, item.times_joined) for item in found)
        self._earlier = len(self._shown)

    def note(self, sentence: str) -> None:
        """Show a sentence that is about the demo itself."""
        self._console.print(Text(f"         {sentence}", style="bold"))

    def _follow_up(self, item: ListedFollowUp, *, again: bool) -> None:
        due = item.due_at.astimezone(self._zone)
        by = "now" if item.severity == "page_now" else f"by {due:%a %H:%M}"
        what = f"{named(FOLLOW_UPS, item.reason)} · {named(SEVERITIES, item.severity)}, {by}"
        who = item.first_name or "?"
        style = _TONES.get(item.severity, "magenta")
        at, title = (self._now, "Again") if again else (item.opened_at, "Follow-up")
        self._print(self._clock(at), "! ", who, f"{title}: {what}", style)

    def _receipts(self, delivered: Mapping[str, str]) -> None:
        if delivered:
            who = ", ".join(self._name(number) for number in delivered)
            at = list(delivered.values())[-1]
            line = Text.assemble((f"{at} ", "dim"), (f"ok delivered to {who}", "dim"))
            self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def _line(self, at: str, mark: str, number: str, words: str, style: str) -> None:
        self._print(at, mark, self._name(number), words, style)

    def _print(self, at: str, mark: str, who: str, words: str, style: str) -> None:
        line = Text.assemble(
            (f"{at} ", "dim"), (f"{mark} ", style), (f"{who:<{_NAME_WIDTH}} ", "bold"), words
        )
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def _name(self, number: str) -> str:
        return self._names.get(number, number)

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%H:%M:%S}"
