"""Twilio's daily lists of US numbers that a mobile carrier has given up, or lost to another one."""

import secrets
from datetime import UTC, date, datetime, timedelta

from aiohttp import web

from sandbox.carrier import Carrier
from sandbox.errors import ApiError, refusal
from sandbox.front import api_response, guarded, signed_in

_FIRST_DAY = date(2020, 8, 27)
_TOO_OLD, _NOT_YET, _BAD_DATE = 30113, 30114, 30115
_ADDRESS_SECONDS = 120.0


class Deactivations:
    """Handlers for /v1/Deactivations and the file that it leads to."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        # What an address that was given out leads to, and until when by the loop's clock.
        self._given_out: dict[str, tuple[date, float]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            # Twilio has this at messaging.twilio.com; a sandbox has one host for all.
            web.get("/v1/Deactivations", guarded(self._carrier, self.fetch)),
            web.get("/deactivations/{key}.txt", self.file),
        ]

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """307 with the address of a day's file, good for two minutes."""
        signed_in(self._carrier, request)
        day = self._day(request.query.get("Date", ""))
        key = secrets.token_urlsafe(16)
        self._given_out[key] = (day, self._carrier.ticks() + _ADDRESS_SECONDS)
        address = str(request.url.with_path(f"/deactivations/{key}.txt").with_query(None))
        response = api_response(self._carrier, {"redirect_to": address}, 307)
        response.headers["Location"] = address
        return response

    def _day(self, written: str) -> date:
        try:
            day = date.fromisoformat(written)
        except ValueError:
            raise ApiError(refusal(_BAD_DATE, value=written)) from None
        if day < _FIRST_DAY:
            raise ApiError(refusal(_TOO_OLD))
        if day >= today(self._carrier):
            raise ApiError(refusal(_NOT_YET))
        return day

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A number a line, without its plus; asked for without credentials, as a signed address."""
        day, until = self._given_out.get(request.match_info["key"], (None, 0.0))
        if day is None or self._carrier.ticks() > until:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        numbers = sorted(self._carrier.store.deactivated.get(day, ()))
        return web.Response(text="".join(f"{number.lstrip('+')}\n" for number in numbers))


def today(carrier: Carrier) -> date:
    """The day that it is (UTC), by the shifted clock."""
    return datetime.fromtimestamp(carrier.now(), UTC).date()


def yesterday(carrier: Carrier) -> date:
    """The newest day of which there is a list."""
    return today(carrier) - timedelta(days=1)
