"""Stories of the stages between visits, as shipped: who is asked what, and who is told."""

from datetime import date

import pytest

from records import patients
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.desk import NEW_YORK, Desk
from worker.steps import tailoring, visits

Item = tuple[str, str, str]


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, P0, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def _follows(desk: Desk, protocol: str, *, since: str = "2026-11-30") -> None:
    desk.switches_on(protocol)
    who, services = _who(desk), desk.world.services
    visits.enroll(services, who, protocol, actor="desk", on=date.fromisoformat(since))
    desk.goes_on()


def _who(desk: Desk):
    with desk.world.database.transaction() as session:
        [person] = patients.find(session, desk.world.vault, "P0")
        return person.id


def _items(desk: Desk) -> list[Item]:
    """Return the open items: reason, severity, and by when."""
    rows = desk.world.execute(
        "SELECT reason, severity, due_at FROM follow_up WHERE status <> 'resolved' ORDER BY reason"
    )
    return [
        (row.reason, row.severity, row.due_at.astimezone(NEW_YORK).strftime("%a %d %H:%M"))
        for row in rows
    ]


def _dosed(desk: Desk) -> None:
    """Have a dose on Wednesday, December 2, checked out at ten."""
    desk.imports("2026-12-02T08:00", quiet=True)
    desk.jumps_to("2026-12-02 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    for after in ("2026-12-02 17:00", "2026-12-03 09:30"):
        desk.jumps_to(after)
        desk.says("0")
    desk.world.execute("UPDATE follow_up SET status = 'resolved'")


def test_who_does_not_answer_about_the_assessment_is_called_a_day_ahead(desk: Desk) -> None:
    """Asked on Tuesday for Thursday at two; on Wednesday at two somebody phones, by four."""
    desk.imports("2026-12-03T14:00", kind="assessment", route="")
    desk.waits_until("2026-12-01 14:00")
    assert desk.read() == ["assess_48h"]
    desk.waits_until("2026-12-02 13:00")
    assert _items(desk) == []
    desk.waits_until("2026-12-02 14:00")
    assert _items(desk) == [("no_answer", "call_today", "Wed 02 16:00")]


@pytest.mark.parametrize(
    ("answer", "items"),
    [("N", [("callback", "call_today", "Fri 04 17:00")]), ("Y", []), (None, [])],
    ids=["no", "yes", "silence"],
)
def test_before_a_weekend_a_no_is_called_and_silence_is_not(
    desk: Desk, answer: str | None, items: list[Item]
) -> None:
    """Where alcohol is the matter: on Friday at four, within the hour that staff still have."""
    _follows(desk, "relapse-prevention-alcohol")
    desk.jumps_to("2026-12-04 16:00")
    assert desk.read() == ["weekend_plan"]
    if answer is not None:
        desk.says(answer)
        desk.goes_on()
    assert _items(desk) == items
    desk.jumps_to("2026-12-05 13:00")
    assert _items(desk) == items


@pytest.mark.parametrize(
    ("protocol", "since", "asked", "low", "fair", "severity", "due"),
    [
        ("relapse-prevention", "2026-11-07", "weekly_confidence", 4, 5, "next_business_day", "12"),
        ("relapse-prevention", "2026-10-31", "weekly_sleep", 2, 3, "next_business_day", "12"),
        ("relapse-prevention-stimulants", "2026-11-28", "weekly_sleep", 2, 3, "call_today", "10"),
    ],
    ids=["confidence", "sleep", "sleep with stimulants"],
)
def test_a_low_weekly_score_is_looked_at(
    desk: Desk, protocol: str, since: str, asked: str, low: int, fair: int, severity: str, due: str
) -> None:
    """Confidence of four, sleep of two nights; a point more is nobody's matter."""
    _follows(desk, protocol, since=since)
    desk.jumps_to("2026-11-30 17:00")
    assert desk.read() == [asked]
    desk.says(str(fair))
    assert _items(desk) == []
    desk.says(f"sorry, {low}")
    assert _items(desk) == [("low_score", severity, f"Tue 01 {due}:00")]


def test_a_count_after_the_quit_date_is_read_in_the_digest_and_answered_kindly(desk: Desk) -> None:
    """Nobody phones; half an hour later the patient reads a line, once for each answer."""
    tailoring.tailor(desk.world.services, _who(desk), {"quit_date": "2026-11-25"}, actor="desk")
    _follows(desk, "relapse-prevention-nicotine", since="2026-11-20")
    desk.jumps_to("2026-11-30 17:00")
    assert desk.read() == ["daily_count"]
    desk.says("4")
    desk.goes_on(minutes=30)
    assert _items(desk) == [("off_plan", "digest", "Tue 01 08:00")]
    assert desk.read() == ["daily_count", "count_coach"]
    desk.jumps_to("2026-12-01 17:00")
    desk.says("0")
    desk.goes_on(minutes=30)
    assert desk.read() == ["daily_count", "count_coach", "daily_count"]


def test_before_the_quit_date_only_a_count_well_above_their_own_is_told(desk: Desk) -> None:
    """Ten a day for three days, then fifteen: the digest has it, and nobody else."""
    tailoring.tailor(desk.world.services, _who(desk), {"quit_date": "2026-12-10"}, actor="desk")
    _follows(desk, "relapse-prevention-nicotine")
    for day, count in (("11-30", 10), ("12-01", 10), ("12-02", 10), ("12-03", 14)):
        desk.jumps_to(f"2026-{day} 17:00")
        desk.says(str(count))
        assert _items(desk) == []
    desk.jumps_to("2026-12-04 17:00")
    desk.says("15")
    assert _items(desk) == [("rising_score", "digest", "Mon 07 08:00")]
    assert set(desk.read()) == {"daily_count"}


def test_a_booster_that_is_not_wanted_now_is_offered_once_more(desk: Desk) -> None:
    """After four weeks a no, after eight silence: the digest has it a week later."""
    _dosed(desk)
    _follows(desk, "booster")
    desk.jumps_to("2026-12-30 11:00")
    assert desk.read()[-1] == "plan_next"
    desk.says("N")
    desk.goes_on()
    assert _items(desk) == []
    desk.jumps_to("2027-01-27 11:00")
    assert desk.read()[-2:] == ["plan_next", "plan_next"]
    desk.jumps_to("2027-02-03 11:00")
    assert _items(desk) == [("no_answer", "digest", "Thu 04 08:00")]


@pytest.mark.parametrize(
    ("asked", "again", "once_more", "over"),
    [
        ("2027-03-02", "2027-03-09", "2027-03-16", "2027-03-23"),
        ("2027-05-31", "2027-06-07", "2027-06-14", "2027-06-21"),
    ],
    ids=["three months", "six months"],
)
def test_the_form_of_months_later_is_asked_for_three_times_and_then_phoned(
    desk: Desk, asked: str, again: str, once_more: str, over: str
) -> None:
    """90 or 180 days after the first dose, a week apart, at noon."""
    _dosed(desk)
    _follows(desk, "outcome-follow-up")
    before = desk.read()
    # The clocks go forward meanwhile, and weeks count by hours.
    for when in (f"{asked} 12:05", f"{again} 12:15", f"{once_more} 13:25"):
        desk.jumps_to(when)
    assert desk.read()[len(before) :] == ["progress_form", "progress_missed", "progress_missed"]
    assert "no_answer" not in desk.calls()
    desk.jumps_to(f"{over} 13:35")
    assert "no_answer" in desk.calls()
