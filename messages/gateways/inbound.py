"""Where Twilio takes what comes in: the addresses that are set at a service and at its numbers.

Asked by `aftercare doctor` and before a live start, never on a text's way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from twilio.rest import Client

from messages.gateway import CarrierUnavailable, InboundRoute
from messages.gateways.asking import asked
from messages.gateways.http import CarrierHttp

_FETCH_SERVICE, _LIST_NUMBERS = "fetch a messaging service", "list numbers"


async def inbound_routes(
    *,
    account_sid: str,
    auth_token: str,
    api_url: str,
    service: str | None,
    numbers: Sequence[str],
) -> list[InboundRoute]:
    """Return the routes by which texts to these numbers come to us.

    That of the messaging service, if there is one and it does not leave the choice to its numbers;
    else that of each number. Raises `CarrierUnavailable`.
    """
    # At INFO this logger prints addresses that hold phone numbers.
    logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
    http = CarrierHttp(api_url=api_url, in_flight=1)
    client = Client(account_sid, auth_token, http_client=http)
    # The SDK reads these two from the environment, where they would change the host.
    client.edge = client.region = None
    try:
        if service is not None:
            route, by_number = await _of_service(client, service)
            if not by_number:
                return [route]
        return [await _of_number(client, number) for number in numbers]
    finally:
        await http.close()


async def _of_service(client: Client, sid: str) -> tuple[InboundRoute, bool]:
    """Return a service's route, and whether its numbers have routes of their own instead."""
    try:
        found = await asked(_FETCH_SERVICE, client.messaging.v1.services(sid).fetch_async())
    except CarrierUnavailable as error:
        if error.http_status == 404:
            return InboundRoute(owner=sid, known=False), False
        raise
    route = InboundRoute(
        owner=sid,
        inbound_url=found.inbound_request_url or None,
        fallback_url=found.fallback_url or None,
    )
    return route, bool(found.use_inbound_webhook_on_number)


async def _of_number(client: Client, number: str) -> InboundRoute:
    listed: list[Any] = await asked(
        _LIST_NUMBERS, client.incoming_phone_numbers.list_async(phone_number=number, limit=20)
    )
    # Twilio's filter takes parts of numbers too.
    for found in listed:
        if found.phone_number == number:
            return InboundRoute(
                owner=number,
                elsewhere=bool(found.sms_application_sid),
                inbound_url=found.sms_url or None,
                fallback_url=found.sms_fallback_url or None,
            )
    return InboundRoute(owner=number, known=False)
