"""Asking Twilio through its SDK: whatever goes wrong is one error that names no number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import aiohttp
from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)

from messages.gateway import CarrierUnavailable
from messages.gateways.http import lost, unreachable

LIST_SECONDS = 60.0  # A list of many pages ends after this long, whatever each page takes.
LARGEST = 2**31 - 1


async def asked(what: str, question: Awaitable[Any]) -> Any:
    """Await a call of the SDK's; whatever goes wrong is `CarrierUnavailable`.

    It is raised outside of the handler, so that no traceback drags along the SDK's exception,
    whose text and address can hold phone numbers.
    """
    try:
        async with asyncio.timeout(LIST_SECONDS):
            return await question
    except Exception as error:  # noqa: BLE001  Four trees of exceptions come out of the SDK.
        failed = _unavailable(what, error)
    raise failed


def _unavailable(what: str, error: Exception) -> CarrierUnavailable:
    match error:
        case TwilioRestException() | TwilioServiceException():
            return CarrierUnavailable(what, f"code {integer(error.code)}", error.status)
        case TwilioException(args=(_, response)):
            return CarrierUnavailable(what, "page refused", response.status_code)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return CarrierUnavailable(what, unreachable(error))
        case aiohttp.ClientError() | OSError():
            return CarrierUnavailable(what, lost(error))
        case ValueError() | TypeError() | KeyError() | AttributeError() | TwilioException():
            return CarrierUnavailable(what, "the answer could not be read")
    return CarrierUnavailable(what, type(error).__name__)


def integer(value: object) -> int | None:
    """Return a whole number out of JSON or a form; None for anything else.

    Nor is one of more than 31 bits any: no column holds it, and no code of the carrier's is longer.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= LARGEST else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return None
