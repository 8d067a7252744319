"""The plan step: rows that follow the visits, on a real database."""

import importlib
from datetime import timedelta

import pytest

from messages.gateways.fake import lose_answer
from records import enrollments
from records.base import Session
from records.enrollments import Enrollment
from schedules import loader
from schedules.errors import ProtocolError
from tests.support.source import ROOT
from tests.support.world import World
from worker import protocols


@pytest.fixture
def clinic(world: World) -> World:
    """The world with its protocols published."""
    world.publish_protocols()
    return world


def _replan(world: World) -> None:
    world.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
    world.plan()


def _move(world: World, visit_id: object, **by: float) -> None:
    world.execute(
        "UPDATE appointment SET starts_at = starts_at + :by, ends_at = ends_at + :by,"
        " revision = revision + 1, moved_at = :now, confirmed_start = NULL WHERE id = :id",
        by=timedelta(**by),
        now=world.now,
        id=visit_id,
    )
    _replan(world)


def _due(session: Session, world: World) -> list[Enrollment]:
    """Lock who is due and return what they are enrolled in."""
    people = enrollments.lock_due(session, now=world.now, limit=10)
    return enrollments.to_plan(session, people, [], now=world.now)


def _planned(world: World) -> dict[str, object]:
    return {each.step: each for each in world.texts() if each.status == "planned"}


def test_a_dosing_visit_gets_its_four_texts(clinic: World) -> None:
    """Seven days, health news, food and ride."""
    clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    assert set(_planned(clinic)) == {"visit_7d", "visit_48h", "visit_24h_prep", "visit_2h_ride"}


def test_planning_again_changes_nothing(clinic: World) -> None:
    """Replanning is idempotent: no row is added, moved or cancelled."""
    clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    before = [(each.id, each.due_at, each.status) for each in clinic.texts()]
    _replan(clinic)
    assert [(each.id, each.due_at, each.status) for each in clinic.texts()] == before
    assert clinic.execute("SELECT count(*) FROM message_history")[0][0] == 0


def test_a_visit_that_moves_moves_its_unsent_texts(clinic: World) -> None:
    """The rows stay the same rows; only their times change."""
    visit_id, _ = clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    before = {each.step: (each.id, each.due_at) for each in clinic.texts()}
    _move(clinic, visit_id, days=2)
    after = {each.step: (each.id, each.due_at) for each in clinic.texts()}
    assert {step: row[0] for step, row in after.items()} == {
        step: row[0] for step, row in before.items()
    }
    assert all(after[step][1] > before[step][1] for step in before)


def test_a_visit_that_moves_after_its_reminder_went_is_reminded_anew(clinic: World) -> None:
    """The occurrence that went keeps its row; a second round speaks of the new time."""
    visit_id, _ = clinic.book(starts_in=timedelta(days=7))
    clinic.plan()
    clinic.send()
    _move(clinic, visit_id, days=3)
    rounds = {(each.round, each.status) for each in clinic.texts() if each.step == "visit_7d"}
    assert rounds == {(1, "accepted"), (2, "planned")}


def test_a_cancelled_visit_cancels_all_that_is_unsent(clinic: World) -> None:
    """Nothing goes for a visit that will not take place."""
    visit_id, _ = clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    clinic.execute("UPDATE appointment SET status = 'cancelled' WHERE id = :id", id=visit_id)
    _replan(clinic)
    assert {each.status for each in clinic.texts()} <= {"cancelled", "skipped"}
    assert {each.reason for each in clinic.texts()} == {"visit_cancelled"}


def test_a_visit_booked_again_gets_its_texts_back(clinic: World) -> None:
    """A row cancelled without an attempt returns to the plan."""
    visit_id, _ = clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    clinic.execute("UPDATE appointment SET status = 'cancelled' WHERE id = :id", id=visit_id)
    _replan(clinic)
    clinic.execute("UPDATE appointment SET status = 'booked' WHERE id = :id", id=visit_id)
    _replan(clinic)
    assert {each.status for each in clinic.texts()} == {"planned"}


def test_a_move_between_claim_and_sending_voids_the_claim(clinic: World) -> None:
    """A claimed row moves like any unsent one, and its token is gone."""
    visit_id, _ = clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    clinic.execute("UPDATE message SET status = 'claimed', claim_token = id")
    _move(clinic, visit_id, days=1)
    assert {(each.status, each.claim_token) for each in clinic.texts()} == {("planned", None)}


def test_a_late_booking_is_skipped_with_its_reason(clinic: World) -> None:
    """What was due before the visit was known is a row with a reason, not a late text."""
    clinic.book(starts_in=timedelta(days=3), booked_at=clinic.now - timedelta(minutes=1))
    clinic.execute("UPDATE enrollment SET created_at = :now", now=clinic.now)
    clinic.plan()
    [skipped] = [each for each in clinic.texts() if each.step == "visit_7d"]
    assert (skipped.status, skipped.reason) == ("skipped", "late_booking")


def test_a_daily_check_in_is_planned_for_two_weeks_at_17_00(clinic: World) -> None:
    """One question a day in the patient's zone."""
    clinic.enroll_by_hand()
    clinic.plan()
    questions = [each for each in clinic.texts() if each.step == "daily_0_10"]
    assert len(questions) == 14
    assert {each.due_at.hour for each in questions} == {22}


def test_the_nudge_is_planned_when_its_question_went_out(clinic: World) -> None:
    """Two hours after an unanswered question, and not before one was asked."""
    clinic.enroll_by_hand()
    clinic.plan()
    assert not [each for each in clinic.texts() if each.nudge_for]
    clinic.advance(hours=7)
    clinic.send()
    clinic.plan()
    [nudge] = [each for each in clinic.texts() if each.nudge_for]
    assert nudge.due_at == clinic.now + timedelta(hours=2)
    assert nudge.template == "checkin_missed"


def test_a_nudge_is_not_sent_once_its_question_is_answered(clinic: World) -> None:
    """The claim looks at the question again."""
    clinic.enroll_by_hand()
    clinic.plan()
    clinic.advance(hours=7)
    clinic.send()
    clinic.plan()
    clinic.execute(
        "UPDATE message SET answered_at = :now WHERE step = 'daily_0_10'", now=clinic.now
    )
    clinic.advance(hours=2)
    clinic.send()
    [nudge] = [each for each in clinic.texts() if each.nudge_for]
    assert (nudge.status, nudge.reason) == ("skipped", "answered")


def test_a_text_that_is_unknown_is_history_for_the_planner(clinic: World) -> None:
    """A maybe-sent text is not planned a second time for the same start."""
    clinic.book(starts_in=timedelta(days=7))
    clinic.plan()
    clinic.gateway.script(lose_answer(creates=True))
    clinic.send()
    _replan(clinic)
    rows = [each for each in clinic.texts() if each.step == "visit_7d"]
    assert [each.status for each in rows] == ["unknown"]


def test_food_and_ride_texts_know_by_when_they_must_be_proved(clinic: World) -> None:
    """Care rule 2: an instruction not proved by then becomes a call."""
    clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    planned = _planned(clinic)
    assert planned["visit_24h_prep"].prove_by is not None  # type: ignore[attr-defined]
    assert planned["visit_7d"].prove_by is None  # type: ignore[attr-defined]


def test_a_change_that_was_marked_before_the_plan_and_committed_during_it_is_planned(
    clinic: World,
) -> None:
    """Its mark bears an earlier time than the plan's, and yet its facts were not read."""
    clinic.book(starts_in=timedelta(days=9))
    with clinic.database.transaction() as session:
        rows = _due(session, clinic)
        clinic.execute(
            "UPDATE enrollment SET plan_requested_at = plan_requested_at - interval '1 second'"
        )
        rolls = dict.fromkeys(row.id for row in rows)
        enrollments.planned(session, rows, rolls, through=clinic.now)
    with clinic.database.transaction() as session:
        again = _due(session, clinic)
    assert rows
    assert {row.id for row in again} == {row.id for row in rows}


def test_two_processes_plan_different_patients_at_once(clinic: World) -> None:
    """A patient is one process's; the other takes those who are free and does not stop."""
    people = {clinic.enroll_by_hand() for _ in range(4)}
    with clinic.database.transaction() as first, clinic.database.transaction() as second:
        mine = enrollments.lock_due(first, now=clinic.now, limit=2)
        theirs = enrollments.lock_due(second, now=clinic.now, limit=2)
        with clinic.database.transaction() as third:
            assert not enrollments.lock_due(third, now=clinic.now, limit=2)
    assert [len(mine), len(theirs)] == [2, 2]
    assert mine.keys() | theirs.keys() == people


def test_a_patient_whose_record_cannot_be_read_holds_up_nobody(clinic: World) -> None:
    """A patient without a phone ended the loop, and whoever came after got nothing: Bahmni."""
    spoilt, fine = clinic.enroll_by_hand(), clinic.enroll_by_hand()
    clinic.execute("UPDATE patient SET profile = 'no sealed text' WHERE id = :id", id=spoilt)
    clinic.plan()
    assert {each.patient_id for each in clinic.texts()} == {fine}


def _was_not_planned(clinic: World) -> None:
    """Let the release before have opened the item, and bring the database to this one."""
    clinic.execute(
        "UPDATE follow_up SET reason = 'not_planned',"
        " cause = replace(cause, 'cannot_plan', 'not_planned')"
    )
    [file] = (ROOT / "records" / "migrations" / "versions").glob("*_cannot_plan.py")
    clinic.execute(importlib.import_module(f"records.migrations.versions.{file.stem}").RENAMED)


def test_a_patient_who_cannot_be_planned_is_told_of_and_tried_again_soon(clinic: World) -> None:
    """One item a day; ten minutes after the record is mended at most the texts are planned."""
    spoilt = clinic.enroll_by_hand()
    [(profile,)] = clinic.execute("SELECT profile FROM patient WHERE id = :id", id=spoilt)
    clinic.execute("UPDATE patient SET profile = 'no sealed text' WHERE id = :id", id=spoilt)
    for _ in range(3):
        clinic.plan()
        clinic.advance(minutes=10)
    items = "SELECT patient_id, reason, severity, times_joined FROM follow_up"
    assert clinic.execute(items) == [(spoilt, "cannot_plan", "call_today", 0)]
    _was_not_planned(clinic)
    assert clinic.execute(items) == [(spoilt, "cannot_plan", "call_today", 0)]
    through = "SELECT planned_through, protocol_number FROM enrollment"
    assert clinic.execute(through) == [(None, None)]
    clinic.advance(days=1)
    clinic.plan()
    assert len(clinic.execute(items)) == 2
    clinic.execute("UPDATE patient SET profile = :was WHERE id = :id", was=profile, id=spoilt)
    clinic.advance(minutes=9)
    clinic.plan()
    assert clinic.texts() == []
    clinic.advance(minutes=1)
    clinic.plan()
    assert clinic.texts()


def test_a_patient_whose_duties_can_not_be_told_holds_up_nobody(clinic: World) -> None:
    """Nobody counts half an hour on from the end of the calendar; the others' calls are opened."""
    booked = [clinic.book(starts_in=-timedelta(hours=2), protocol="no-show-dosing")
              for _ in range(2)]  # fmt: skip
    clinic.execute("UPDATE appointment SET status = 'no_show', no_show_at = :now", now=clinic.now)
    clinic.execute("UPDATE appointment SET no_show_at = '9999-12-31T23:59Z' WHERE id = :id",
                   id=booked[0][0])  # fmt: skip
    clinic.advance(hours=1)
    clinic.plan()
    opened = clinic.execute("SELECT patient_id, reason FROM follow_up")
    assert set(opened) == {(booked[0][1], "cannot_plan"), (booked[1][1], "visit_missed")}


def test_a_protocol_that_a_newer_check_refuses_is_followed_as_it_was_published(
    clinic: World,
) -> None:
    """Checks are for whoever writes a file; an upgrade of ours ends nobody's texts."""
    source = loader.shipped_files()["daily-check-in.yaml"].replace(
        "template: daily_0_10", "template: mood_form"
    )
    with pytest.raises(ProtocolError):
        protocols.parsed(source, "daily-check-in.yaml")
    clinic.execute(
        "INSERT INTO protocol_version (id, clinic_id, protocol, number, source, checksum,"
        " published_by) SELECT uuidv7(), clinic_id, protocol, 2, :source, '', 'desk'"
        " FROM protocol_version WHERE protocol = 'daily-check-in'",
        source=source,
    )
    clinic.enroll_by_hand()
    clinic.plan()
    assert {each.template for each in clinic.texts()} == {"mood_form"}


def test_a_ride_text_has_time_to_arrive_before_anybody_is_called(clinic: World) -> None:
    """It goes two hours ahead, which is when an hour before its deadline begins."""
    clinic.book(starts_in=timedelta(days=9, hours=3))
    clinic.plan()
    [ride] = [each for each in clinic.texts() if each.step in {"visit_2h_ride", "visit_eve_ride"}]
    assert ride.prove_by is not None
    assert ride.prove_by >= ride.due_at + timedelta(minutes=15)
