"""The few REST resources a set-up check asks for: the account, its numbers, and its services."""

from typing import Any

from aiohttp import web

from sandbox import clock, listing
from sandbox.carrier import Carrier
from sandbox.config import Config
from sandbox.errors import ApiError, refusal
from sandbox.front import api_response, authenticate, guarded, signed_in


class Accounts:
    """Handlers for /2010-04-01/Accounts/{account}.json and its IncomingPhoneNumbers."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{account}"
        return [
            web.get(base + ".json", guarded(self._carrier, self.fetch)),
            web.get(base + "/IncomingPhoneNumbers.json", guarded(self._carrier, self.numbers)),
            # Twilio has these at messaging.twilio.com; a sandbox has one host for all.
            web.get("/v1/Services/{service}", guarded(self._carrier, self.service)),
        ]

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """200 with an active account."""
        sid = authenticate(self._carrier, request)
        document = {
            "sid": sid,
            "friendly_name": "Sandbox",
            "status": "active",
            "type": "Full",
            "owner_account_sid": sid,
            "uri": f"/2010-04-01/Accounts/{sid}.json",
        }
        return api_response(self._carrier, document, 200)

    async def numbers(self, request: web.Request) -> web.StreamResponse:
        """200 with the numbers this sandbox sends from; filter PhoneNumber."""
        account, query = authenticate(self._carrier, request), dict(request.query)
        config, wanted = self._carrier.config, query.get("PhoneNumber")
        found = [n for n in owned(config) if wanted is None or wanted in n]
        page = listing.Page(items=[_Number(n) for n in found], more=False, number=0, size=1000)
        document = listing.envelope(
            "incoming_phone_numbers",
            request.path,
            query,
            page,
            lambda number: self._shown(account, number.sid),
        )
        return api_response(self._carrier, document, 200)

    async def service(self, request: web.Request) -> web.StreamResponse:
        """200 with a messaging service and where it takes what comes in."""
        account, sid = signed_in(self._carrier, request), request.match_info["service"]
        config = self._carrier.config
        if sid not in config.services:
            raise ApiError(refusal(20404, value=request.path))
        document = {
            "sid": sid,
            "account_sid": account,
            "friendly_name": "Sandbox",
            "inbound_request_url": config.inbound_address("", sid),
            "inbound_method": "POST",
            "fallback_url": config.fallback_url,
            "fallback_method": "POST",
            "use_inbound_webhook_on_number": config.webhook_on_number,
            "status_callback": config.status_callback,
            "sticky_sender": True,
            "validity_period": 36_000,
            "date_created": clock.iso(0),
            "date_updated": clock.iso(0),
            "url": f"/v1/Services/{sid}",
        }
        return api_response(self._carrier, document, 200)

    def _shown(self, account: str, number: str) -> dict[str, Any]:
        sid = "PN" + number.lstrip("+").rjust(32, "0")
        address = self._carrier.config.inbound_address(number, None)
        return {
            "sid": sid,
            "account_sid": account,
            "phone_number": number,
            "friendly_name": number,
            "capabilities": {"sms": True, "mms": True, "voice": True, "fax": False},
            "sms_url": address,
            "sms_method": "POST",
            "sms_fallback_url": self._carrier.config.fallback_url,
            "voice_url": self._carrier.config.voice_url,
            "voice_method": "POST",
            "date_created": clock.rfc2822(0),
            "date_updated": clock.rfc2822(0),
            "uri": f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json",
        }


class _Number:
    """A number where a list wants something with a SID."""

    def __init__(self, number: str) -> None:
        self.sid, self.seq = number, 0


def owned(config: Config) -> list[str]:
    """The numbers that are configured: the default one, those of services, and the others."""
    pooled = [number for numbers in config.services.values() for number in numbers]
    return sorted({config.default_number, *config.numbers, *pooled})
