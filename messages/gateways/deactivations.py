"""Twilio's daily lists of US numbers that a mobile carrier has given up, or lost to another one.

The REST API tells where the file of a day lies: at a host of its own, good for two minutes. It
is public to whoever knows the address, so that no credentials go there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from messages.gateway import CarrierUnavailable
from messages.gateways.asking import asked
from messages.gateways.http import Answer, CarrierHttp

_WHAT = "list deactivated numbers"
#: Twilio has no list of a day before its first one, and none yet of a day that is too young.
_NO_LIST = frozenset({"code 30113", "code 30114"})
#: Ten digits, with or without a country code and its plus.
_NUMBER = re.compile(rb"^(?:\+?1)?([2-9]\d{9})\s*$", re.MULTILINE)
#: All of the country's carriers together give up some hundred thousand numbers a day.
LARGEST_FILE = 64 * 1024 * 1024


async def deactivated(client: Any, http: CarrierHttp, day: date) -> Iterable[str] | None:
    """Return the numbers of this day's list as E.164; None where Twilio has no such list.

    `client` is the SDK's. Raises `CarrierUnavailable`.
    """
    try:
        found = await asked(_WHAT, client.messaging.v1.deactivations().fetch_async(date=day))
    except CarrierUnavailable as error:
        if error.reason in _NO_LIST:
            return None
        raise
    file: Answer = await asked(_WHAT, http.download(str(found.redirect_to), LARGEST_FILE))
    if file.status != 200:
        raise CarrierUnavailable(_WHAT, "file refused", file.status)
    if file.body.strip() and _NUMBER.search(file.body) is None:
        raise CarrierUnavailable(_WHAT, "the answer could not be read")
    return _numbers(file.body)


def _numbers(file: bytes) -> Iterator[str]:
    """Read a file as it is walked through: as strings its numbers take five times the room."""
    return (f"+1{found[1].decode()}" for found in _NUMBER.finditer(file))
