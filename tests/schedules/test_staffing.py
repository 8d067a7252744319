"""Staffed hours: what is open, what is due when, and what may be promised."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.errors import ScheduleError
from schedules.staffing import Severity, Span, StaffedHours, read_clock

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)


def spans(*texts: str) -> tuple[Span, ...]:
    return tuple(Span.parse(text) for text in texts)


WEEK = {
    0: spans("08:00-12:00", "13:00-17:00"),
    1: spans("08:00-17:00"),
    2: spans("08:00-17:00"),
    3: spans("08:00-17:00"),
    4: spans("08:00-11:30"),
}
RIVERSIDE = StaffedHours(
    hours=WEEK,
    zone=NEW_YORK,
    country="US",
    subdivision="NY",
    extra=frozenset({date(2026, 12, 24)}),
    open_on=frozenset({date(2026, 10, 12)}),
)


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    """An instant as the clinic's wall clock shows it, for example "2026-11-23 09:30"."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "staffed"),
    [
        ("2026-11-23 07:59", False),
        ("2026-11-23 08:00", True),
        ("2026-11-23 12:00", False),
        ("2026-11-23 13:00", True),
        ("2026-11-23 17:00", False),
        ("2026-11-21 10:00", False),
        ("2026-11-26 10:00", False),
        ("2026-12-24 10:00", False),
        ("2026-10-12 10:00", True),
    ],
)
def test_hours_breaks_weekends_and_holidays(at, staffed):
    """Spans are half open; Thanksgiving and the clinic's own date are closed, Columbus Day not."""
    assert RIVERSIDE.is_staffed(local(at)) is staffed


def test_observed_holidays_are_closed():
    """4 July 2026 is a Saturday, so that Friday the 3rd is closed."""
    assert not RIVERSIDE.is_staffed_day(date(2026, 7, 3))


@pytest.mark.parametrize(
    ("at", "staffed_from", "opening", "closing"),
    [
        ("2026-11-23 09:30", "2026-11-23 09:30", "2026-11-24 08:00", "2026-11-23 17:00"),
        ("2026-11-23 12:30", "2026-11-23 13:00", "2026-11-24 08:00", "2026-11-23 17:00"),
        ("2026-11-23 06:00", "2026-11-23 08:00", "2026-11-23 08:00", "2026-11-23 17:00"),
        ("2026-11-23 08:00", "2026-11-23 08:00", "2026-11-24 08:00", "2026-11-23 17:00"),
        ("2026-11-25 18:00", "2026-11-27 08:00", "2026-11-27 08:00", "2026-11-27 11:30"),
        ("2026-11-27 12:00", "2026-11-30 08:00", "2026-11-30 08:00", "2026-11-30 17:00"),
    ],
)
def test_the_next_staffed_minute_opening_and_closing(at, staffed_from, opening, closing):
    """A break is not an opening; a holiday and a weekend are jumped over."""
    found = (
        RIVERSIDE.next_staffed(local(at)),
        RIVERSIDE.next_opening(local(at)),
        RIVERSIDE.closing(local(at)),
    )
    assert found == (local(staffed_from), local(opening), local(closing))


@pytest.mark.parametrize(
    ("severity", "opened", "due"),
    [
        ("page_now", "2026-11-23 09:30", "2026-11-23 09:40"),
        ("page_now", "2026-11-23 12:30", "2026-11-23 12:45"),
        ("page_now", "2026-11-26 02:00", "2026-11-26 02:15"),
        ("call_today", "2026-11-24 09:30", "2026-11-24 11:30"),
        ("call_today", "2026-11-23 11:30", "2026-11-23 14:30"),
        ("call_today", "2026-11-23 16:30", "2026-11-23 17:00"),
        ("call_today", "2026-11-23 17:00", "2026-11-24 10:00"),
        ("call_today", "2026-11-25 20:00", "2026-11-27 10:00"),
        ("next_business_day", "2026-11-23 09:30", "2026-11-24 12:00"),
        ("next_business_day", "2026-11-24 02:00", "2026-11-24 12:00"),
        ("next_business_day", "2026-11-25 12:00", "2026-11-27 11:30"),
        ("digest", "2026-11-23 09:30", "2026-11-24 08:00"),
        ("digest", "2026-11-24 07:00", "2026-11-24 08:00"),
    ],
)
def test_due_times_follow_severity_and_staffed_hours(severity, opened, due):
    """Two staffed hours or the day's closing; noon, or a closing that comes before it."""
    assert RIVERSIDE.due(severity, local(opened)) == local(due)


def test_without_on_call_a_page_after_hours_is_due_at_the_opening():
    """Nobody can acknowledge sooner (the clinical brief, section 4)."""
    alone = StaffedHours(hours=WEEK, zone=NEW_YORK, on_call=False)
    assert alone.due("page_now", local("2026-11-24 02:00")) == local("2026-11-24 08:00")
    assert alone.due("page_now", local("2026-11-24 07:55")) == local("2026-11-24 08:10")
    assert alone.due("page_now", local("2026-11-24 09:00")) == local("2026-11-24 09:10")


def test_an_unknown_severity_is_an_error():
    """A misspelt severity never becomes a late due time."""
    with pytest.raises(ValueError, match="soon"):
        RIVERSIDE.due("soon", local("2026-11-23 09:30"))


def test_only_staffed_minutes_count():
    """Lunch, night and holiday pass without counting, forwards and when measured.

    chatwoot#10455, #14009: clocks ran while nobody was there, and a day had one block of hours.
    """
    start, end = local("2026-11-25 16:00"), local("2026-11-27 09:00")
    assert RIVERSIDE.add_staffed(start, 120) == end
    assert RIVERSIDE.staffed_between(start, end) == 120
    assert RIVERSIDE.staffed_between(end, start) == 0
    assert RIVERSIDE.add_staffed(local("2026-11-23 11:59"), 2) == local("2026-11-23 13:01")


@settings(max_examples=80, deadline=None)
@given(
    seconds=st.integers(0, 400 * 86_400),
    minutes=st.integers(1, 2000),
    zone=st.sampled_from(["America/New_York", "America/Phoenix", "Australia/Lord_Howe"]),
)
def test_adding_and_counting_staffed_minutes_agree(seconds, minutes, zone):
    """What `add_staffed` adds is what `staffed_between` counts, and it ends in staffed time."""
    hours = StaffedHours(hours=WEEK, zone=ZoneInfo(zone), country="US")
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    end = hours.add_staffed(start, minutes)
    assert hours.staffed_between(start, end) == pytest.approx(minutes)
    assert hours.is_staffed(end - timedelta(seconds=1))


@settings(max_examples=60, deadline=None)
@given(seconds=st.integers(0, 400 * 86_400), severity=st.sampled_from(list(Severity)))
def test_every_due_time_lies_ahead_and_within_a_week(seconds, severity):
    """No item is due before it opened, and none waits longer than the longest closure here."""
    opened = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    due = RIVERSIDE.due(severity, opened)
    assert opened < due <= opened + timedelta(days=7)


def test_a_night_with_a_clock_change_is_an_hour_longer():
    """A night shift over the autumn change passes nine staffed hours between 00:00 and 08:00."""
    nights = StaffedHours(hours={6: spans("00:00-08:00")}, zone=NEW_YORK)
    start = local("2026-11-01 00:00")
    assert nights.staffed_between(start, start + timedelta(days=1)) == 9 * 60


def test_round_the_clock_has_no_closing_time():
    """With 24-hour days a call is due in two hours, also over midnight."""
    always = StaffedHours(hours=dict.fromkeys(range(7), spans("00:00-24:00")), zone=NEW_YORK)
    assert always.due("call_today", local("2026-11-23 23:30")) == local("2026-11-24 01:30")
    assert always.closed_days_after(date(2026, 11, 23)) == 0


def test_a_list_before_two_closed_days_is_due_at_noon_or_at_an_earlier_closing():
    """Friday closes at 11:30 before a weekend; Wednesday before one holiday asks for none."""
    assert RIVERSIDE.closure_list_at(date(2026, 11, 20)) == local("2026-11-20 11:30")
    assert RIVERSIDE.closure_list_at(date(2026, 11, 25)) is None
    assert RIVERSIDE.closed_days_after(date(2026, 12, 23)) == 4
    assert RIVERSIDE.closure_list_at(date(2026, 12, 23)) == local("2026-12-23 12:00")


def test_the_contact_window_promises_only_what_is_staffed():
    """During work it is now and two hours; at night the opening and two hours after."""
    day = RIVERSIDE.contact_window(local("2026-11-24 09:30"))
    night = RIVERSIDE.contact_window(local("2026-11-25 22:00"))
    assert (day.staffed, day.reads_from, day.calls_by) == (
        True,
        local("2026-11-24 09:30"),
        local("2026-11-24 11:30"),
    )
    assert (night.staffed, night.reads_from, night.calls_by) == (
        False,
        local("2026-11-27 08:00"),
        local("2026-11-27 10:00"),
    )


def test_a_week_without_hours_is_refused_and_an_endless_closure_is_named():
    """A search for the next staffed hour always ends."""
    with pytest.raises(ScheduleError, match="no hour of the week"):
        StaffedHours(hours={0: ()}, zone=NEW_YORK)
    closed = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(1000))
    shut = StaffedHours(hours=WEEK, zone=NEW_YORK, extra=closed)
    for ask in (shut.next_staffed, shut.next_opening, shut.closing):
        with pytest.raises(ScheduleError, match="holidays"):
            ask(local("2026-11-23 09:00"))
    with pytest.raises(ScheduleError, match="holidays"):
        shut.add_staffed(local("2026-11-23 09:00"), 1)


@pytest.mark.parametrize("text", ["8", "08:00", "17:00-08:00", "08:00-25:00", "a-b", "08:60-09:00"])
def test_a_wrong_span_is_refused_in_words(text):
    """The message says what is wrong with it."""
    with pytest.raises(ValueError, match=r"is not|ends before"):
        Span.parse(text)


def test_spans_and_clocks_are_read_as_written():
    """24:00 ends a day, one-digit hours are fine, and the text comes back."""
    assert str(Span.parse("20:00-24:00")) == "20:00-24:00"
    assert Span.parse("8:00 - 9:30") == Span(opens=time(8), closes=time(9, 30))
    assert read_clock("7:05") == time(7, 5)
    with pytest.raises(ValueError, match="24:00"):
        read_clock("24:00")
