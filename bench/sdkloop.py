"""The bare SDK: `client.messages.create_async` in 64 slots, nothing stored.

python -m bench.sdkloop CARRIER_URL COUNT
"""

import asyncio
import json
import logging
import sys
import time
from typing import Any

import uvloop
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from bench.peer import BODY, SENDER
from bench.phones import phone
from bench.rig import ACCOUNT, TOKEN

SLOTS = 64


class _Redirected(AsyncTwilioHttpClient):  # type: ignore[misc]  # The SDK ships no types.
    def __init__(self, base: str) -> None:
        super().__init__(pool_connections=True)
        self._base = base

    async def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        here = url.replace("https://api.twilio.com", self._base)
        return await super().request(method, here, *args, **kwargs)


async def _run(base: str, count: int) -> dict[str, float]:
    http = _Redirected(base)
    client = Client(ACCOUNT, TOKEN, http_client=http)
    callback = "http://127.0.0.1:9/twilio/status"
    numbers = iter(range(count))

    async def slot() -> None:
        for number in numbers:
            await client.messages.create_async(
                to=phone(number), from_=SENDER, body=BODY, status_callback=callback
            )

    await client.messages.create_async(to=phone(count), from_=SENDER, body=BODY)
    started, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(slot() for _ in range(SLOTS)))
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    await http.close()
    return {"count": count, "seconds": seconds, "rate": count / seconds, "cpu": cpu}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(uvloop.run(_run(sys.argv[1], int(sys.argv[2])))))
