"""What happens to rows when visits move, end or come back: rounds, revivals, nothing twice."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.facts import PatientStatus, VisitStatus
from schedules.reasons import CancelReason, SkipReason
from schedules.reconcile import STAFF_CANCELLED
from schedules.windows import is_open
from tests.schedules.planning import (
    ALL_PURPOSES,
    HONOLULU,
    LORD_HOWE,
    NEW_YORK,
    PHOENIX,
    Outbox,
    clinic,
    enrolled,
    local,
    patient,
    visit,
)

START = local("2026-12-08 13:00")
BOOKED = START - timedelta(days=12)
EVE = START - timedelta(hours=24)
PLACE, PERSON = clinic(), patient()


def booked(**changes):
    return visit(START, booked_at=BOOKED, **changes)


def planned_box(appointment=None, *, now=BOOKED) -> Outbox:
    box = Outbox()
    box.plan(enrolled("dosing-visit", appointment or booked()), PERSON, PLACE, now)
    return box


def replan(box, appointment, now, person=PERSON):
    return box.plan(enrolled("dosing-visit", appointment), person, PLACE, now)


def test_planning_twice_changes_nothing():
    """The second look finds every row where it should be."""
    box = planned_box()
    assert not replan(box, booked(), BOOKED + timedelta(minutes=1))


def test_an_unsent_row_moves_with_its_visit():
    """Same identity, new due time, no second row."""
    box = planned_box()
    changes = replan(box, booked(starts_at=START + timedelta(days=1), moved_at=BOOKED), BOOKED)
    assert len(changes.move) == 4
    assert not changes.add
    assert {row.round for row in box.rows.values()} == {1}


def test_a_visit_moved_after_its_reminder_went_is_reminded_anew():
    """Moved by two days on the eve: what went goes again for the new time, what did not moves."""
    box = planned_box()
    for day in range(11):
        box.send_due(BOOKED + timedelta(days=day))
    assert box.send_due(EVE) == ["visit_24h_prep"]
    moved = booked(starts_at=START + timedelta(days=2), moved_at=EVE)
    replan(box, moved, EVE)
    assert box.statuses() == {
        "visit_24h_prep/1/1": "delivered",
        "visit_24h_prep/1/2": "planned",
        "visit_2h_ride/1/1": "planned",
        "visit_48h/1/1": "delivered",
        "visit_48h/1/2": "planned",
        "visit_7d/1/1": "delivered",
        "visit_7d/1/2": "skipped",
    }
    assert not replan(box, moved, EVE)


def test_nothing_goes_twice_for_one_start_time():
    """Moved away and back before the new time was texted: the old text still holds."""
    box = planned_box()
    box.send_due(START - timedelta(days=7))
    away = booked(starts_at=START + timedelta(days=2), moved_at=START - timedelta(days=6))
    replan(box, away, START - timedelta(days=6))
    back = booked(moved_at=START - timedelta(days=6))
    replan(box, back, START - timedelta(days=6))
    rows = [row for row in box.rows.values() if row.step == "visit_7d"]
    assert [row.status for row in rows if row.went] == ["delivered"]
    assert [row.status for row in rows if not row.went] in ([], ["skipped"], ["cancelled"])
    assert not replan(box, back, START - timedelta(days=6))


def test_two_start_times_texted_and_back_to_the_first_asks_for_a_call():
    """The patient holds the wrong time; the text does not go twice, so a person must call."""
    box = planned_box()
    box.send_due(START - timedelta(hours=23))
    day_before = START - timedelta(hours=23)
    away = booked(starts_at=START + timedelta(days=1), moved_at=day_before)
    replan(box, away, day_before)
    box.send_due(START + timedelta(hours=1))
    assert box.rows["visit_24h_prep/1/2"].went
    back = booked(starts_at=START, moved_at=START + timedelta(hours=1))
    later = replace(back, starts_at=START)
    changes = replan(box, later, START - timedelta(hours=22))
    (again,) = (text for text in changes.add if text.step == "visit_24h_prep")
    assert (again.round, again.skip_reason is not None) == (3, True)


def test_what_went_before_the_news_that_took_it_back_goes_again():
    """Told on the eve, cancelled, and booked again: the food text alone, and once."""
    box, again = planned_box(), EVE + timedelta(hours=1)
    for day in range(11):
        box.send_due(BOOKED + timedelta(days=day))
    assert box.send_due(EVE) == ["visit_24h_prep"]
    told_off = booked(told_off_at=EVE + timedelta(minutes=30))
    replan(box, replace(told_off, status=VisitStatus.CANCELLED), again)
    assert "visit_24h_prep/1/2" not in box.rows
    replan(box, replace(told_off, booked_at=again), again)
    assert box.statuses() == {
        "visit_24h_prep/1/1": "delivered",
        "visit_24h_prep/1/2": "planned",
        "visit_2h_ride/1/1": "planned",
        "visit_48h/1/1": "delivered",
        "visit_48h/1/2": "skipped",
        "visit_7d/1/1": "delivered",
    }
    assert not replan(box, replace(told_off, booked_at=again), again)
    assert box.send_due(again) == ["visit_24h_prep"]
    assert not replan(box, replace(told_off, booked_at=again), again)


def test_a_text_that_overtook_the_news_goes_once():
    """The news of the move waits for the carrier, and the text of the new start went meanwhile."""
    box, moved_at = planned_box(), EVE - timedelta(hours=1)
    moved = booked(starts_at=START + timedelta(minutes=30), moved_at=moved_at)
    replan(box, moved, moved_at)
    now = EVE + timedelta(minutes=30)
    assert "visit_24h_prep" in box.send_due(now)
    assert not replan(box, replace(moved, told_off_at=moved_at), now).add


def test_a_cancelled_visit_cancels_every_unsent_row():
    """Sent rows stay as they are; the rest ends with the reason."""
    box = planned_box()
    box.send_due(START - timedelta(days=7))
    replan(box, booked(status=VisitStatus.CANCELLED), START - timedelta(days=6))
    assert set(box.statuses().values()) == {"delivered", "cancelled"}
    assert box.rows["visit_48h/1/1"].reason == SkipReason.VISIT_CANCELLED


def test_a_claimed_row_is_cancelled_too():
    """Claimed is not sent: a stop or a cancellation reaches it."""
    box = planned_box()
    key = "visit_48h/1/1"
    box.rows[key] = box.rows[key]._replace(status="claimed")
    changes = replan(box, booked(status=VisitStatus.CANCELLED), BOOKED)
    assert key in {row for row, _ in changes.cancel}


def test_a_retry_of_an_unproved_text_is_cancelled_with_its_visit():
    """A row that is planned again after an attempt is history, but may not go for no visit."""
    box = planned_box()
    key = "visit_48h/1/1"
    box.rows[key] = box.rows[key]._replace(attempts=1)
    assert not replan(box, booked(), BOOKED)
    changes = replan(box, booked(status=VisitStatus.CANCELLED), BOOKED)
    assert key in {row for row, _ in changes.cancel}


def test_a_cancelled_visit_without_rows_gets_none():
    """An import of cancelled visits fills no outbox."""
    box = Outbox()
    assert not replan(box, booked(status=VisitStatus.CANCELLED), BOOKED)


def test_rows_return_while_they_are_useful():
    """A hold lifted in time brings back what still helps, and nothing that is over."""
    box = planned_box()
    replan(box, booked(), BOOKED, patient(status=PatientStatus.HELD))
    assert set(box.statuses().values()) == {"cancelled"}
    replan(box, booked(), START - timedelta(hours=40))
    assert box.statuses() == {
        "visit_24h_prep/1/1": "planned",
        "visit_2h_ride/1/1": "planned",
        "visit_48h/1/1": "planned",
        "visit_7d/1/1": "cancelled",
    }


def test_what_staff_withdrew_stays_withdrawn():
    """Replanning does not overrule a person."""
    box = planned_box()
    key = "visit_48h/1/1"
    box.rows[key] = box.rows[key]._replace(status="cancelled", reason=STAFF_CANCELLED)
    assert not replan(box, booked(), BOOKED)


def test_a_row_out_of_time_is_left_to_expire():
    """A text nobody could send in time ends as expired, not as cancelled."""
    box = planned_box()
    assert not replan(box, booked(), START - timedelta(hours=25)).cancel


def test_a_visit_beyond_the_horizon_loses_its_rows_and_gets_them_back():
    """Moved by a month and back again: cancelled, then planned."""
    box = planned_box()
    replan(box, booked(starts_at=START + timedelta(days=30), moved_at=BOOKED), BOOKED)
    assert {row.reason for row in box.rows.values()} == {CancelReason.NOT_PLANNED}
    replan(box, booked(), BOOKED)
    assert set(box.statuses().values()) == {"planned"}


def test_the_order_of_events_does_not_matter():
    """Confirmed, moved and hold-and-resume lead to the same rows in any order."""
    moved = {"starts_at": START + timedelta(days=1), "moved_at": BOOKED}
    facts = [moved, {"confirmed_start": START + timedelta(days=1)}, {"change_requested": False}]
    ends = []
    for order in permutations(facts):
        box, known = planned_box(), {}
        for fact in order:
            known |= fact
            replan(box, booked(**known), BOOKED)
        ends.append({key: row.due_at for key, row in box.rows.items() if row.status == "planned"})
    assert all(end == ends[0] for end in ends)


starts = st.builds(
    lambda day, minutes: local(f"2026-{day}") + timedelta(minutes=minutes),
    st.sampled_from(["03-08 00:00", "03-09 00:00", "11-01 00:00", "11-02 00:00", "12-14 00:00"]),
    st.integers(0, 24 * 12 - 1).map(lambda n: n * 5),
)
zones = st.sampled_from([NEW_YORK, PHOENIX, HONOLULU, LORD_HOWE, None])
visits = st.builds(
    lambda start, lead, kind, modality, confirmed, change: visit(
        start,
        kind=kind,
        modality=modality,
        booked_at=start - timedelta(minutes=lead),
        confirmed_start=start if confirmed else None,
        change_requested=change,
    ),
    starts,
    st.integers(10, 13 * 24 * 60),
    st.sampled_from(["dosing", "integration", "assessment"]),
    st.sampled_from([None, "virtual"]),
    st.booleans(),
    st.booleans(),
)
PROTOCOL_OF = {
    "dosing": "dosing-visit",
    "integration": "integration",
    "assessment": "assessment-visit",
}


@settings(max_examples=300, deadline=None)
@given(visits, zones, st.sampled_from([NEW_YORK, PHOENIX, HONOLULU]), st.integers(0, 20_000))
def test_every_text_that_goes_is_allowed_true_and_in_time(appointment, home, place_zone, later):
    """In the window of every candidate zone, before its latest time, never before it was known."""
    place, person = clinic(place_zone), patient(home)
    now = appointment.booked_at + timedelta(minutes=later)
    box = Outbox()
    facts = enrolled(PROTOCOL_OF[appointment.kind], appointment)
    added = box.plan(facts, person, place, now).add
    zones_ = (home,) if home else place.candidate_zones
    for text in added:
        if text.skip_reason is None:
            assert is_open(place.window, zones_, text.due_at)
            assert appointment.booked_at <= text.due_at <= text.latest_at
            assert text.latest_at > now
            assert text.due_at < appointment.starts_at
    assert not box.plan(facts, person, place, now), "planning again changes nothing"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["move", "cancel", "rebook", "confirm", "hold", "resume", "wait"]),
            st.integers(1, 60),
        ),
        max_size=12,
    ),
    zones,
)
def test_nothing_goes_twice_for_one_start_whatever_happens(events, home):
    """Random lives of one visit: per step and start time at most one text, and always settled."""
    box, now = Outbox(), BOOKED
    appointment, status = booked(), PatientStatus.ACTIVE
    for kind, hours in [*events, ("wait", 400)]:
        if kind == "move":
            start = START + timedelta(hours=hours)
            appointment = replace(appointment, starts_at=start, moved_at=now)
        elif kind in {"cancel", "rebook"}:
            state = VisitStatus.CANCELLED if kind == "cancel" else VisitStatus.BOOKED
            appointment = replace(appointment, status=state)
        elif kind == "confirm":
            appointment = replace(appointment, confirmed_start=appointment.starts_at)
        elif kind in {"hold", "resume"}:
            status = PatientStatus.HELD if kind == "hold" else PatientStatus.ACTIVE
        for _ in range(hours // 3 if kind == "wait" else 1):
            facts, person = enrolled("dosing-visit", appointment), patient(home, status=status)
            box.plan(facts, person, PLACE, now)
            assert not box.plan(facts, person, PLACE, now)
            box.send_due(now)
            now += timedelta(hours=3)
    told = [(row.step, row.anchor_at) for row in box.rows.values() if row.went]
    assert len(told) == len(set(told))
    assert not {"planned", "claimed"} & set(box.statuses().values())


@pytest.mark.parametrize("zone", [NEW_YORK, PHOENIX, HONOLULU, LORD_HOWE])
def test_a_daily_roll_adds_each_day_once(zone):
    """Replanned every day over a clock change, each of the fourteen days has one row."""
    box, first = Outbox(), date(2026, 3, 1)
    facts, person = enrolled("daily-check-in", day=first), patient(zone, purposes=ALL_PURPOSES)
    now = local("2026-03-01 08:00", zone)
    for _ in range(20):
        box.plan(facts, person, PLACE, now, horizon=timedelta(days=3))
        box.send_due(now + timedelta(hours=11))
        now += timedelta(days=1)
    assert len(box.rows) == 14
    days = [row.due_at.astimezone(zone).date() for row in box.rows.values()]
    assert len(set(days)) == 14
