"""What single cells say: words of a closed list, yes or no, days, clock times, instants, phones.

A time of a visit carries an offset or is local to the clinic. One that its zone skips, or has
twice, is refused with the mend: a guess here is a patient at a closed door.
"""

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from messages import phone
from messages.errors import BadPhone
from schedules.clinic_fields import ZONES_SPOKEN
from schedules.staffing import Span
from worker.intake.table import CellError, near

_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2})(:\d{2})?(?:\.\d+)? ?(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_YES = frozenset({"yes", "y", "true", "1", "si", "x"})
_NO = frozenset({"no", "n", "false", "0"})
_LONGEST = 200


def word(known: Collection[str]) -> Callable[[str], str]:
    """Return a reader of one word out of a closed list, in any case."""

    def read(text: str) -> str:
        folded = text.casefold()
        if folded not in known:
            raise CellError(f'"{text[:30]}" is not known here; {near(text, known)}')
        return folded

    return read


def words(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of several words parted by semicolons."""
    one = word(known)

    def read(text: str) -> tuple[str, ...]:
        found = (one(part.strip()) for part in text.split(";") if part.strip())
        return tuple(dict.fromkeys(found))

    return read


def yes_no(text: str) -> bool:
    """Read yes or no."""
    folded = text.casefold()
    if folded not in _YES | _NO:
        raise CellError("write yes or no")
    return folded in _YES


def short(text: str) -> str:
    """Read a free text of one line."""
    if len(text) > _LONGEST:
        raise CellError(f"it is longer than {_LONGEST} letters")
    if any(ord(letter) < 32 for letter in text):
        raise CellError("it has a line break or a control character in it")
    return text


def phone_number(text: str) -> str:
    """Read a phone number as E.164. The fault never repeats it."""
    try:
        return phone.parse(text)
    except BadPhone as error:
        raise CellError(f"not a usable phone number: {error.reason}") from None


def zone(known: Callable[[str], bool]) -> Callable[[str], str]:
    """Return a reader of an IANA zone name."""

    def read(text: str) -> str:
        if known(text):
            return text
        meant = ZONES_SPOKEN.get(text.upper())
        mend = f'did you mean "{meant}"?' if meant else 'write a name such as "America/New_York"'
        raise CellError(f'"{text[:40]}" is no time zone; {mend}')

    return read


def day(text: str) -> date:
    """Read a day written year first."""
    if not _DAY.fullmatch(text):
        raise CellError("write the day as 2026-12-01")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CellError("there is no such day in the calendar") from None


def clock(text: str) -> time:
    """Read a wall-clock time."""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise CellError("write the time as 17:00")
    return time(int(found[1]), int(found[2]))


def hours(text: str) -> Span:
    """Read a span of hours within a day."""
    try:
        return Span.parse(text)
    except ValueError as error:
        raise CellError(f"{error}; write it as 09:00-17:00") from None


def several(text: str) -> tuple[str, ...]:
    """Read words parted by semicolons."""
    return tuple(part.strip() for part in short(text).split(";") if part.strip())


def instant(at: ZoneInfo) -> Callable[[str], datetime]:
    """Return a reader of an instant (UTC): with an offset, or by the clocks of zone `at`."""

    def read(text: str) -> datetime:
        found = _INSTANT.fullmatch(text)
        if not found:
            raise CellError(
                "write the time as 2026-12-01T09:00, or with an offset as "
                "2026-12-01T09:00-05:00; other forms can be read in two ways"
            )
        on, clock_time, seconds, offset = found.groups()
        written = f"{on}T{clock_time.zfill(5)}{seconds or ''}{(offset or '').upper()}"
        try:
            parsed = datetime.fromisoformat(written)
        except ValueError:
            raise CellError("there is no such day or time") from None
        return parsed.astimezone(UTC) if parsed.tzinfo else _local(parsed, at)

    return read


def instant_or_day(at: ZoneInfo) -> Callable[[str], datetime]:
    """Return a reader of an instant; a day alone means its start in zone `at`."""
    exact = instant(at)

    def read(text: str) -> datetime:
        if _DAY.fullmatch(text):
            return datetime.combine(day(text), time(), at).astimezone(UTC)
        return exact(text)

    return read


def _local(wall: datetime, at: ZoneInfo) -> datetime:
    first, second = wall.replace(tzinfo=at), wall.replace(tzinfo=at, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    back = first.astimezone(UTC).astimezone(at)
    if back.replace(tzinfo=None) != wall:
        skipped = (first.utcoffset() or timedelta()) - (second.utcoffset() or timedelta())
        after = wall - skipped if skipped < timedelta() else wall + skipped
        raise CellError(
            f"the clocks in {at.key} skip {wall:%H:%M} on that day; "
            f"write {after:%H:%M} if an hour later is meant, or give the offset"
        )
    raise CellError(
        f"{wall:%H:%M} comes twice on that day in {at.key}; write "
        f"{first.isoformat(timespec='minutes')} for the first, "
        f"{second.isoformat(timespec='minutes')} for the second"
    )
