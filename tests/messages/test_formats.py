"""Dates and times as texts print them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import formats
from messages.segments import outside_gsm

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)  # Monday, 10 AM in New York.

ZONES = st.sampled_from(
    [
        *("America/New_York", "America/Phoenix", "Pacific/Honolulu", "America/Sao_Paulo"),
        *("America/Los_Angeles", "America/Mexico_City", "Asia/Kolkata", "Atlantic/Reykjavik"),
        *("America/Indiana/Indianapolis", "America/Argentina/Buenos_Aires", "UTC"),
    ]
).map(ZoneInfo)
# Hypothesis wants bounds without a zone and adds the zone itself.
FIRST = datetime(2020, 1, 1)  # noqa: DTZ001
INSTANTS = st.datetimes(min_value=FIRST, max_value=FIRST.replace(year=2040), timezones=st.just(UTC))
LANGUAGES = st.sampled_from(["en", "es", "es-US"])


@given(at=INSTANTS, now=INSTANTS, zone=ZONES, language=LANGUAGES, name_zone=st.booleans())
def test_every_output_is_gsm(at, now, zone, language, name_zone):
    """No library's narrow space or accent may turn a text into 70-letter parts (care rule 30)."""
    outputs = [
        formats.when(at, zone, now, language, name_zone=name_zone),
        formats.opening(at, zone, now, language),
        formats.call_window(at, zone, now, language),
        formats.clock_in(at, zone, language, name_zone=name_zone),
        formats.date(at.date(), language),
        formats.clock(at.time(), language),
    ]
    assert [outside_gsm(output) for output in outputs] == [None] * 6
    assert all(output and output == output.strip() for output in outputs)


@pytest.mark.parametrize(
    ("at", "english", "spanish"),
    [
        ("08:00", "8 AM", "8 am"),
        ("08:30", "8:30 AM", "8:30 am"),
        ("13:05", "1:05 PM", "1:05 pm"),
        ("12:00", "12 PM", "12 pm"),
        ("00:30", "12:30 AM", "12:30 am"),
        ("00:00", "12 midnight", "12 de la noche"),
        (time(17, 45), "5:45 PM", "5:45 pm"),
    ],
)
def test_clock_times(at, english, spanish):
    """Full hours lose their zeros."""
    assert (formats.clock(at, "en"), formats.clock(at, "es")) == (english, spanish)


@pytest.mark.parametrize(
    ("hours", "english", "spanish"),
    [
        (0, "today at 10 AM", "hoy a las 10 am"),
        (3, "today at 1 PM", "hoy a la 1 pm"),
        (22, "tomorrow at 8 AM", "mañana a las 8 am"),
        (8 * 24 - 2, "Tue Dec 1 at 8 AM", "mar 1 dic a las 8 am"),
        (5 * 24, "Sat Nov 28 at 10 AM", "sab 28 nov a las 10 am"),
        (2 * 24, "Wed Nov 25 at 10 AM", "mié 25 nov a las 10 am"),
    ],
)
def test_when_counts_days_from_the_day_of_sending(hours, english, spanish):
    """ "Today" and "tomorrow" follow the day really sent (care rule 3)."""
    at = NOW + timedelta(hours=hours)
    assert formats.when(at, NEW_YORK, NOW, "en", name_zone=False) == english
    assert formats.when(at, NEW_YORK, NOW, "es", name_zone=False) == spanish


def test_today_is_that_of_the_zone_told():
    """Late evening in New York is tomorrow in Madrid."""
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)
    at = datetime(2026, 11, 24, 13, tzinfo=UTC)
    assert formats.when(at, NEW_YORK, now, "en", False) == "tomorrow at 8 AM"
    assert formats.when(at, ZoneInfo("Europe/Madrid"), now, "en") == "today at 2 PM"


@pytest.mark.parametrize(
    ("zone", "month", "english", "spanish"),
    [
        ("America/New_York", 7, "8 AM ET", "8 am ET"),
        ("America/Denver", 7, "6 AM MT", "6 am MT"),
        ("America/Phoenix", 1, "6 AM MT", "6 am MT"),
        ("America/Phoenix", 7, "5 AM Phoenix time", "5 am hora de Phoenix"),
        ("Pacific/Honolulu", 7, "2 AM HST", "2 am HST"),
        ("America/Indiana/Indianapolis", 7, "8 AM Indianapolis time", "8 am hora de Indianapolis"),
        ("Europe/Madrid", 7, "2 PM Madrid time", "2 pm hora de Madrid"),
    ],
)
def test_a_zone_is_named_as_patients_know_it(zone, month, english, spanish):
    """Arizona keeps no summer time, so its name is said in full while it differs."""
    at = datetime(2026, month, 15, 12 if month == 7 else 13, tzinfo=UTC)
    named = [formats.clock_in(at, ZoneInfo(zone), one, name_zone=True) for one in ("en", "es")]
    assert named == [english, spanish]


def test_a_call_is_promised_by_an_hour():
    """The roster's hour, not a minute somebody would wait at the phone for."""
    due = NOW + timedelta(hours=7)
    assert formats.call_window(due, NEW_YORK, NOW, "en") == "today by 5 PM"
    assert formats.call_window(due, NEW_YORK, NOW, "es") == "hoy antes de las 5 pm"


def test_dates_have_no_time():
    """For "best to come by"."""
    day = date(2026, 12, 4)
    assert (formats.date(day, "en"), formats.date(day, "es")) == ("Fri Dec 4", "vie 4 dic")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Clínica Sol", "Clinica Sol"),
        ("niño", "niño"),
        ("8\u202fAM", "8 AM"),
        ("São Paulo", "Sao Paulo"),
        ("Łódź 東京", "odz "),
        ("…", "..."),
    ],
)
def test_gsm_keeps_what_it_can(text, expected):
    """Marks are dropped, letters without a plain form are left out."""
    assert formats.gsm(text) == expected
