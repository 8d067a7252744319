"""The ladder: who is paged when, to the minute, whatever the clocks and the calendar do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import ladder, roster
from schedules.clinic import ClinicFile, read_clinic
from schedules.ladder import Absent, Channel, Clock, Person, Turn, Why
from schedules.staffing import Severity

NEW_YORK = ZoneInfo("America/New_York")
CLINIC = """
id: riverside
name: Riverside
sms_name: Riverside Care
phone: "+12125550100"
timezone: America/New_York
staffed_hours: {mon: ["08:00-12:00", "13:00-17:00"], tue: ["08:00-17:00"], wed: ["08:00-17:00"],
  thu: ["08:00-17:00"], fri: ["08:00-17:00"]}
holidays: {country: US, subdivision: NY}
sender: {from: "+12125550110", segments_per_second: 10}
"""
ON_CALL = """
on_call:
  - {name: Day, phone: "+12125550191", email: day@clinic.test, hours: {mon: ["08:00-17:00"],
     tue: ["08:00-17:00"], wed: ["08:00-17:00"], thu: ["08:00-17:00"], fri: ["08:00-17:00"]}}
  - {name: Night, phone: "+12125550192", email: night@clinic.test, hours: after_hours}
  - {name: Always, phone: "+12125550193", hours: always}
lead: {name: Kim, phone: "+12125550194", email: kim@clinic.test}
after_hours: on_call
"""
NOBODY = """
lead: {name: Kim, phone: "+12125550194", email: kim@clinic.test}
after_hours: none
"""
DESK = (Person(key="desk@clinic.test", name="Desk", email="desk@clinic.test"),)
OWNER = Person(key="sam@clinic.test", name="Sam", email="sam@clinic.test")


def clinic(extra: str = ON_CALL) -> ClinicFile:
    return read_clinic(CLINIC + extra, "clinic.yaml")


def at(local: str) -> datetime:
    """Read `2026-11-30 09:00` as New York's clock."""
    return datetime.fromisoformat(local).replace(tzinfo=NEW_YORK).astimezone(UTC)


def page(opened: datetime, **more: object) -> Clock:
    values = {"severity": Severity.PAGE_NOW, "due_at": opened, "run_at": opened}
    return Clock(**{**values, **more})


def follow(clock: Clock, file: ClinicFile, *, until: datetime, **more: object) -> list[str]:
    """Let the clock run; return who is paged when, as `09:10 kim@clinic.test climbed`."""
    now, told = clock.run_at, []
    for _ in range(200):
        turn = ladder.turn(clock, file, now=now, **more)
        assert turn.next_at > now
        told += [f"{now.astimezone(NEW_YORK):%a %H:%M} {one.key} {turn.why}" for one in turn.whom]
        clock = after(clock, turn)
        now = turn.next_at
        if now >= until:
            break
    return told


def after(clock: Clock, turn: Turn) -> Clock:
    return replace(
        clock,
        run_at=turn.run_at,
        rung=turn.rung,
        acknowledged_at=turn.acknowledged_at,
        joined=False,
    )


def test_by_day_a_page_climbs_every_ten_minutes() -> None:
    """The duty first, then the next one, then the lead, then everybody, again and again."""
    opened = at("2026-11-30 09:00")
    assert follow(page(opened), clinic(), until=opened + timedelta(minutes=45)) == [
        "Mon 09:00 day@clinic.test opened",
        "Mon 09:10 always climbed",
        "Mon 09:20 kim@clinic.test climbed",
        "Mon 09:30 day@clinic.test climbed",
        "Mon 09:30 always climbed",
        "Mon 09:30 kim@clinic.test climbed",
        "Mon 09:40 day@clinic.test climbed",
        "Mon 09:40 always climbed",
        "Mon 09:40 kim@clinic.test climbed",
    ]


def test_by_night_the_first_is_given_a_quarter_of_an_hour() -> None:
    """Somebody has to wake up; those above come ten minutes apart."""
    opened = at("2026-11-30 02:00")
    assert follow(page(opened), clinic(), until=opened + timedelta(minutes=36)) == [
        "Mon 02:00 night@clinic.test opened",
        "Mon 02:15 always climbed",
        "Mon 02:25 kim@clinic.test climbed",
        "Mon 02:35 night@clinic.test climbed",
        "Mon 02:35 always climbed",
        "Mon 02:35 kim@clinic.test climbed",
    ]


@pytest.mark.parametrize(
    "opened",
    ["2027-03-14 01:50", "2026-11-01 00:50", "2026-11-26 10:00", "2026-12-25 14:00"],
    ids=["spring forward", "fall back", "Thanksgiving", "Christmas"],
)
def test_rungs_are_real_minutes_apart(opened: str) -> None:
    """A clock that jumps makes nobody wait an hour longer; a holiday is a night."""
    start, found = at(opened), []
    clock, now = page(start), start
    for _ in range(4):
        turn = ladder.turn(clock, clinic(), now=now)
        found.append((now - start) / timedelta(minutes=1))
        clock, now = after(clock, turn), turn.next_at
    assert found == [0, 15, 25, 35]


def test_acknowledging_stops_the_climb_and_not_the_clock() -> None:
    """Thirty minutes after the opening without an outcome the owner is paged, then the others."""
    opened = at("2026-11-30 09:00")
    taken = page(opened, rung=1, acknowledged_at=opened + timedelta(minutes=5), owner=OWNER)
    turn = ladder.turn(taken, clinic(), now=opened + timedelta(minutes=5))
    assert (turn.whom, turn.next_at) == ((), opened + timedelta(minutes=30))
    start = replace(taken, run_at=opened)
    again = ladder.turn(start, clinic(), now=opened + timedelta(minutes=30))
    assert ([one.key for one in again.whom], again.why) == (["sam@clinic.test"], Why.NO_OUTCOME)
    assert follow(after(start, again), clinic(), until=opened + timedelta(minutes=55)) == [
        "Mon 09:40 day@clinic.test climbed",
        "Mon 09:50 always climbed",
    ]


def test_an_outcome_is_asked_for_every_thirty_minutes() -> None:
    """Whoever acknowledges late is asked at the next half hour of the run."""
    opened = at("2026-11-30 09:00")
    minutes = {5: 30, 29: 30, 30: 60, 35: 60, 61: 90}
    for acknowledged, due in minutes.items():
        found = ladder.outcome_due(opened, opened + timedelta(minutes=acknowledged))
        assert found == opened + timedelta(minutes=due)


def test_a_new_text_pages_again_whoever_was_paged() -> None:
    """It does not put back how far the climb has come."""
    opened = at("2026-11-30 09:00")
    clock = page(opened, rung=2, joined=True)
    turn = ladder.turn(clock, clinic(), now=opened + timedelta(minutes=12))
    assert [one.key for one in turn.whom] == ["day@clinic.test", "always"]
    assert (turn.why, turn.next_at) == (Why.JOINED, opened + timedelta(minutes=20))


def test_a_new_text_starts_a_page_that_was_taken_anew() -> None:
    """The owner first, then the ladder above, from now on."""
    opened = at("2026-11-30 09:00")
    clock = page(opened, rung=1, acknowledged_at=opened, owner=OWNER, joined=True)
    now = opened + timedelta(minutes=7)
    turn = ladder.turn(clock, clinic(), now=now)
    assert (turn.whom, turn.why, turn.run_at) == ((OWNER,), Why.JOINED, now)


def test_with_nobody_on_call_the_lead_reads_and_the_opening_pages() -> None:
    """No phone rings at night; when work starts the ladder does."""
    opened = at("2026-11-28 22:00")
    told = follow(page(opened), clinic(NOBODY), until=at("2026-11-30 08:15"), desk=DESK)
    assert told == [
        "Sat 22:00 kim@clinic.test closed",
        "Mon 08:00 desk@clinic.test opened",
        "Mon 08:00 kim@clinic.test opened",
        "Mon 08:10 desk@clinic.test climbed",
        "Mon 08:10 kim@clinic.test climbed",
    ]
    first = ladder.turn(page(opened), clinic(NOBODY), now=opened)
    assert first.channels == {Channel.EMAIL}


CALLER = """
closed_day_caller: {name: Pat, phone: "+12125550195", email: pat@clinic.test}
"""


def test_silence_on_closed_days_is_phoned_by_whom_the_file_names() -> None:
    """Care rule 19, with nobody on call: Saturday and Thanksgiving; from Monday 08:00 as ever."""
    file = clinic(NOBODY + CALLER)
    opened = at("2026-11-28 10:00")
    silent = page(opened, silence=True)
    assert follow(silent, file, until=opened + timedelta(minutes=61), desk=DESK) == [
        "Sat 10:00 pat@clinic.test opened",
        "Sat 10:30 pat@clinic.test climbed",
        "Sat 10:30 kim@clinic.test climbed",
        "Sat 11:00 pat@clinic.test climbed",
        "Sat 11:00 kim@clinic.test climbed",
    ]
    first = ladder.turn(silent, file, now=opened)
    assert first.channels == frozenset(Channel)
    holiday = at("2026-11-26 10:00")
    assert [
        one.key for one in ladder.turn(page(holiday, silence=True), file, now=holiday).whom
    ] == ["pat@clinic.test"]
    monday = at("2026-11-30 08:00")
    late = ladder.turn(page(opened, silence=True, rung=9), file, now=monday, desk=DESK)
    assert "desk@clinic.test" in {one.key for one in late.whom}


@pytest.mark.parametrize(
    ("opened", "silence", "extra"),
    [
        ("2026-11-28 10:00", False, NOBODY + CALLER),
        ("2026-11-27 20:00", True, NOBODY + CALLER),
        ("2026-11-28 10:00", True, NOBODY),
    ],
    ids=["a plea", "the evening of a staffed day", "nobody is named"],
)
def test_only_silence_on_closed_days_is_phoned(opened: str, silence: bool, extra: str) -> None:
    """Anything else waits for the opening, and the lead reads of it."""
    now = at(opened)
    turn = ladder.turn(page(now, silence=silence), clinic(extra), now=now)
    assert ([one.key for one in turn.whom], turn.why) == (["kim@clinic.test"], Why.CLOSED)


def test_who_has_a_page_reads_of_a_new_text_after_hours() -> None:
    """With nobody on call no phone rings; owner and lead have an e-mail of it."""
    opened = at("2026-11-30 16:50")
    clock = page(opened, rung=1, acknowledged_at=opened, owner=OWNER, joined=True)
    turn = ladder.turn(clock, clinic(NOBODY), now=at("2026-11-30 22:00"))
    assert [one.key for one in turn.whom] == ["sam@clinic.test", "kim@clinic.test"]
    assert turn.channels == {Channel.EMAIL}


@pytest.mark.parametrize("extra", [ON_CALL, NOBODY], ids=["put off", "waits for the opening"])
def test_a_new_text_waits_for_no_run_that_is_ahead(extra: str) -> None:
    """Care rule 10: it pages again, also what was put off or lies before the opening."""
    now = at("2026-11-30 02:00")
    clock = page(now, run_at=now + timedelta(minutes=20), owner=OWNER, joined=True)
    turn = ladder.turn(clock, clinic(extra), now=now)
    assert (turn.whom[0], turn.why) == (OWNER, Why.JOINED)


def test_who_takes_a_page_before_the_opening_is_asked_for_an_outcome() -> None:
    """Care rule 10: half an hour on its owner and the lead read of it, and not at 08:30."""
    taken = at("2026-11-30 02:10")
    opens = at("2026-11-30 08:00")
    clock = page(opens, acknowledged_at=taken, owner=OWNER)
    assert follow(replace(clock, run_at=taken), clinic(NOBODY), until=opens) == [
        "Mon 02:40 sam@clinic.test no_outcome",
        "Mon 02:40 kim@clinic.test no_outcome",
    ]
    assert ladder.outcome_due(opens, taken) == taken + timedelta(minutes=30)


def test_a_call_of_today_is_paged_when_due_and_climbs_by_the_half_hour() -> None:
    """Its owner first, then the lead; after that it is due again the next day."""
    due = at("2026-12-01 11:00")
    clock = Clock(severity=Severity.CALL_TODAY, due_at=due, run_at=due, owner=OWNER)
    assert follow(clock, clinic(NOBODY), until=at("2026-12-02 10:01"), desk=DESK) == [
        "Tue 11:00 sam@clinic.test due",
        "Tue 11:30 desk@clinic.test climbed",
        "Tue 11:30 kim@clinic.test climbed",
        "Wed 10:00 sam@clinic.test due",
    ]


def test_a_call_due_at_closing_reaches_the_lead_at_closing() -> None:
    """Nobody is at work a minute later, so both hear of it now, and again the next day."""
    due = at("2026-12-01 17:00")
    clock = Clock(severity=Severity.CALL_TODAY, due_at=due, run_at=due, owner=OWNER)
    turn = ladder.turn(clock, clinic(NOBODY), now=due, desk=DESK)
    assert [one.key for one in turn.whom] == [
        "sam@clinic.test",
        "desk@clinic.test",
        "kim@clinic.test",
    ]
    assert turn.next_at == at("2026-12-02 10:00")


def test_the_next_business_day_reaches_the_lead_at_four() -> None:
    """Noon for whoever has it, 16:00 for the lead, by e-mail only."""
    due = at("2026-12-01 12:00")
    clock = Clock(severity=Severity.NEXT_BUSINESS_DAY, due_at=due, run_at=due, owner=OWNER)
    told = follow(clock, clinic(NOBODY), until=at("2026-12-02 12:01"), desk=DESK)
    assert told == [
        "Tue 12:00 sam@clinic.test due",
        "Tue 16:00 desk@clinic.test climbed",
        "Tue 16:00 kim@clinic.test climbed",
        "Wed 12:00 sam@clinic.test due",
    ]


@pytest.mark.parametrize("severity", [Severity.CALL_TODAY, Severity.NEXT_BUSINESS_DAY])
@pytest.mark.parametrize("extra", [ON_CALL, NOBODY], ids=["on call", "nobody"])
@pytest.mark.parametrize(
    ("until", "opens"),
    [
        ("2026-12-05 10:00", "2026-12-07 08:00"),
        ("2026-12-08 03:00", "2026-12-08 08:00"),
        ("2026-12-07 12:30", "2026-12-07 13:00"),
        ("2026-12-25 10:00", "2026-12-28 08:00"),
    ],
    ids=["Saturday", "night", "break", "Christmas"],
)
def test_what_can_wait_rings_nobody_in_closed_hours(
    until: str, opens: str, extra: str, severity: Severity
) -> None:
    """Put off to an instant without anybody at work, its clock moves to the next with somebody."""
    now, file = at(until), clinic(extra)
    clock = Clock(severity=severity, due_at=now, run_at=now, owner=OWNER)
    turn = ladder.turn(clock, file, now=now, desk=DESK)
    assert (turn.whom, turn.next_at) == ((), at(opens))
    later = ladder.turn(after(clock, turn), file, now=turn.next_at, desk=DESK)
    assert (later.whom, later.why) == ((OWNER,), Why.DUE)


def test_who_is_away_is_left_out_and_who_left_is_never_paged() -> None:
    """When everybody is away somebody is still better than nobody."""
    now = at("2026-11-30 09:00")
    away = Absent(away=frozenset({"day@clinic.test"}))
    assert ladder.rungs(clinic(), at=now, absent=away)[0][0].key == "always"
    everybody = frozenset({"day@clinic.test", "always", "kim@clinic.test", "night@clinic.test"})
    left = ladder.rungs(clinic(), at=now, absent=Absent(away=everybody))
    assert {one.key for rung in left for one in rung} == everybody
    gone = ladder.rungs(clinic(), at=now, absent=Absent(gone=everybody), desk=DESK)
    assert [one.key for rung in gone for one in rung] == ["desk@clinic.test"]


def test_a_ladder_without_anybody_still_has_a_clock() -> None:
    """Nobody on the ladder is a fault that doctor names; the item is looked at again."""
    now = at("2026-11-30 09:00")
    turn = ladder.turn(page(now), clinic("after_hours: none\n"), now=now)
    assert (turn.whom, turn.why) == ((), Why.NOBODY)
    assert turn.next_at == now + timedelta(minutes=10)


def test_after_an_outage_of_ours_one_rung_is_paged_at_a_time() -> None:
    """Not all that were missed at one instant."""
    opened = at("2026-11-30 09:00")
    now = opened + timedelta(hours=2)
    turn = ladder.turn(page(opened, rung=1), clinic(), now=now)
    assert ([one.key for one in turn.whom], turn.next_at) == (
        ["always"],
        now + timedelta(minutes=10),
    )


def test_uncovered_hours_are_found() -> None:
    """Nights on which the only one on call is away are named, to the half hour."""
    file = clinic(ON_CALL.replace('  - {name: Always, phone: "+12125550193", hours: always}\n', ""))
    now = at("2026-11-30 09:00")
    assert roster.uncovered(file, [], now=now) == ()
    absence = ("night@clinic.test", at("2026-12-02 00:00"), at("2026-12-03 00:00"))
    gaps = roster.uncovered(file, [absence], now=now)
    assert [(gap.starts, gap.ends) for gap in gaps] == [
        (at("2026-12-02 00:00"), at("2026-12-02 08:00")),
        (at("2026-12-02 17:00"), at("2026-12-03 00:00")),
    ]
    assert roster.uncovered(clinic(NOBODY), [], now=now) == ()


def test_the_test_page_goes_on_the_weeks_first_staffed_day() -> None:
    """Labor Day is closed, so Tuesday."""
    assert roster.weekly_test_at(clinic(), at("2026-12-03 09:00")) == at("2026-11-30 11:00")
    assert roster.weekly_test_at(clinic(), at("2026-09-07 09:00")) == at("2026-09-08 11:00")


# --- a year of anything ---------------------------------------------------------------------------

_START = at("2026-06-01 00:00")
_INSTANTS = st.integers(0, 365 * 24 * 60).map(lambda m: _START + timedelta(minutes=m))
_ABSENT = st.builds(
    Absent,
    away=st.frozensets(st.sampled_from(["day@clinic.test", "always", "kim@clinic.test"])),
    gone=st.frozensets(st.sampled_from(["night@clinic.test", "sam@clinic.test"])),
)
_DEEDS = st.sampled_from(["wait", "take", "join", "hand over", "return"])


@settings(max_examples=100, deadline=None)
@given(
    opened=_INSTANTS,
    severity=st.sampled_from(list(Severity)),
    extra=st.sampled_from([ON_CALL, NOBODY, NOBODY + CALLER, "after_hours: none\n"]),
    silence=st.booleans(),
    deeds=st.lists(st.tuples(_DEEDS, st.integers(0, 3000)), max_size=12),
    absent=_ABSENT,
)
def test_no_item_is_ever_without_a_next_clock(
    opened: datetime,
    severity: Severity,
    extra: str,
    silence: bool,
    deeds: list[tuple[str, int]],
    absent: Absent,
) -> None:
    """Whatever people do in a year: always a later clock, in time, and somebody to page if any."""
    file = clinic(extra)
    due = file.staffed().due(severity, opened)
    run_at = opened if severity is Severity.PAGE_NOW else due
    clock = Clock(severity=severity, due_at=due, run_at=run_at, silence=silence)
    now = max(opened, run_at)
    for deed, minutes in deeds:
        turn = ladder.turn(clock, file, now=now, desk=DESK, absent=absent)
        assert turn.next_at > now
        # Lincoln's Birthday and Presidents' Day: the longest that nobody is there.
        assert turn.next_at - now <= timedelta(days=7)
        assert turn.whom or turn.why in {Why.DUE, Why.NOBODY, Why.CLOSED}
        assert not {one.key for one in turn.whom} & absent.gone
        clock = after(clock, turn)
        # Somebody acts before the clock comes, or nobody does.
        early = now + timedelta(minutes=minutes)
        now = turn.next_at if deed == "wait" else min(early, turn.next_at)
        clock = _done(clock, deed, now)
    if severity is Severity.PAGE_NOW and extra == ON_CALL and clock.acknowledged_at is None:
        _is_paged_within_a_quarter_of_an_hour(clock, file, now)


def _done(clock: Clock, deed: str, now: datetime) -> Clock:
    if deed == "take":
        return replace(clock, owner=OWNER, acknowledged_at=now)
    if deed == "join":
        return replace(clock, joined=True)
    if deed == "hand over":
        return replace(clock, owner=DESK[0], run_at=now, rung=0, acknowledged_at=None)
    if deed == "return":
        return replace(clock, owner=None, run_at=now, rung=0, acknowledged_at=None)
    return clock


def _is_paged_within_a_quarter_of_an_hour(clock: Clock, file: ClinicFile, now: datetime) -> None:
    until = now + timedelta(minutes=15)
    while now <= until:
        turn = ladder.turn(clock, file, now=now)
        if turn.whom:
            return
        clock, now = after(clock, turn), turn.next_at
    raise AssertionError("nobody was paged")
