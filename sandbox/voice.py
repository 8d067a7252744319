"""Twilio's REST resource `Calls`: create, list, fetch, end."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from sandbox import listing, numbers
from sandbox.calls import ENDED, Call, CallStatus, Switchboard, render
from sandbox.carrier import Carrier
from sandbox.errors import ApiError, refusal
from sandbox.front import api_response, authenticate, guarded
from sandbox.spoil import answer
from sandbox.state import new_sid
from sandbox.webhooks import is_web_address

Form = dict[str, list[str]]


class Calls:
    """Handlers for /2010-04-01/Accounts/{account}/Calls..."""

    def __init__(self, carrier: Carrier, switchboard: Switchboard) -> None:
        self._carrier = carrier
        self._switchboard = switchboard

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{account}/Calls"
        return [
            web.post(base + ".json", guarded(self._carrier, self.create)),
            web.get(base + ".json", guarded(self._carrier, self.browse)),
            web.get(base + "/{sid}.json", guarded(self._carrier, self.fetch)),
            web.post(base + "/{sid}.json", guarded(self._carrier, self.update)),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """201 with the new call, or Twilio's refusal."""
        account = authenticate(self._carrier, request)
        form = await _form(request)
        return await self._answered(request, lambda: self._create(account, form))

    def _create(self, account: str, form: Form) -> web.Response:
        to, caller = _first(form, "To"), _first(form, "From")
        if not to:
            raise ApiError(refusal(21201))
        if not caller:
            raise ApiError(refusal(21213))
        url, twiml = _first(form, "Url"), _first(form, "Twiml")
        if twiml is None and (url is None or not is_web_address(url)):
            raise ApiError(refusal(21205))
        callback = _first(form, "StatusCallback")
        if callback is not None and not is_web_address(callback):
            raise ApiError(refusal(21609, value=callback))
        # The SDK sends one StatusCallbackEvent a value; by hand they also come joined by spaces.
        events = frozenset(" ".join(form.get("StatusCallbackEvent", ["completed"])).split())
        call = Call(
            sid=new_sid("CA"),
            seq=self._switchboard.next_seq(),
            account=account,
            to=numbers.recipient(to),
            caller=numbers.sender(caller),
            direction="outbound-api",
            created=self._carrier.now(),
            url=url,
            twiml=twiml,
            status_callback=callback,
            events=events | {"completed"},
        )
        document = render(call)
        self._switchboard.start(call)
        return api_response(self._carrier, document, 201)

    async def browse(self, request: web.Request) -> web.StreamResponse:
        """200 with a page, newest first; filters To, From, Status."""
        account = authenticate(self._carrier, request)
        return await self._answered(request, lambda: self._browse(account, request))

    def _browse(self, account: str, request: web.Request) -> web.Response:
        query, calls = dict(request.query), self._switchboard.calls
        wanted = {"to": query.get("To"), "from": query.get("From"), "status": query.get("Status")}

        def fits(call: Call) -> bool:
            shown: dict[str, Any] = render(call)
            return all(value is None or shown[name] == value for name, value in wanted.items())

        found = (c for c in reversed(calls.values()) if c.account == account and fits(c))
        page = listing.page(found, query, calls.get)
        document = listing.envelope("calls", request.path, query, page, render)
        return api_response(self._carrier, document, 200)

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """200 with the call as it stands."""
        call = self._named(request)
        return await self._answered(request, lambda: api_response(self._carrier, render(call), 200))

    async def update(self, request: web.Request) -> web.StreamResponse:
        """Ends a call: Status=completed hangs up, Status=canceled stops it ringing."""
        call, form = self._named(request), await _form(request)
        status = _first(form, "Status")
        if call.status in ENDED:
            raise ApiError(refusal(21220))
        if status not in {CallStatus.COMPLETED, CallStatus.CANCELED}:
            raise ApiError(refusal(20001, value=f"Status {status}"))
        self._switchboard.hang_up(call, CallStatus(status))
        return api_response(self._carrier, render(call), 200)

    def _named(self, request: web.Request) -> Call:
        account = authenticate(self._carrier, request)
        call = self._switchboard.calls.get(request.match_info["sid"])
        if call is None or call.account != account:
            raise ApiError(refusal(20404, value=request.path))
        return call

    async def _answered(
        self, request: web.Request, act: Callable[[], web.Response]
    ) -> web.StreamResponse:
        if not self._carrier.faults.active:
            return act()
        return await answer(self._carrier.faults, request, act, on="calls")


async def _form(request: web.Request) -> Form:
    return parse_qs((await request.read()).decode(), keep_blank_values=True)


def _first(form: Form, name: str) -> str | None:
    return form.get(name, [""])[0] or None
