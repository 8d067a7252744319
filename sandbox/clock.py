"""The sandbox's own clock and the date formats of Twilio's API.

The offset comes from `AFTERCARE_CLOCK_OFFSET`, read here by itself, so that the dates a carrier
prints agree with those of a product whose processes run on the same shifted clock.
"""

import os
import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache


def offset_from_environment() -> float:
    """Seconds to add to real time; 0 when the variable is not set. ValueError on a non-number."""
    raw = os.environ.get("AFTERCARE_CLOCK_OFFSET", "").strip()
    return float(raw) if raw else 0.0


def now(offset: float) -> float:
    """Seconds since the epoch on the shifted clock."""
    return time.time() + offset


@lru_cache(maxsize=4096)
def _rfc2822(second: int) -> str:
    return formatdate(second, usegmt=True).replace("GMT", "+0000")


def rfc2822(at: float | None) -> str | None:
    """`Tue, 01 Dec 2026 13:00:00 +0000`, as Twilio's 2010 API writes dates."""
    return None if at is None else _rfc2822(int(at))


def http_date(at: float) -> str:
    """The same instant in the form of HTTP's `Date` header."""
    return _rfc2822(int(at)).replace("+0000", "GMT")


def iso(at: float) -> str:
    """UTC ISO 8601 with microseconds, for the log."""
    micros = round(at * 1_000_000)
    return f"{_iso_second(micros // 1_000_000)}.{micros % 1_000_000:06d}+00:00"


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse(text: str) -> datetime:
    """An ISO 8601 date or instant; without an offset it is UTC. ValueError if it is neither."""
    at = datetime.fromisoformat(text.strip())
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def dlr(at: float) -> str:
    """YYMMDDhhmm without a zone, to the minute: RawDlrDoneDate as carriers report it."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%y%m%d%H%M")
