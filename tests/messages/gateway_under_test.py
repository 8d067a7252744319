"""The real gateway, pointed at a scripted carrier, and the text its tests send."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messages.gateway import OutboundText, SendOutcome
from messages.gateways.http import Timeouts
from messages.gateways.twilio import TwilioGateway

ACCOUNT = "AC" + "0" * 32
TOKEN = "not-a-real-token"
TEXT = OutboundText(
    to="+12125550100",
    body="Riverside Care: see you Tue Dec 1 at 8 AM & bring ID. ¿Sí? 50% + #1; a=b",
    messaging_service_sid="MG" + "0" * 32,
    status_callback="https://clinic.example/twilio/status?message=m1&attempt=2#rc=3&rp=all",
    validity_seconds=3600,
)
QUICK = Timeouts(connect=0.4, read=0.3, total=0.6)


@asynccontextmanager
async def gateway_to(url: str, **settings) -> AsyncIterator[TwilioGateway]:
    gateway = TwilioGateway(account_sid=ACCOUNT, auth_token=TOKEN, api_url=url, **settings)
    try:
        yield gateway
    finally:
        await gateway.close()


async def send(gateway: TwilioGateway, *, within: float = 5.0) -> SendOutcome:
    return await gateway.send(TEXT, write_before=time.monotonic() + within)
