"""The page at `/`: the virtual phones side by side, with a field to write back in each."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader

from sandbox.calls import Call, Switchboard
from sandbox.carrier import Carrier
from sandbox.lifecycle import Lifecycle
from sandbox.numbers import normalise
from sandbox.state import Message, Phone

_PHONES = 24
_BUBBLES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One text as a phone shows it."""

    mine: bool
    body: str
    time: str
    status: str
    note: str
    bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One phone with its last texts, oldest first."""

    number: str
    ours: str
    blocked: bool
    bubbles: tuple[Bubble, ...]
    calls: tuple[str, ...]


class Page:
    """Renders the phones that were heard of last; `?phone=` shows one alone."""

    def __init__(self, carrier: Carrier, lifecycle: Lifecycle, switchboard: Switchboard) -> None:
        self._carrier = carrier
        self._lifecycle = lifecycle
        self._switchboard = switchboard
        environment = Environment(loader=PackageLoader("sandbox"), autoescape=True)
        self._template = environment.get_template("phones.html")

    async def show(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(12)
        body = self._template.render(self._context(request.query.get("phone")), nonce=nonce)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return web.Response(text=body, content_type="text/html", headers=headers)

    def _context(self, only: str | None) -> dict[str, Any]:
        store, config = self._carrier.store, self._carrier.config
        chosen = normalise(only) or only if only else None
        known = sorted(store.phones.values(), key=lambda phone: phone.seq, reverse=True)
        shown = [phone for phone in known if chosen is None or phone.number == chosen][:_PHONES]
        return {
            "screens": [self._screen(phone) for phone in shown],
            "hidden": len(known) - len(shown),
            "total": len(known),
            "counts": self._carrier.log.counts,
            "faults": self._carrier.faults.active,
            "settings": config,
        }

    def _screen(self, phone: Phone) -> Screen:
        store = self._carrier.store
        texts = store.latest(phone.number, _BUBBLES)
        calls = [c for c in self._switchboard.calls.values() if c.phone == phone.number]
        return Screen(
            number=phone.number,
            ours=phone.last_ours,
            blocked=any(number == phone.number for _, number in store.blocks),
            bubbles=tuple(self._bubble(text) for text in texts),
            calls=tuple(_heard(call) for call in calls[-3:]),
        )

    def _bubble(self, message: Message) -> Bubble:
        self._lifecycle.settle(message)
        at = datetime.fromtimestamp(message.created, tz=UTC)
        code = f" {message.error_code}" if message.error_code else ""
        return Bubble(
            mine=not message.outbound,
            body=message.body,
            time=f"{at:%b %d %H:%M} UTC",
            status=f"{message.status}{code}" if message.outbound else "",
            note="from the carrier itself" if message.carrier_own else "",
            bad=message.error_code is not None or message.status == "canceled",
        )


def _heard(call: Call) -> str:
    return f"Call, {call.status}: " + (" ".join(call.said) or "nothing said")
