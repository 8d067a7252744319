"""What single cells say: words of a closed list, yes or no, days, clock times, instants, phones.

Readers that depend on how a file is written are methods of `worker.intake.written.Written`; here
they are for what the product itself asks for, in the one form that can't be misread.
"""

import re
from collections.abc import Callable, Collection

from schedules.clinic_fields import is_zone, zone_meant
from schedules.staffing import Span
from schedules.terms import NAME
from worker.intake.table import CellError, near
from worker.intake.written import TYPED

_YES = frozenset({"yes", "y", "true", "1", "si", "x"})
_NO = frozenset({"no", "n", "false", "0"})

short = TYPED.short
day = TYPED.day
clock = TYPED.clock
instant = TYPED.instant
instant_or_day = TYPED.instant_or_day


def word(known: Collection[str]) -> Callable[[str], str]:
    """Return a reader of one word out of a closed list, in any case."""

    def read(text: str) -> str:
        folded = text.casefold()
        if folded not in known:
            raise CellError(f'"{text[:30]}" is not known here; {near(text, known)}')
        return folded

    return read


def name(text: str) -> str:
    """Read the name of what each clinic has its own list of."""
    folded = text.casefold()
    if not re.fullmatch(NAME, folded):
        raise CellError(f'"{text[:30]}" is no name that is known here; write it in small letters')
    return folded


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


def zone(text: str) -> str:
    """Read the IANA name of a zone that people live in."""
    if is_zone(text):
        return text
    mend = zone_meant(text)
    end = "?" if mend.startswith("Did") else ""
    raise CellError(f'"{text[:40]}" is no time zone; {mend[0].lower()}{mend[1:]}{end}')


def hours(text: str) -> Span:
    """Read a span of hours within a day."""
    try:
        return Span.parse(text)
    except ValueError as error:
        raise CellError(f"{error}; write it as 09:00-17:00") from None


def several(text: str) -> tuple[str, ...]:
    """Read words parted by semicolons."""
    return tuple(part.strip() for part in short(text).split(";") if part.strip())
