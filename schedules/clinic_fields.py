"""The words and figures of a clinic file: how each is written, and what is said when it is not.

Every reader here turns a YAML value into a typed one, or raises a fault in the user's words that
`schedules.clinic_faults` places on its line.
"""

import difflib
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, time
from functools import lru_cache
from typing import Annotated
from zoneinfo import available_timezones

import phonenumbers
from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from schedules.followups import FollowUpReason
from schedules.staffing import Span, read_clock
from schedules.windows import MIDNIGHT

E164_US = re.compile(r"\+1[2-9]\d{2}[2-9]\d{6}")
# What people say for a zone, and the place whose clocks they mean.
ZONES_SPOKEN = {
    **dict.fromkeys(("ET", "EST", "EDT", "EASTERN"), "America/New_York"),
    **dict.fromkeys(("CT", "CST", "CDT", "CENTRAL"), "America/Chicago"),
    **dict.fromkeys(("MT", "MST", "MDT", "MOUNTAIN"), "America/Denver"),
    **dict.fromkeys(("PT", "PST", "PDT", "PACIFIC"), "America/Los_Angeles"),
    **dict.fromkeys(("AKST", "AKDT"), "America/Anchorage"),
    "HST": "Pacific/Honolulu",
    "EST5EDT": "America/New_York",
    "CST6CDT": "America/Chicago",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
}
E_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


LINK = re.compile(r"(?:https://)?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[!-~]*)?")
LINK_LENGTH = 60


def wrong(message: str, mend: str) -> PydanticCustomError:
    # Braces would be read as pydantic's placeholders, so that the words travel as values.
    return PydanticCustomError("clinic", "{message}", {"message": message, "mend": mend})


def _phone(value: object) -> object:
    """Accept E.164; YAML reads an unquoted +1212... as a whole number, which loses nothing."""
    text = f"+{value}" if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and E164_US.fullmatch(text):
        return text
    mend = 'Write a US number as "+1" and ten digits, such as "+12125550100"'
    if (meant := _e164(str(value))) is not None:
        mend = f'Write "{meant}"'
    raise wrong(f'"{value}" is not a phone number that can be called as it stands', mend)


def _e164(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return written if E164_US.fullmatch(written) else None


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    if is_zone(value):
        return value
    raise wrong(f'"{value}" is not a place in the IANA time zone list', zone_meant(value))


def is_zone(name: str) -> bool:
    """Whether this is a place of the IANA list; "EST" and its kin load too, in winter all year."""
    return name in _zones()


def zone_meant(name: str) -> str:
    """Say what to write in the place of a name that is no zone."""
    near = difflib.get_close_matches(name.replace(" ", "_"), _zones(), n=1, cutoff=0.7)
    found = ZONES_SPOKEN.get(name.strip().upper()) or (near[0] if near else None)
    return f'Did you mean "{found}"' if found else 'Write a name such as "America/New_York"'


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # "Etc/GMT+5" is an offset, and on the other side of Greenwich than it looks.
    places = (zone for zone in available_timezones() if "/" in zone and zone[:4] != "Etc/")
    return frozenset(places) | {"UTC", "Etc/UTC"}


def _clock(value: object) -> object:
    return _read(value, time, read_clock, 'Write it in quotes, such as "08:00"')


def _clock_or_midnight(value: object) -> object:
    return _read(value, time, lambda text: read_clock(text, may_end_day=True), 'Write "20:00"')


def _span(value: object) -> object:
    mend = 'Write "08:00-12:00"; hours over midnight are two, "20:00-24:00" and "00:00-06:00"'
    return _read(value, Span, Span.parse, mend)


def _date(value: object) -> object:
    return _read(value, date, _iso_date, 'Write it as "2026-12-24"')


def _iso_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a date') from None


def _read(value: object, kind: type[object], read: Callable[[str], object], mend: str) -> object:
    """Turn a text into a value; what is already one (a default, say) passes."""
    if isinstance(value, kind):
        return value
    try:
        return read(str(value))
    except ValueError as error:
        raise wrong(str(error), mend) from None


def none_is_closed(value: object) -> object:
    return () if value is None else value


def hours_or_word(value: object) -> object:
    if isinstance(value, str) and value not in ("always", "after_hours"):
        raise wrong(
            f'"{value}" says no hours',
            'Write "always", "after_hours", or hours by weekday as in staffed_hours',
        )
    return value


Phone = Annotated[str, BeforeValidator(_phone)]
Zone = Annotated[str, BeforeValidator(_zone)]
Email = Annotated[str, Field(pattern=E_MAIL)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Opening = Annotated[
    time, BeforeValidator(_clock), PlainSerializer(lambda at: f"{at:%H:%M}", return_type=str)
]
Closing = Annotated[
    time,
    BeforeValidator(_clock_or_midnight),
    PlainSerializer(lambda at: "24:00" if at == MIDNIGHT else f"{at:%H:%M}", return_type=str),
]
HoursSpan = Annotated[Span, BeforeValidator(_span), PlainSerializer(str, return_type=str)]
Day = Annotated[tuple[HoursSpan, ...], BeforeValidator(none_is_closed)]
Date = Annotated[date, BeforeValidator(_date)]
WholeHours = Annotated[float, Field(ge=0, le=24, strict=True)]


def _reason(value: object) -> object:
    """Accept the reason of an item, as the work list has it."""
    known = tuple(map(str, FollowUpReason))
    with suppress(ValueError):
        return str(FollowUpReason(str(value)))
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.6)
    mend = f"Did you mean {near[0]}" if near else "Write a reason such as crisis or overdose"
    raise wrong(f'no item has the reason "{value}"', mend)


Reason = Annotated[str, BeforeValidator(_reason)]
#: One thing to do, as long as a phone shows well.
Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]
#: What a text says. `messages.wording` judges it; here only what is no text at all is refused.
Words = Annotated[str, Field(min_length=1, max_length=480, pattern=r"\S")]


def _link(value: object) -> object:
    """Accept an address that a phone makes a link of, short enough for a text."""
    if not isinstance(value, str) or not LINK.fullmatch(value):
        raise wrong(
            f'"{value}" is no address that a text can carry',
            'Write it like "forms.example.org/m7", without spaces and in letters of the keyboard',
        )
    if len(value) > LINK_LENGTH:
        mend = f"Use one of at most {LINK_LENGTH} letters, such as a short link on a neutral name"
        raise wrong(f'"{value}" is too long for a text', mend)
    return value


Link = Annotated[str, BeforeValidator(_link)]
