"""Rotas by the week: who is on call when several take turns."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.clinic import ClinicFile, read_clinic
from schedules.errors import ClinicFileError
from schedules.ladder import Absent, on_duty
from schedules.roster import uncovered

ZONE = ZoneInfo("America/New_York")
FILE = """\
id: riverside
name: Riverside
sms_name: Riverside Care
phone: "+12125550100"
timezone: America/New_York
staffed_hours: {mon: ["08:00-17:00"], tue: ["08:00-17:00"], wed: ["08:00-17:00"],
  thu: ["08:00-17:00"], fri: ["08:00-17:00"]}
sender: {from: "+12125550110"}
lead: {name: Kim, phone: "+12125550191", email: kim@clinic.test}
after_hours: on_call
on_call:
"""
SAM = '  - {name: Sam, phone: "+12125550190", email: sam@clinic.test, hours: after_hours'
ADA = '  - {name: Ada, phone: "+12125550192", email: ada@clinic.test, hours: after_hours'
FIRST, SECOND = (
    '{every: 2, from: "2026-11-30", at: "08:00"}',
    ('{every: 2, from: "2026-12-07", at: "08:00"}'),
)


def rota(sam: str = FIRST, ada: str | None = SECOND) -> ClinicFile:
    text = f"{FILE}{SAM}, weeks: {sam}}}\n"
    return read_clinic(text + (f"{ADA}, weeks: {ada}}}\n" if ada else ""), "clinic.yaml")


def on_call(file: ClinicFile, local: str) -> list[str]:
    at = datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)
    return [person.name for person in on_duty(file, at, Absent())]


@pytest.mark.parametrize(
    ("local", "who"),
    [
        ("2026-11-30 07:59", []),
        ("2026-11-30 20:00", ["Sam"]),
        ("2026-12-07 07:59", ["Sam"]),
        ("2026-12-07 20:00", ["Ada"]),
        ("2026-12-14 20:00", ["Sam"]),
        # 2026 has 53 weeks: by the calendar's numbers Sam would have two in a row.
        ("2026-12-28 20:00", ["Sam"]),
        ("2027-01-04 20:00", ["Ada"]),
    ],
)
def test_two_take_turns_by_the_week(local: str, who: list[str]) -> None:
    """From a Monday at 08:00, by the clinic's clock; before the first week nobody is meant."""
    assert on_call(rota(), local) == who


@pytest.mark.parametrize(
    ("local", "who"), [("2027-03-15 07:59", "Sam"), ("2027-03-15 20:00", "Ada")]
)
def test_a_turn_ends_at_its_wall_clock_time_when_clocks_change(local: str, who: str) -> None:
    """On 14 March an hour is missing; the turn begins at 08:00 all the same."""
    assert on_call(rota(), local) == [who]


def test_a_rota_without_a_gap_leaves_no_hour_uncovered() -> None:
    """What `aftercare doctor` asks of the next 14 days; with one of the two, a week is bare."""
    now = datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert uncovered(rota(), [], now=now) == ()
    alone = uncovered(rota(ada=None), [], now=now)
    days = {gap.starts.astimezone(ZONE).date() for gap in alone}
    assert min(days) == date(2026, 12, 7)
    assert max(days) < date(2026, 12, 15)
    away = [("ada@clinic.test", now + timedelta(days=7), now + timedelta(days=8))]
    assert uncovered(rota(), away, now=now) != ()


@given(
    every=st.integers(2, 8),
    hours=st.integers(0, 24 * 7 * 60),
    at=st.sampled_from(["00:00", "08:00", "17:30"]),
)
def test_exactly_one_of_those_who_take_turns_is_on_call(every: int, hours: int, at: str) -> None:
    """Whoever they are, and across years and changes of clocks."""
    monday = date(2026, 11, 30)
    people = "".join(
        f'  - {{name: P{number}, phone: "+12125550190", hours: always, weeks: {{every: {every}, '
        f'from: "{monday + timedelta(weeks=number)}", at: "{at}"}}}}\n'
        for number in range(every)
    )
    file = read_clinic(FILE + people, "clinic.yaml")
    begun = datetime(2026, 11, 30, tzinfo=ZONE) + timedelta(weeks=every)
    instant = begun.astimezone(UTC) + timedelta(hours=hours)
    assert len(file.on_call_at(instant)) == 1


@pytest.mark.parametrize(
    ("weeks", "fault"),
    [
        ("odd", "on_call[1].weeks must be a set of keys. Write weeks: {every: 2, from:"),
        ('{every: 1, from: "2026-11-30"}', "on_call[1].weeks.every"),
        ("{every: 2}", 'on_call[1].weeks.from is missing. Add from: "2026-11-30"'),
        ('{every: 2, from: "2026-11-30", att: "08:00"}', 'Did you mean "at"'),
    ],
)
def test_a_rota_that_says_no_weeks_is_a_fault(weeks: str, fault: str) -> None:
    """With its line and its mend."""
    with pytest.raises(ClinicFileError) as caught:
        rota(weeks)
    [said] = [str(each) for each in caught.value.faults]
    assert said.startswith("clinic.yaml:12:")
    assert fault in said


def test_a_rota_is_stored_and_read_again() -> None:
    """As the file has it."""
    file = rota()
    assert ClinicFile.from_json(file.to_json()) == file
    assert file.to_json()["on_call"][0]["weeks"] == {
        "every": 2,
        "from": "2026-11-30",
        "at": "08:00",
    }
