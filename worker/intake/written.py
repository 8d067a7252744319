"""How a file writes days, times, numbers and ids; what a spreadsheet did to them is told.

The default is what can be read in one way only: 2026-12-01T09:00, by the clinic's clocks or with an
offset. A mapping file states other forms. A time that its zone skips, or has twice, is refused with
the mend: a guess here is a patient at a closed door.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from messages import phone
from messages.errors import BadPhone
from worker.intake.table import CellError

_LONGEST = 200
_PIECES: Final = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<year>\d{2})",
    "MMM": r"(?P<name>[^\W\d_]{3,12})\.?",
    "MM": r"(?P<month>\d{1,2})",
    "M": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "D": r"(?P<day>\d{1,2})",
}
_MONTHS: Final = (
    ("january", "enero"),
    ("february", "febrero"),
    ("march", "marzo"),
    ("april", "abril"),
    ("may", "mayo"),
    ("june", "junio"),
    ("july", "julio"),
    ("august", "agosto"),
    ("september", "septiembre"),
    ("october", "octubre"),
    ("november", "noviembre"),
    ("december", "diciembre"),
)
_OFFSET = r"(?: ?(?P<offset>Z|[+-]\d{2}:?\d{2}))?"
_WITH_COLON = re.compile(
    rf"(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}})(?:\.\d+)?)?{_OFFSET}",
    re.IGNORECASE,
)
_TWELVE = re.compile(
    rf"(?P<hour>\d{{1,2}})(?::(?P<minute>\d{{2}}))?(?::(?P<second>\d{{2}}))?"
    rf"\s*(?P<half>[ap])\.?\s?m?\.?{_OFFSET}",
    re.IGNORECASE,
)
_RUN_TOGETHER = re.compile(rf"(?P<hour>\d{{2}})(?P<minute>\d{{2}}){_OFFSET}", re.IGNORECASE)
#: The names that a mapping file has for ways to write a time.
TIME_FORMS: Final = ("24-hour", "12-hour", "HHMM")

# With a comma where the spreadsheet's country has it so.
_DAY_NUMBER = re.compile(r"\d{5}(?:[.,]\d+)?")
_LOOKS_LIKE_A_DAY = re.compile(
    r"(?P<one>\d{1,2})(?P<part>[/.\- ])(?P<two>\d{1,2})[/.\- ](?P<year>\d{2,4})\b"
)
_MONTHS_A_YEAR = 12
_DECIMALS = re.compile(r"(\d+)(?:\.0+|,0)")
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
_SPREADSHEET_ERROR = re.compile(r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|#+)", re.IGNORECASE)
# Spreadsheets count days from here (the 1900 calendar with its leap year that never was).
_DAY_ZERO = datetime(1899, 12, 30, tzinfo=UTC).replace(tzinfo=None)

_ISO_MEND = (
    "write the time as 2026-12-01T09:00, or with an offset as "
    "2026-12-01T09:00-05:00; other forms can be read in two ways"
)
_NONE = "there is no such day or time"
_EITHER_WAY = (
    "day and month can stand here either way round; state the form in a mapping file "
    "(--map, formats: {date: MM/DD/YYYY}), or write the day as 2026-12-01"
)
_UNSTATED = (
    "a day written so is read only where the form is stated; state it in a mapping file "
    "(--map, formats: {{date: {form}}}), or write the day as 2026-12-01"
)
#: What a day contradicts the stated form by: turned round it would be one.
TURNED = (
    "there is no such day by the form that the mapping states; with day and month turned round "
    "there is, so that the form looks wrong: mend it under formats:, or write the day as 2026-12-01"
)
_DOUBTED = (
    "by another line of this file the form that the mapping states looks wrong, and day and month "
    "can stand here either way round; mend the form under formats:, or write the day as 2026-12-01"
)
_TWO_DIGITS = (
    "the year has two digits; state the form in a mapping file "
    "(--map, formats: {date: MM/DD/YY}), or write the day as 2026-12-01"
)
_A_DAY_NUMBER = (
    "a spreadsheet has turned this day into a number; format the column as a date and save again, "
    "or put spreadsheet: mend under formats: of a mapping file"
)


class DateForm:
    """One way to write a day, such as `MM/DD/YYYY`, `D.M.YYYY`, `D MMM YYYY` or `YYYYMMDD`."""

    def __init__(self, text: str) -> None:
        """Read the form. Raises ValueError for what is none, with the reason."""
        pieces = re.findall(r"Y+|M+|D+|[^YMD]+", text)
        names = [piece[0] for piece in pieces if piece[0] in "YMD"]
        unknown = [piece for piece in pieces if piece[0] in "YMD" and piece not in _PIECES]
        if sorted(names) != ["D", "M", "Y"] or unknown or re.search(r"[^\W_]", _others(pieces)):
            raise ValueError("a date's form has YYYY or YY, MM or MMM, and DD, each once")
        self.text, self.two_digits = text, "YYYY" not in text
        self._pattern = re.compile("".join(map(self._piece, pieces)))

    def _piece(self, piece: str) -> str:
        if piece not in _PIECES:
            return r"\s*" + re.escape(piece.strip()) + r"\s*" if piece.strip() else r"\s+"
        compact = not re.search(r"[^YMD]", self.text)
        return _PIECES[piece].replace("{1,2}", "{2}") if compact else _PIECES[piece]

    def read(self, text: str) -> tuple[date, str] | None:
        """Return the day that a text begins with, and what follows it; None for another form."""
        found = self._pattern.match(text)
        rest = text[found.end() :] if found else ""
        if found is None or rest[:1].isdigit():
            return None
        parts = found.groupdict()
        month = _month(parts["name"]) if parts.get("name") else int(parts["month"])
        year = int(parts["year"]) + (2000 if self.two_digits else 0)
        day = int(parts["day"])
        try:
            return date(year, month, day), rest
        except ValueError:
            turned = self.turns and day <= _MONTHS_A_YEAR < month
            raise CellError(TURNED if turned else "there is no such day in the calendar") from None

    @property
    def turns(self) -> bool:
        """Whether day and month are numbers that one writes either way round, as before a year."""
        return "(?P<month>" in self._pattern.pattern and not self.text.startswith("Y")


def _others(pieces: list[str]) -> str:
    return "".join(piece for piece in pieces if piece[0] not in "YMD")


def _month(name: str) -> int:
    meant = name.casefold().replace("sept", "sep") if len(name) <= 4 else name.casefold()
    for number, names in enumerate(_MONTHS, 1):
        if any(each.startswith(meant) for each in names):
            return number
    raise CellError("there is no such month")


_ISO = DateForm("YYYY-MM-DD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How one file writes its cells.

    `zone` is the one that its times are local to, the clinic's unless given. `mend`: numbers that a
    spreadsheet made of ids and days are read as what they were. `doubted`: some day in the file is
    none by the form of `days`, and would be with day and month turned round; those that could be
    read either way are then refused as well. `typed`: no file at all, but what somebody writes on
    a command line or in a form, where no mapping can say what is meant.
    """

    days: DateForm | None = None
    times: str | None = None
    zone: ZoneInfo | None = None
    region: str = "US"
    mend: bool = False
    doubted: bool = False
    typed: bool = False

    def split(self, text: str) -> tuple[date, str]:
        """Return the day that a text begins with, and what follows. Raises CellError."""
        if (found := _ISO.read(text)) is not None:
            return found
        if self.days is not None and (found := self.days.read(text)) is not None:
            on = found[0]
            if self.doubted and on.day <= _MONTHS_A_YEAR and on.day != on.month:
                raise CellError(_DOUBTED)
            return found
        raise CellError(self._why_no_day(text))

    def _why_no_day(self, text: str) -> str:
        if self.typed:
            return _ISO_MEND
        if _DAY_NUMBER.fullmatch(text):
            return _A_DAY_NUMBER
        if self.days is not None:
            return f"write the day as {self.days.text}, as the mapping says, or as 2026-12-01"
        if found := _LOOKS_LIKE_A_DAY.match(text):
            return _why_unstated(found)
        return _ISO_MEND

    def day(self, text: str) -> date:
        """Read a day; midnight, which databases add, says nothing."""
        if self.mend and _DAY_NUMBER.fullmatch(text):
            return _from_number(text).date()
        try:
            found, rest = self.split(text)
        except CellError as error:
            reason = "write the day as 2026-12-01" if str(error) == _ISO_MEND else str(error)
            raise CellError(reason) from None
        if rest and not re.fullmatch(r"[T ]\s*0?0:00(:00(\.0+)?)?(Z|[+-]\d\d:?\d\d)?", rest):
            raise CellError("write the day as 2026-12-01, without a time")
        return found

    def birth(self, text: str) -> date:
        """Read a day of birth, whose century two digits can't tell."""
        if self.days is not None and self.days.two_digits and not _ISO.read(text):
            raise CellError("a year of birth needs four digits")
        return self.day(text)

    def clock(self, text: str) -> time:
        """Read a wall-clock time. Raises CellError."""
        try:
            wall, offset = self._clock(text)
        except CellError as error:
            reason = "there is no such time; write it as 17:00" if str(error) == _NONE else error
            raise CellError(str(reason)) from None
        if offset:
            raise CellError("write the time as 17:00")
        return wall

    def _clock(self, text: str) -> tuple[time, str]:
        half = _TWELVE.fullmatch(text)
        found = half or _WITH_COLON.fullmatch(text)
        if self.times == "HHMM":
            found = found or _RUN_TOGETHER.fullmatch(text)
        if found is None:
            raise CellError("write the time as 17:00")
        if self.times == "12-hour" and half is None:
            raise CellError("it does not say whether am or pm; write 9:00 AM")
        hour, minute = int(found["hour"]), int(found["minute"] or 0)
        if half is not None:
            hour = _in_halves(hour, half["half"])
        seconds = found["second"] if "second" in found.re.groupindex else None
        try:
            return time(hour, minute, int(seconds or 0)), (found["offset"] or "").upper()
        except ValueError:
            raise CellError(_NONE) from None

    def instant(self, at: ZoneInfo) -> Callable[[str], datetime]:
        """Return a reader of an instant (UTC): with an offset, or by the clocks of a zone.

        The zone is `at` unless the file states another.
        """

        def read(text: str) -> datetime:
            if self.mend and _DAY_NUMBER.fullmatch(text):
                return _local(_from_number(text), self.zone or at)
            on, rest = self.split(text)
            between = re.match(r"(?:[T, ]\s*)?", rest, re.IGNORECASE)
            clock = rest[between.end() if between else 0 :]
            if not clock:
                raise CellError(_ISO_MEND)
            try:
                wall, offset = self._clock(clock)
            except CellError as error:
                plain = str(error) == "write the time as 17:00"
                raise CellError(_ISO_MEND if plain else str(error)) from None
            if not offset:
                return _local(datetime.combine(on, wall), self.zone or at)
            return _with_offset(on, wall, offset)

        return read

    def instant_or_day(self, at: ZoneInfo) -> Callable[[str], datetime]:
        """Return a reader of an instant; a day alone means its start in the zone."""
        exact = self.instant(at)

        def read(text: str) -> datetime:
            on, rest = self.split(text) if not _DAY_NUMBER.fullmatch(text) else (None, "")
            if on is not None and not rest:
                return datetime.combine(on, time(), self.zone or at).astimezone(UTC)
            return exact(text)

        return read

    def short(self, text: str) -> str:
        """Read a free text of one line."""
        if len(text) > _LONGEST:
            raise CellError(f"it is longer than {_LONGEST} letters")
        if any(ord(letter) < 32 for letter in text):
            raise CellError("it has a line break or a control character in it")
        if _SPREADSHEET_ERROR.fullmatch(text):
            raise CellError("a spreadsheet has put an error here in the place of what it was")
        return text

    def identifier(self, text: str) -> str:
        """Read an id, or a number that must not have lost a digit."""
        if _SHORTENED.fullmatch(text):
            raise CellError(
                "a spreadsheet has shortened this number, and digits are lost; "
                "format the column as text and export again"
            )
        if whole := _DECIMALS.fullmatch(text):
            if self.mend:
                return whole[1]
            raise CellError(
                "a spreadsheet has added decimals to this number; format the column as text, "
                "or put spreadsheet: mend under formats: of a mapping file"
            )
        return self.short(text)

    def phone(self, text: str) -> str:
        """Read a phone number as E.164. The fault never repeats it."""
        try:
            return phone.parse(self.identifier(text), region=self.region)
        except BadPhone as error:
            raise CellError(f"not a usable phone number: {error.reason}") from None


def _why_unstated(found: re.Match[str]) -> str:
    """Say what is to be stated of a day like 3/4/2026; a number over 12 can be no month."""
    one, two, part = int(found["one"]), int(found["two"]), found["part"]
    if len(found["year"]) == 2:
        return _TWO_DIGITS
    if one <= _MONTHS_A_YEAR < two:
        return _UNSTATED.format(form=f"MM{part}DD{part}YYYY")
    if two <= _MONTHS_A_YEAR < one:
        return _UNSTATED.format(form=f"DD{part}MM{part}YYYY")
    return _EITHER_WAY


#: How a file without a mapping is written.
PLAIN = Written()
#: What is typed in, by hand.
TYPED = Written(typed=True)


def _in_halves(hour: int, half: str) -> int:
    if not 1 <= hour <= 12:
        raise CellError(_NONE)
    return hour % 12 + (12 if half.casefold() == "p" else 0)


def _from_number(text: str) -> datetime:
    # To the minute: 9:00 is a fraction without an end.
    minutes = round(float(text.replace(",", ".")) * 24 * 60)
    return _DAY_ZERO + timedelta(minutes=minutes)


def _with_offset(on: date, wall: time, offset: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(f"{on.isoformat()}T{wall.isoformat()}{offset}")
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CellError(_NONE) from None


def _local(wall: datetime, at: ZoneInfo) -> datetime:
    first, second = wall.replace(tzinfo=at), wall.replace(tzinfo=at, fold=1)
    try:
        if first.utcoffset() == second.utcoffset():
            return first.astimezone(UTC)
        back = first.astimezone(UTC).astimezone(at)
    except OverflowError:
        raise CellError(_NONE) from None
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
