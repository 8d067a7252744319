"""Dates and times as texts print them: short, local and in GSM-7 letters only.

Babel supplies names and patterns. Its output may hold U+202F before "AM" or the á of "sáb", and
either one turns a whole text into 70-letter parts, so everything passes through `gsm`.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_location, get_timezone_name

from messages import segments
from messages.wordtools import base_language


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """The few words a language needs around Babel's names."""

    locale: str
    day: str
    today: str
    tomorrow: str
    at: str
    at_one: str
    by: str
    by_one: str
    midnight: str
    zone: str


_WORDS = MappingProxyType(
    {
        "en": _Words(
            locale="en_US",
            day="EEE MMM d",
            today="today",
            tomorrow="tomorrow",
            at="{day} at {clock}",
            at_one="{day} at {clock}",
            by="{day} by {clock}",
            by_one="{day} by {clock}",
            midnight="12 midnight",
            zone="{clock} {city} time",
        ),
        "es": _Words(
            locale="es_US",
            day="EEE d MMM",
            today="hoy",
            tomorrow="mañana",
            at="{day} a las {clock}",
            at_one="{day} a la {clock}",
            by="{day} antes de las {clock}",
            by_one="{day} antes de la {clock}",
            midnight="12 de la noche",
            zone="{clock} hora de {city}",
        ),
    }
)

# Zones whose short name patients know. A zone shares the name only while it shares the clock:
# Arizona's "MT" would be read as Denver's summer time.
_NAMED = MappingProxyType(
    {
        "ET": ZoneInfo("America/New_York"),
        "CT": ZoneInfo("America/Chicago"),
        "MT": ZoneInfo("America/Denver"),
        "PT": ZoneInfo("America/Los_Angeles"),
        "AKT": ZoneInfo("America/Anchorage"),
        "HST": ZoneInfo("Pacific/Honolulu"),
    }
)
_SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f]+")


def gsm(text: str) -> str:
    """Return the text in GSM-7 letters: spaces made plain, marks dropped, the rest left out."""
    text = _SPACES.sub(" ", text)
    if segments.outside_gsm(text) is None:
        return text
    return "".join(_plain(letter) for letter in text)


def _plain(letter: str) -> str:
    if segments.outside_gsm(letter) is None:
        return letter
    bare = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in bare if segments.outside_gsm(part) is None)


def _words(language: str) -> _Words:
    return _WORDS.get(base_language(language), _WORDS["en"])


def clock(at: time | str, language: str) -> str:
    """Return a clock time: "8 AM", "8:30 AM"; Spanish "8 am", "8:30 am".

    `at` is a local time, or "HH:MM". Midnight is spelled out, since a food cut-off at "12 AM" is
    read as noon by too many.
    """
    value = time.fromisoformat(at) if isinstance(at, str) else at
    return _clock(value.hour, value.minute, language)


@lru_cache(maxsize=4096)
def _clock(hour: int, minute: int, language: str) -> str:
    words = _words(language)
    if hour == minute == 0:
        return words.midnight
    shown = "h:mm a" if minute else "h a"
    text = gsm(format_time(time(hour, minute), shown, locale=words.locale))
    return text.replace(".", "") if words.locale.startswith("es") else text


@lru_cache(maxsize=4096)
def date(day: dt.date, language: str) -> str:
    """Return a calendar day: "Tue Dec 1"; Spanish "mar 1 dic"."""
    words = _words(language)
    return gsm(format_date(day, words.day, locale=words.locale)).replace(".", "")


def day_name(day: dt.date, today: dt.date, language: str) -> str:
    """Return "today", "tomorrow" or the date, as seen on the day the text is really sent."""
    words = _words(language)
    if day == today:
        return words.today
    return words.tomorrow if day == today + timedelta(days=1) else date(day, language)


def clock_in(at: datetime, zone: ZoneInfo, language: str, *, name_zone: bool = False) -> str:
    """Return the clock time of an aware instant in `zone`, with the zone named when asked."""
    local = at.astimezone(zone)
    text = _clock(local.hour, local.minute, language)
    return zoned(text, local, language) if name_zone else text


def zoned(text: str, local: datetime, language: str) -> str:
    """Return a clock time with its zone: "8 AM ET", "8 AM Phoenix time" where no name is known."""
    offset = local.utcoffset() or timedelta()
    short, city = _zone_names(str(local.tzinfo), language)
    named = _NAMED.get(short)
    if named and local.astimezone(named).utcoffset() == offset:
        return f"{text} {short}"
    return _words(language).zone.format(clock=text, city=city)


@lru_cache(maxsize=2048)
def _zone_names(key: str, language: str) -> tuple[str, str]:
    zone, locale = ZoneInfo(key), Locale.parse(_words(language).locale)
    for short, known in _NAMED.items():
        if known.key == key:
            return short, ""
    short = get_timezone_name(zone, width="short", locale="en_US")
    city = get_timezone_location(zone, locale=locale, return_city=True)
    return short, gsm(city.rsplit("/", 1)[-1]).strip() or key.rsplit("/", 1)[-1].replace("_", " ")


def when(
    at: datetime, zone: ZoneInfo, now: datetime, language: str, name_zone: bool = False
) -> str:
    """Return day and clock of an aware instant in `zone`: "today at 8 AM", "Tue Dec 1 at 8 AM".

    "today" and "tomorrow" count from `now` in the same zone. `name_zone` adds the zone's name, for
    a patient whose own clock differs.
    """
    words, local = _words(language), at.astimezone(zone)
    return _join(words.at, words.at_one, local, now.astimezone(zone), language, name_zone=name_zone)


def opening(at: datetime, zone: ZoneInfo, now: datetime, language: str) -> str:
    """Return when the clinic opens again, for {until}: "tomorrow at 8 AM"."""
    return when(at, zone, now, language, name_zone=False)


def call_window(due: datetime, zone: ZoneInfo, now: datetime, language: str) -> str:
    """Return by when somebody calls, for {window}: "today by 5 PM"."""
    words, local = _words(language), due.astimezone(zone)
    return _join(words.by, words.by_one, local, now.astimezone(zone), language, name_zone=False)


def _join(
    many: str, one: str, local: datetime, now: datetime, language: str, *, name_zone: bool
) -> str:
    """Join day and clock; Spanish says "a la 1" and "a las 2"."""
    shown = _clock(local.hour, local.minute, language)
    if name_zone:
        shown = zoned(shown, local, language)
    pattern = one if local.hour in {1, 13} else many
    return pattern.format(day=day_name(local.date(), now.date(), language), clock=shown)
