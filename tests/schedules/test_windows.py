"""The send window against a minute-by-minute reading of the wall clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schedules.errors import UnknownZoneError
from schedules.windows import (
    SendWindow,
    candidate_zones,
    first_instant,
    is_open,
    last_open,
    next_close,
    next_open,
)

ZONES = [
    ZoneInfo(name)
    for name in (
        "America/New_York",
        "America/Phoenix",
        "America/Adak",
        "Pacific/Honolulu",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Pacific/Apia",
        "Africa/Cairo",
        "America/Sao_Paulo",
        "Europe/London",
        "Asia/Kolkata",
        "UTC",
    )
]
NEW_YORK, PHOENIX, HONOLULU = ZONES[0], ZONES[1], ZONES[3]
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DEFAULT = SendWindow()


def days_with_a_change() -> list[tuple[ZoneInfo, date]]:
    """Every day from 2010 to 2028 on which one of the zones changed its clocks."""
    found = []
    for zone in ZONES:
        day = datetime(2010, 1, 1, tzinfo=UTC)
        while day.year < 2028:
            if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
                found.append((zone, day.date()))
            day += DAY
    return found


CHANGES = days_with_a_change()


@st.composite
def windows(draw) -> SendWindow:
    """Any window of whole minutes, with a weight on the hours in which clocks change."""
    hours = st.one_of(st.integers(0, 239), st.integers(0, 1439))
    opens = draw(hours)
    closes = draw(st.one_of(st.just(1440), st.integers(opens + 1, 1440)))
    return SendWindow(opens=wall(opens), closes=wall(closes % 1440))


def wall(minutes: int) -> time:
    return time(minutes // 60, minutes % 60)


@st.composite
def places(draw) -> tuple[ZoneInfo, datetime]:
    """A zone and an instant, mostly near one of its clock changes."""
    zone, day = draw(
        st.one_of(
            st.sampled_from(CHANGES),
            st.tuples(st.sampled_from(ZONES), st.dates(date(2010, 1, 1), date(2027, 12, 1))),
        )
    )
    seconds = draw(st.integers(-129_600, 172_800))
    return zone, datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)


def shows(window: SendWindow, zones: list[ZoneInfo], at: datetime) -> bool:
    """The oracle: what a person reads off the wall clock."""
    for zone in zones:
        local = at.astimezone(zone)
        minutes = local.hour * 60 + local.minute
        closes = window.closes.hour * 60 + window.closes.minute or 1440
        if not window.opens.hour * 60 + window.opens.minute <= minutes < closes:
            return False
    return True


def walk(window: SendWindow, zones: list[ZoneInfo], at: datetime, step: timedelta):
    """The oracle: the nearest allowed minute within two and a half days, minute by minute."""
    if shows(window, zones, at):
        return at
    minute = at.replace(second=0, microsecond=0)
    for _ in range(3600):
        minute += step
        if shows(window, zones, minute):
            return minute
    return None


@settings(max_examples=250, deadline=None)
@given(window=windows(), place=places())
@example(window=DEFAULT, place=(ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 7, tzinfo=UTC)))
@example(
    window=SendWindow(opens=time(0), closes=time(0, 30)),
    place=(ZoneInfo("America/Sao_Paulo"), datetime(2018, 11, 4, 2, tzinfo=UTC)),
)
def test_next_open_is_the_first_minute_a_wall_clock_would_allow(window, place):
    """The jump over boundaries finds what a walk over minutes finds, clock changes included."""
    zone, at = place
    assert next_open(window, [zone], at) == walk(window, [zone], at, MINUTE)


@settings(max_examples=250, deadline=None)
@given(window=windows(), place=places())
@example(window=DEFAULT, place=(ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 11, tzinfo=UTC)))
@example(
    window=SendWindow(opens=time(23), closes=time(23, 30)),
    place=(ZoneInfo("Africa/Cairo"), datetime(2024, 10, 31, 21, 45, tzinfo=UTC)),
)
def test_last_open_is_the_last_minute_a_wall_clock_would_allow(window, place):
    """Looking back meets the same minutes as a walk over minutes."""
    zone, at = place
    found = last_open(window, [zone], at)
    walked = walk(window, [zone], at, -MINUTE)
    assert found == walked or (walked is None and found < at - timedelta(days=2))


@settings(max_examples=250, deadline=None)
@given(window=windows(), place=places())
@example(
    window=SendWindow(opens=time(1, 30), closes=time(20)),
    place=(NEW_YORK, datetime(2026, 11, 1, 5, 45, tzinfo=UTC)),
)
@example(
    window=SendWindow(opens=time(9), closes=time(0)),
    place=(ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 9, tzinfo=UTC)),
)
def test_an_open_window_closes_at_the_first_minute_a_wall_clock_would_not_allow(window, place):
    """Clock changes included: the hour that comes twice may end before the window opens."""
    zone, at = place
    if not shows(window, [zone], at):
        return
    minutes = (at.replace(second=0) + n * MINUTE for n in range(1, 3600))
    closed = next((each for each in minutes if not shows(window, [zone], each)), None)
    assert next_close(window, [zone], at) == closed


def test_the_first_of_several_zones_to_close_ends_the_window_for_all():
    """Nobody knows in which of them the patient is."""
    at = datetime(2026, 11, 30, 20, tzinfo=UTC)
    closes = next_close(DEFAULT, [HONOLULU, NEW_YORK, PHOENIX], at)
    assert closes == datetime(2026, 12, 1, 1, tzinfo=UTC)


@settings(max_examples=150, deadline=None)
@given(window=windows(), place=places())
def test_is_open_reads_the_wall_clock(window, place):
    """Every minute of the two hours around an instant is judged as the clock shows it."""
    zone, at = place
    minutes = [at + n * MINUTE for n in range(-60, 60)]
    expected = [shows(window, [zone], minute) for minute in minutes]
    assert expected == [is_open(window, [zone], minute) for minute in minutes]


@settings(max_examples=80, deadline=None)
@given(
    place=places(),
    others=st.lists(st.sampled_from(ZONES), max_size=2),
    opens=st.integers(0, 600),
    length=st.integers(600, 840),
)
def test_several_candidate_zones_must_all_be_open(place, others, opens, length):
    """A common minute of up to three zones is found in both directions, or truly absent."""
    zones = [place[0], *others]
    window = SendWindow(opens=wall(opens), closes=wall((opens + length) % 1440))
    at = place[1]
    following, preceding = next_open(window, zones, at), last_open(window, zones, at)
    walked_on, walked_back = walk(window, zones, at, MINUTE), walk(window, zones, at, -MINUTE)
    far = timedelta(days=2)
    assert following == walked_on or (walked_on is None and following > at + far)
    assert preceding == walked_back or (walked_back is None and preceding < at - far)


@settings(max_examples=250, deadline=None)
@given(place=places(), minutes=st.integers(0, 1439))
def test_first_instant_is_the_first_that_shows_the_time_or_follows_the_gap(place, minutes):
    """No earlier minute of that day or later shows the wanted time."""
    zone, at = place
    day, wanted = at.astimezone(zone).date(), wall(minutes)
    found = first_instant(day, wanted, zone)
    naive = datetime.combine(day, wanted)

    def reached(instant: datetime) -> bool:
        return instant.astimezone(zone).replace(tzinfo=None) >= naive

    assert reached(found)
    earlier = [found - n * MINUTE for n in range(1, 200)]
    assert not any(reached(instant) for instant in earlier)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("America/New_York", date(2027, 3, 14), time(2, 30), "2027-03-14T07:00:00+00:00"),
        ("America/New_York", date(2026, 11, 1), time(1, 30), "2026-11-01T05:30:00+00:00"),
        ("America/Phoenix", date(2027, 3, 14), time(2, 30), "2027-03-14T09:30:00+00:00"),
        ("Pacific/Apia", date(2011, 12, 30), time(9), "2011-12-30T10:00:00+00:00"),
        ("America/Sao_Paulo", date(2018, 11, 4), time(0), "2018-11-04T03:00:00+00:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), "2026-10-03T15:30:00+00:00"),
    ],
)
def test_a_skipped_time_is_the_end_of_its_gap_and_a_double_time_is_the_first(
    zone, day, at, expected
):
    """Known clock changes, written out."""
    assert first_instant(day, at, ZoneInfo(zone)) == datetime.fromisoformat(expected)


def test_the_boundaries_are_half_open():
    """09:00:00 is allowed and 20:00:00 is not."""
    day = date(2026, 11, 24)
    opening, closing = (first_instant(day, t, NEW_YORK) for t in (time(9), time(20)))
    second = timedelta(seconds=1)
    assert [is_open(DEFAULT, [NEW_YORK], t) for t in (opening - second, opening)] == [False, True]
    assert [is_open(DEFAULT, [NEW_YORK], t) for t in (closing - second, closing)] == [True, False]
    assert last_open(DEFAULT, [NEW_YORK], closing) == closing - MINUTE


def test_an_allowed_instant_is_kept_to_the_second():
    """Deferral does not round what needs no deferral."""
    at = datetime(2026, 11, 24, 16, 1, 2, 345, tzinfo=UTC)
    assert next_open(DEFAULT, [NEW_YORK], at) == at == last_open(DEFAULT, [NEW_YORK], at)


def test_a_bound_that_comes_first_leaves_nothing():
    """`until` is outside and `since` inside."""
    night = datetime(2026, 11, 24, 8, tzinfo=UTC)
    opening = datetime(2026, 11, 24, 14, tzinfo=UTC)
    closing = datetime(2026, 11, 24, 0, 59, tzinfo=UTC)
    assert next_open(DEFAULT, [NEW_YORK], night, until=opening) is None
    assert next_open(DEFAULT, [NEW_YORK], night, until=opening + MINUTE) == opening
    assert last_open(DEFAULT, [NEW_YORK], night, since=closing) == closing
    assert last_open(DEFAULT, [NEW_YORK], night, since=closing + MINUTE) is None
    assert next_open(DEFAULT, [NEW_YORK], opening, until=opening) is None


def test_zones_without_a_common_hour_end_the_search():
    """A two-hour window in Honolulu and in Kolkata never meets, and the answer is none."""
    window = SendWindow(opens=time(9), closes=time(11))
    zones = [HONOLULU, ZoneInfo("Asia/Kolkata")]
    at = datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert next_open(window, zones, at) is None
    assert last_open(window, zones, at) is None


def test_an_unknown_american_zone_leaves_five_common_hours():
    """From Honolulu's opening to New York's closing, summer and winter."""
    zones = candidate_zones("us")
    winter = next_open(DEFAULT, zones, datetime(2026, 11, 24, 3, tzinfo=UTC))
    assert winter == first_instant(date(2026, 11, 24), time(9), HONOLULU)
    last = last_open(DEFAULT, zones, datetime(2026, 11, 25, 9, tzinfo=UTC))
    assert last == first_instant(date(2026, 11, 24), time(19, 59), NEW_YORK)


@pytest.mark.parametrize("month", [1, 3, 7, 11])
def test_the_zones_left_out_of_the_american_list_never_narrow_it(month):
    """Every other zone of the fifty states is open whenever the listed ones are."""
    everywhere = ["Adak", "Boise", "Detroit", "Juneau", "Nome", "Menominee", "Metlakatla"]
    others = [ZoneInfo(f"America/{name}") for name in everywhere]
    for hour in range(31 * 24 if month != 11 else 30 * 24):
        at = datetime(2026, month, 1, tzinfo=UTC) + timedelta(hours=hour)
        if is_open(DEFAULT, candidate_zones("US"), at):
            assert is_open(DEFAULT, others, at)


def test_other_countries_have_their_zones_and_unknown_ones_an_error():
    """Canada's zones reach from St John's to Whitehorse; XX is no country."""
    assert {"America/St_Johns", "America/Vancouver"} <= {z.key for z in candidate_zones("CA")}
    with pytest.raises(UnknownZoneError, match='country "XX"'):
        candidate_zones("XX")


@pytest.mark.parametrize(
    ("opens", "closes"),
    [(time(20), time(9)), (time(9), time(9)), (time(9, 0, 30), time(20)), (time(9), time(9, 0, 1))],
)
def test_a_window_that_is_no_span_of_minutes_is_refused(opens, closes):
    """A window over midnight or with seconds is an error where it is made."""
    with pytest.raises(ValueError, match="send window"):
        SendWindow(opens=opens, closes=closes)
