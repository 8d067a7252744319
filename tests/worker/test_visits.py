"""Visits: imported, moved, cancelled; what happened at them; who follows what."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from records import appointments, patients
from records.appointments import Appointment
from records.outbox import Message
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from worker.intake.batches import BATCH, ImportReport
from worker.refusal import RefusedError
from worker.steps import events, people, visits
from worker.steps.people import Reason

HEADER = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location"
DOSING = "A1,P0,dosing,iv,2026-12-10T09:00,2026-12-10T11:00,booked,Suite 4"
MOVED = "A1,P0,dosing,iv,2026-12-11T10:00,2026-12-11T12:00,booked,Suite 4"


@pytest.fixture
def house(world: World) -> World:
    """The world with its protocols published and one patient, P0."""
    world.publish_protocols()
    world.enroll_by_hand()
    world.plan()
    return world


def _import(world: World, *rows: str, header: str = HEADER, **options: Any) -> ImportReport:
    content = "\n".join([header, *rows]).encode()
    return visits.import_appointments(world.services, content, actor="test", **options)


def _visit(world: World, external_id: str = "A1") -> Appointment:
    with world.database.transaction() as session:
        [found] = appointments.find(session, external_id)
        return found


def _event(world: World, kind: VisitStatus, **more: Any) -> None:
    events.record_event(world.services, _visit(world).id, kind, actor="test", **more)


def _texts(world: World, status: str = "planned") -> set[str]:
    world.plan()
    return {each.step for each in _reminders(world) if each.status == status}


def _reminders(world: World) -> list[Message]:
    """Return the texts about visits; the news of them has tests of its own."""
    return [one for one in world.texts() if one.appointment_id and one.protocol != "visit-notices"]


def _enrolled(world: World) -> dict[str, str]:
    rows = world.execute(
        "SELECT protocol, status FROM enrollment"
        " WHERE appointment_id IS NOT NULL AND protocol <> 'visit-notices'"
    )
    return {row[0]: row[1] for row in rows}


def test_an_imported_visit_enrolls_what_matches(house: World) -> None:
    """By kind and route, one enrollment a protocol, and its texts are planned."""
    assert _import(house, DOSING).created == 1
    assert _enrolled(house) == {"dosing-visit": "active", "after-dose": "active"}
    assert _texts(house) == {"visit_7d", "visit_48h", "visit_24h_prep", "visit_2h_ride"}


def test_a_version_published_during_an_import_holds_for_its_later_rows(house: World) -> None:
    """Those are not yet there when its coming visits are matched with it."""

    def publish(_: int) -> None:
        house.execute(
            "INSERT INTO protocol_version"
            " (id, clinic_id, protocol, number, source, checksum, published_by)"
            " SELECT uuidv7(), clinic_id, protocol, 2,"
            " replace(source, 'routes: [iv, im, lozenge]', 'routes: [im]'), 'two', 'test'"
            " FROM protocol_version WHERE protocol = 'dosing-visit' AND number = 1"
            " ON CONFLICT DO NOTHING"
        )

    before = [
        f"B{number},P0,dosing,iv,2026-12-09T09:00,2026-12-09T11:00,cancelled,Suite 4"
        for number in range(BATCH - 1)
    ]
    first = DOSING.replace("A1", "A0").replace("12-10", "12-12")
    report = _import(house, first, *before, DOSING, on_progress=publish)
    assert report.created == BATCH + 1
    found = house.execute(
        "SELECT a.external_id FROM enrollment e JOIN appointment a ON a.id = e.appointment_id"
        " WHERE e.protocol = 'dosing-visit'"
    )
    assert [row.external_id for row in found] == ["A0"]


def test_importing_again_changes_nothing(house: World) -> None:
    """Neither the visit nor its texts nor the enrollments."""
    _import(house, DOSING)
    house.plan()
    before = {(each.id, each.due_at, each.status) for each in house.texts()}
    report = _import(house, DOSING)
    assert (report.created, report.changed, report.unchanged) == (0, 0, 1)
    assert house.execute("SELECT count(*) FROM enrollment")[0][0] == 4
    house.plan()
    assert _visit(house).revision == 1
    assert {(each.id, each.due_at, each.status) for each in house.texts()} == before


def test_a_move_moves_the_texts_and_voids_the_confirmation(house: World) -> None:
    """Care rule 1: it belonged to one start time."""
    _import(house, DOSING)
    house.plan()
    before = {each.step: (each.id, each.due_at) for each in _reminders(house)}
    house.execute("UPDATE appointment SET confirmed_start = starts_at, change_requested_at = now()")
    assert _import(house, MOVED).changed == 1
    visit = _visit(house)
    assert (visit.revision, visit.moved_at) == (2, house.now)
    assert (visit.confirmed_start, visit.change_requested_at) == (None, None)
    house.plan()
    after = {each.step: (each.id, each.due_at) for each in _reminders(house)}
    assert {step: pair[0] for step, pair in after.items()} == {
        step: pair[0] for step, pair in before.items()
    }
    assert after["visit_7d"][1] == before["visit_7d"][1] + timedelta(days=1)


def test_a_claimed_text_about_the_old_time_is_taken_back(house: World) -> None:
    """Whoever claimed it finds nothing to send."""
    _import(house, DOSING)
    house.plan()
    house.execute(
        "UPDATE message SET status = 'claimed', claim_token = uuidv7() WHERE step = 'visit_7d'"
    )
    _import(house, MOVED)
    assert house.execute("SELECT status, claim_token FROM message WHERE step = 'visit_7d'") == [
        ("planned", None)
    ]


def test_a_cancelled_visit_cancels_its_texts_and_can_be_booked_again(house: World) -> None:
    """By the file both times."""
    _import(house, DOSING)
    house.plan()
    _import(house, DOSING.replace("booked", "cancelled"))
    assert _visit(house).status == "cancelled"
    assert _texts(house) == set()
    _import(house, DOSING)
    assert _visit(house).status == "booked"
    assert _texts(house) == {"visit_7d", "visit_48h", "visit_24h_prep", "visit_2h_ride"}


def test_another_kind_is_another_protocol(house: World) -> None:
    """What no longer matches ends, what matches begins."""
    _import(house, DOSING)
    house.plan()
    _import(house, DOSING.replace("dosing,iv", "integration,"))
    assert _enrolled(house) == {
        "dosing-visit": "completed",
        "after-dose": "completed",
        "integration": "active",
    }
    assert _texts(house) == {"followup_24h", "followup_2h"}


def test_a_file_that_repeats_itself_undoes_nothing_that_staff_recorded(house: World) -> None:
    """The file still says booked; at the clinic the patient has checked out."""
    _import(house, DOSING)
    _event(house, VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    _import(house, DOSING.replace("Suite 4", "Suite 5"))
    assert (_visit(house).status, _visit(house).dose) == ("checked_out", "given")


def test_what_took_place_is_not_cancelled_by_a_file(house: World) -> None:
    """It is told, and what was recorded stays."""
    _import(house, DOSING)
    _event(house, VisitStatus.ARRIVED)
    report = _import(house, DOSING.replace("booked", "cancelled"))
    assert _visit(house).status == "arrived"
    assert [note.column for note in report.notes] == ["status"]


SHIFTED = "A1,P0,dosing,iv,2026-12-10T09:30,2026-12-10T11:30,booked,Suite 4"
NEXT_WEEK = "A1,P0,dosing,iv,2026-12-17T09:00,2026-12-17T11:00,booked,Suite 4"


@pytest.mark.parametrize("row", [SHIFTED, NEXT_WEEK])
@pytest.mark.parametrize(
    ("kind", "more"),
    [(VisitStatus.ARRIVED, {}), (VisitStatus.CHECKED_OUT, {"dose": Dose.GIVEN})],
)
def test_who_has_come_is_not_moved_ahead_by_a_file(
    house: World, kind: VisitStatus, more: dict[str, Any], row: str
) -> None:
    """Else nobody would be asked tonight how they are, and somebody read of a visit they are at."""
    _import(house, DOSING)
    house.advance(days=9)
    _event(house, kind, **more)
    before = _visit(house)
    report = _import(house, row)
    after = _visit(house)
    assert (after.status, after.arrived_at) == (before.status, before.arrived_at)
    assert (after.dose, after.checked_out_at) == (before.dose, before.checked_out_at)
    assert (after.starts_at, after.revision) == (before.starts_at, before.revision)
    assert [(note.column, "an id of its own" in note.reason) for note in report.notes] == [
        ("starts_at", True)
    ]


@pytest.mark.parametrize("kind", [VisitStatus.CANCELLED, VisitStatus.NO_SHOW])
def test_a_visit_that_took_place_falls_through_only_once_that_is_taken_back(
    house: World, kind: VisitStatus
) -> None:
    """The checks after a dose would end with it, and nobody be told."""
    _import(house, DOSING)
    _event(house, VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    with pytest.raises(RefusedError, match="took place"):
        _event(house, kind)
    assert _visit(house).status == "checked_out"
    _event(house, VisitStatus.BOOKED)
    _event(house, kind)
    assert _visit(house).status == kind


def test_a_visit_long_past_enrolls_nobody(house: World) -> None:
    """A clinic's history leaves no rows that were never to be sent, and opens no calls."""
    row = DOSING.replace("2026-12-10", "2026-11-02")
    _import(house, row, row.replace("A1", "A2").replace("booked", "fulfilled"))
    assert _enrolled(house) == {}


def test_a_closed_patients_visit_is_kept_and_texts_nobody(house: World) -> None:
    """Care rule 24: no import revives anything."""
    with house.database.transaction() as session:
        [person] = patients.find(session, house.vault, "P0")
    people.close(house.services, person.id, reason=Reason.DECEASED, actor="test")
    assert _import(house, DOSING).created == 1
    assert _enrolled(house) == {}


def test_a_visit_stays_with_its_patient(house: World) -> None:
    """The same id for somebody else is a mistake, not a move."""
    house.enroll_by_hand()
    _import(house, DOSING)
    report = _import(house, DOSING.replace("P0", "P1"))
    assert [fault.column for fault in report.faults] == ["appointment_id"]
    assert report.changed == 0


def test_strict_sees_what_only_the_database_knows(house: World) -> None:
    """A visit on record for another patient keeps the whole file out."""
    house.enroll_by_hand()
    _import(house, DOSING)
    other = DOSING.replace("P0", "P1")
    report = _import(house, other, DOSING.replace("A1", "A2"), strict=True)
    assert (report.written, report.bad) == (False, 1)
    assert house.execute("SELECT count(*) FROM appointment")[0][0] == 1


def test_a_dry_run_leaves_nothing_behind(house: World) -> None:
    """No visit, no enrollment."""
    assert _import(house, DOSING, dry_run=True).created == 1
    assert house.execute("SELECT count(*) FROM appointment")[0][0] == 0


def test_texts_after_a_dose_need_a_check_out_with_a_dose(house: World) -> None:
    """Care rule 6: neither "fulfilled" nor a check-out alone says that one was given."""
    today = DOSING.replace("2026-12-10", "2026-11-30")
    _import(house, today.replace("T09:00", "T07:00").replace("T11:00", "T09:30"))
    _event(house, VisitStatus.FULFILLED)
    assert _texts(house) == set()
    _event(house, VisitStatus.CHECKED_OUT)
    assert _texts(house) == set()
    _event(house, VisitStatus.CHECKED_OUT, dose=Dose.PARTIAL)
    assert _texts(house) == {"after_evening", "after_morning"}


def test_events_are_kept_and_set_the_visit(house: World) -> None:
    """Append-only, with who and when; a late entry does not turn the visit back."""
    _import(house, DOSING)
    at = house.now - timedelta(minutes=5)
    _event(house, VisitStatus.CHECKED_OUT, at=at, dose=Dose.GIVEN)
    _event(house, VisitStatus.ARRIVED, at=at - timedelta(hours=2))
    visit = _visit(house)
    assert (visit.status, visit.dose, visit.checked_out_at) == ("checked_out", "given", at)
    assert visit.arrived_at == at - timedelta(hours=2)
    kinds = house.execute("SELECT kind, actor FROM appointment_event ORDER BY recorded_at")
    assert kinds == [("checked_out", "test"), ("arrived", "test")]


def test_booked_takes_everything_back(house: World) -> None:
    """A no-show entered for the wrong patient."""
    _import(house, DOSING)
    house.plan()
    _event(house, VisitStatus.NO_SHOW)
    assert _texts(house) == set()
    _event(house, VisitStatus.BOOKED)
    assert _visit(house).status == "booked"
    assert _texts(house) == {"visit_7d", "visit_48h", "visit_24h_prep", "visit_2h_ride"}


def test_a_cancelled_visit_ends_its_texts(house: World) -> None:
    """By the event as by the file."""
    _import(house, DOSING)
    house.plan()
    _event(house, VisitStatus.CANCELLED)
    assert _texts(house) == set()


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        (VisitStatus.ARRIVED, {"dose": Dose.GIVEN}, "checked_out"),
        (VisitStatus.ARRIVED, {"at": timedelta(hours=1)}, "future"),
    ],
)
def test_what_cannot_have_happened_is_refused(
    house: World, kind: VisitStatus, more: dict[str, Any], said: str
) -> None:
    """A dose at the door, an arrival in an hour."""
    _import(house, DOSING)
    if "at" in more:
        more = {"at": house.now + more["at"]}
    with pytest.raises(RefusedError, match=said):
        _event(house, kind, **more)


def test_no_dose_is_given_at_a_talk(house: World) -> None:
    """A dose on an integration visit is a wrong id."""
    _import(house, DOSING.replace("dosing,iv", "integration,"))
    with pytest.raises(RefusedError, match="integration"):
        _event(house, VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)


def test_an_event_ends_the_item_that_asked_for_it(house: World) -> None:
    """Care rule 6: at a dosing visit only once the dose is told too."""
    _import(house, DOSING)
    house.execute(
        "INSERT INTO follow_up (id, clinic_id, reason, severity, cause, source_kind,"
        " source_id, opened_at, due_at) SELECT uuidv7(), clinic_id, 'visit_event_missing',"
        " 'call_today', 'c', 'appointment', id, now(), now() FROM appointment"
    )
    _event(house, VisitStatus.ARRIVED)
    assert house.execute("SELECT status FROM follow_up") == [("open",)]
    _event(house, VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    assert house.execute("SELECT status, outcome FROM follow_up") == [("resolved", "recorded")]


def test_an_unknown_visit_is_refused(house: World) -> None:
    """By our own id too."""
    with pytest.raises(RefusedError):
        events.record_event(house.services, UUID(int=0), VisitStatus.ARRIVED, actor="test")


def _patient_id(world: World) -> UUID:
    with world.database.transaction() as session:
        [person] = patients.find(session, world.vault, "P0")
        return person.id


def test_a_protocol_by_hand_begins_ends_and_begins_again(house: World) -> None:
    """Twice at once is refused; withdrawn and begun again from one day it is one enrollment."""
    patient_id = _patient_id(house)
    with pytest.raises(RefusedError, match="already"):
        visits.enroll(house.services, patient_id, "daily-check-in", actor="test")
    assert visits.withdraw(house.services, patient_id, "daily-check-in", actor="test") == 1
    assert house.statuses()["planned"]
    house.plan()
    assert "planned" not in house.statuses()
    row = visits.enroll(
        house.services, patient_id, "daily-check-in", actor="test", on=date(2026, 11, 30)
    )
    assert row.anchor_day == date(2026, 11, 30)
    house.plan()
    assert house.statuses()["planned"] == 14
    with pytest.raises(RefusedError, match="does not follow"):
        visits.withdraw(house.services, patient_id, "dosing-visit", actor="test")


@pytest.mark.parametrize(
    ("protocol", "said"),
    [("daily-checkin", "did you mean"), ("dosing-visit", "enrolls visits by itself")],
)
def test_what_cannot_be_enrolled_by_hand_is_refused(house: World, protocol: str, said: str) -> None:
    """A misspelt protocol, and one that follows visits."""
    with pytest.raises(RefusedError, match=said):
        visits.enroll(house.services, _patient_id(house), protocol, actor="test")


def test_no_import_starts_what_staff_withdrew(house: World) -> None:
    """Not even a move of the visit."""
    _import(house, DOSING)
    visits.withdraw(house.services, _patient_id(house), "dosing-visit", actor="test")
    _import(house, MOVED)
    assert _enrolled(house)["dosing-visit"] == "withdrawn"
    assert _texts(house) == set()
