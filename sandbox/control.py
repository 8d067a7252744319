"""The sandbox's own API under /sandbox: phones, faults, settings, the log.

Everything is JSON. A bad request is answered with 400 and `{"error": ...}` that says what to mend.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from aiohttp import web

from sandbox import settings
from sandbox.calls import Call, Habit, Switchboard
from sandbox.calls import render as render_call
from sandbox.carrier import Carrier
from sandbox.deactivations import yesterday
from sandbox.errors import SandboxError
from sandbox.inbound import Inbound
from sandbox.lifecycle import Lifecycle
from sandbox.numbers import normalise
from sandbox.page import Page
from sandbox.rest import render
from sandbox.state import Message, new_sid

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_DOES = ("answer", "busy", "no-answer", "failed")
_LONGEST_WAIT = 30.0
_POLL_SECONDS = 0.01


class BadRequestError(SandboxError):
    """The control request cannot be understood."""


class MissingError(SandboxError):
    """What was named is not there."""


def _json(document: Any, status: int = 200) -> web.Response:
    body = json.dumps(document, ensure_ascii=False, default=str).encode()
    return web.Response(body=body, status=status, content_type="application/json")


def _plain(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except MissingError as error:
            return _json({"error": str(error)}, 404)
        except SandboxError as error:
            return _json({"error": str(error)}, 400)

    return handle


async def _document(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        document = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise BadRequestError(f"The body is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise BadRequestError("The body must be a JSON object.")
    return document


def _text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequestError(f"{name}: a string.")
    return value


class Control:
    """Handlers for /sandbox/... and the page at /."""

    def __init__(
        self,
        carrier: Carrier,
        lifecycle: Lifecycle,
        inbound: Inbound,
        switchboard: Switchboard,
    ) -> None:
        self._carrier = carrier
        self._lifecycle = lifecycle
        self._inbound = inbound
        self._switchboard = switchboard
        self._page = Page(carrier, lifecycle, switchboard)

    def routes(self) -> list[web.RouteDef]:
        phone = "/sandbox/phones/{number}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/", self._page.show),
            ("GET", "/sandbox/phones", self.phones),
            ("GET", phone, self.phone),
            ("POST", phone + "/texts", self.text),
            ("PUT", phone + "/outcome", self.set_outcome),
            ("DELETE", phone + "/outcome", self.clear_outcome),
            ("PUT", phone + "/habit", self.set_habit),
            ("PUT", phone + "/deactivated", self.deactivate),
            ("POST", phone + "/calls", self.call_us),
            ("GET", "/sandbox/calls", self.calls),
            ("GET", "/sandbox/calls/{sid}", self.call),
            ("POST", "/sandbox/calls/{sid}/digits", self.digits),
            ("POST", "/sandbox/calls/{sid}/hangup", self.hang_up),
            ("POST", "/sandbox/messages/{sid}/redeliver", self.redeliver),
            ("GET", "/sandbox/faults", self.faults),
            ("POST", "/sandbox/faults", self.add_fault),
            ("DELETE", "/sandbox/faults", self.clear_faults),
            ("DELETE", "/sandbox/faults/{id}", self.remove_fault),
            ("GET", "/sandbox/settings", self.settings),
            ("PATCH", "/sandbox/settings", self.configure),
            ("GET", "/sandbox/blocks", self.blocks),
            ("GET", "/sandbox/log", self.log),
            ("GET", "/sandbox/stats", self.stats),
            ("GET", "/sandbox/idle", self.idle),
            ("POST", "/sandbox/reset", self.reset),
        ]
        return [web.route(method, path, _plain(handler)) for method, path, handler in table]

    # Phones

    def _number(self, request: web.Request) -> str:
        raw = request.match_info["number"]
        return normalise(raw) or raw

    async def phones(self, _request: web.Request) -> web.Response:
        """All phones, the one heard of last first."""
        known = sorted(self._carrier.store.phones.values(), key=lambda p: p.seq, reverse=True)
        listed = [
            {"number": p.number, "last_ours": p.last_ours, "service": p.last_service} for p in known
        ]
        return _json({"phones": listed})

    async def phone(self, request: web.Request) -> web.Response:
        """One phone's conversation, oldest first."""
        number = self._number(request)
        texts = [self._shown(m) for m in self._carrier.store.conversation(number)]
        blocked = sorted(owner for owner, phone in self._carrier.store.blocks if phone == number)
        return _json({"number": number, "blocked_by": blocked, "messages": texts})

    def _shown(self, message: Message) -> dict[str, Any]:
        self._lifecycle.settle(message)
        own = {"body": message.body, "from": message.sender, "by_carrier": message.carrier_own}
        return render(message) | own

    async def text(self, request: web.Request) -> web.Response:
        """A text from this phone. With `wait` the answer tells how the webhook went."""
        document = await _document(request)
        media = document.get("media", [])
        if not isinstance(media, list) or not all(isinstance(url, str) for url in media):
            raise BadRequestError("media: a list of addresses.")
        body, to = _text(document, "body"), _text(document, "to")
        if body is None and not media:
            raise BadRequestError("body: what the phone writes.")
        message, delivery = self._inbound.receive(
            phone=self._number(request),
            body=body or "",
            to=(to if to.startswith("MG") else normalise(to) or to) if to else None,
            media=tuple((url, "image/jpeg") for url in media),
        )
        answer: dict[str, Any] = {"sid": message.sid, "to": message.to, "service": message.service}
        if document.get("wait"):
            result = await asyncio.shield(delivery)
            answer["webhook"] = result.as_json() if result is not None else None
        return _json(answer, 201)

    async def redeliver(self, request: web.Request) -> web.Response:
        """Posts an inbound text's webhook once more, with the same SID."""
        message = self._carrier.store.messages.get(request.match_info["sid"])
        if message is None or message.outbound:
            raise MissingError("No inbound text has this SID.")
        url = self._carrier.config.inbound_address(message.to, message.service)
        if url is None:
            raise BadRequestError("No inbound address is set: PATCH /sandbox/settings inbound_url.")
        result = await self._inbound.post(message, url)
        return _json({"sid": message.sid, "webhook": result.as_json()})

    async def set_outcome(self, request: web.Request) -> web.Response:
        """How this phone's next texts end: {"status": ..., "error_code": ...}."""
        chosen = settings.outcome(await _document(request))
        self._carrier.store.outcomes[self._number(request)] = chosen
        return _json({"status": chosen.status, "error_code": chosen.error_code})

    async def clear_outcome(self, request: web.Request) -> web.Response:
        self._carrier.store.outcomes.pop(self._number(request), None)
        return web.Response(status=204)

    async def deactivate(self, request: web.Request) -> web.Response:
        """The phone's carrier gave the number up: {"date": "2026-11-29"}, else yesterday (UTC)."""
        written = _text(await _document(request), "date")
        try:
            day = date.fromisoformat(written) if written else yesterday(self._carrier)
        except ValueError:
            raise BadRequestError("date: a day such as 2026-11-29.") from None
        self._carrier.store.deactivated.setdefault(day, set()).add(self._number(request))
        return _json({"date": day.isoformat()})

    async def set_habit(self, request: web.Request) -> web.Response:
        """What this phone does when called: {"does": "answer", "digits": "1"}."""
        document = await _document(request)
        does, digits = _text(document, "does") or "answer", _text(document, "digits") or ""
        if does not in _DOES:
            raise BadRequestError(f"does: one of {', '.join(_DOES)}.")
        self._switchboard.habits[self._number(request)] = Habit(does=does, digits=digits)
        return _json({"does": does, "digits": digits})

    # Calls

    async def call_us(self, request: web.Request) -> web.Response:
        """Has the phone call one of our numbers: {"to", "url"}; the voice URL answers."""
        document = await _document(request)
        number = self._number(request)
        known = self._carrier.store.phones.get(number)
        url = _text(document, "url") or self._carrier.config.voice_url
        if url is None:
            raise BadRequestError("No voice address is set: PATCH /sandbox/settings voice_url.")
        fallback = known.last_ours if known else self._carrier.config.default_number
        call = Call(
            sid=new_sid("CA"),
            seq=self._switchboard.next_seq(),
            account=known.account if known else self._carrier.default_account,
            to=_text(document, "to") or fallback,
            caller=number,
            direction="inbound",
            created=self._carrier.now(),
            url=url,
        )
        self._switchboard.start(call)
        return _json(_shown_call(call), 201)

    async def calls(self, _request: web.Request) -> web.Response:
        return _json({"calls": [_shown_call(c) for c in self._switchboard.calls.values()]})

    def _named_call(self, request: web.Request) -> Call:
        call = self._switchboard.calls.get(request.match_info["sid"])
        if call is None:
            raise MissingError("No call has this SID.")
        return call

    async def call(self, request: web.Request) -> web.Response:
        return _json(_shown_call(self._named_call(request)))

    async def digits(self, request: web.Request) -> web.Response:
        """The phone in this call presses keys: {"digits": "1"}."""
        digits = _text(await _document(request), "digits")
        if not digits or not set(digits) <= set("0123456789*#"):
            raise BadRequestError("digits: keys of a telephone, such as 1 or 42#.")
        call = self._named_call(request)
        self._switchboard.press(call, digits)
        return _json(_shown_call(call), 201)

    async def hang_up(self, request: web.Request) -> web.Response:
        call = self._named_call(request)
        self._switchboard.hang_up(call)
        return _json(_shown_call(call))

    # Faults, settings, log

    async def faults(self, _request: web.Request) -> web.Response:
        """What is switched on, and how often each kind has fired since the last reset."""
        active = [fault.as_json() for fault in self._carrier.faults.active]
        return _json({"active": active, "fired": dict(self._carrier.faults.fired)})

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = self._carrier.faults.add(await _document(request))
        self._carrier.log.write("fault", fault=fault.as_json())
        return _json(fault.as_json(), 201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._carrier.faults.active.clear()
        return web.Response(status=204)

    async def remove_fault(self, request: web.Request) -> web.Response:
        raw = request.match_info["id"]
        if not raw.isdigit() or not self._carrier.faults.remove(int(raw)):
            raise MissingError("No active fault has this id.")
        return web.Response(status=204)

    async def settings(self, _request: web.Request) -> web.Response:
        return _json(settings.shown(self._carrier.config))

    async def configure(self, request: web.Request) -> web.Response:
        """Replaces the named settings; all or none."""
        self._carrier.configure(settings.changed(self._carrier, await _document(request)))
        return _json(settings.shown(self._carrier.config))

    async def blocks(self, _request: web.Request) -> web.Response:
        """Who said stop, and to which number or service."""
        pairs = sorted(self._carrier.store.blocks)
        return _json({"blocks": [{"sender": owner, "phone": phone} for owner, phone in pairs]})

    async def log(self, request: web.Request) -> web.Response:
        """Entries in memory, oldest first: ?kind=create,callback&since=SEQ_OR_INSTANT&sid=&to=."""
        query = dict(request.query)
        kinds = frozenset(filter(None, query.pop("kind", "").split(",")))
        since = query.pop("since", None)
        try:
            found = list(self._carrier.log.read(kinds=kinds, since=since, match=query))
        except ValueError:
            raise BadRequestError("since: an entry's seq, or an ISO 8601 instant.") from None
        return _json({"entries": found})

    async def stats(self, _request: web.Request) -> web.Response:
        """Counts by kind of log entry, and what is still on its way."""
        return _json(
            {
                "counts": dict(self._carrier.log.counts),
                "messages": len(self._carrier.store.messages),
                "phones": len(self._carrier.store.phones),
                "webhooks_in_flight": self._carrier.courier.busy,
                "messages_moving": self._lifecycle.waiting,
            }
        )

    async def idle(self, request: web.Request) -> web.Response:
        """Waits until nothing is on its way, at most ?timeout= seconds (10): 200, else 408."""
        try:
            seconds = min(float(request.query.get("timeout", "10")), _LONGEST_WAIT)
        except ValueError:
            raise BadRequestError("timeout: a number of seconds.") from None
        end = self._carrier.ticks() + seconds
        while self._carrier.courier.busy or self._lifecycle.moving:
            if self._carrier.ticks() >= end:
                return _json({"idle": False}, 408)
            await asyncio.sleep(_POLL_SECONDS)
        return _json({"idle": True})

    async def reset(self, _request: web.Request) -> web.Response:
        """Forgets texts, calls, blocks, outcomes and faults; settings and the log file stay."""
        self._lifecycle.stop()
        self._carrier.reset()
        self._switchboard.reset()
        return web.Response(status=204)


def _shown_call(call: Call) -> dict[str, Any]:
    return render_call(call) | {"said": call.said, "pressed": call.pressed}
