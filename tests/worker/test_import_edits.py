"""Files and staff at the same rows: who has the last word (care rule 25)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records import appointments, patients
from records.appointments import Appointment
from records.patients import Patient
from schedules.facts import Dose, VisitStatus
from tests.support.world import World
from tests.worker.talk import Talk
from worker.intake.batches import ImportReport
from worker.intake.merging import merge
from worker.refusal import RefusedError
from worker.replying.stopping import StopReason
from worker.steps import consents, events, people, tailoring, visits
from worker.steps.people import Reason

PATIENTS = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes,check_in_time,voicemail_ok,status"
)
ANA = "P1,riverside,Ana,+12125550121,es,America/New_York,paper,2026-11-01,visits,08:30,no,"
VISITS = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location,provider"
DOSING = "A1,P0,dosing,iv,2026-12-10T09:00,2026-12-10T11:00,booked,Suite 4,Dr. Lee"
in_one_world = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _people(world: World, *rows: str, header: str = PATIENTS) -> ImportReport:
    content = "\n".join([header, *rows]).encode()
    report = people.import_patients(world.services, content, actor="test")
    assert report.faults == ()
    return report


def _visits(world: World, *rows: str) -> ImportReport:
    content = "\n".join([VISITS, *rows]).encode()
    report = visits.import_appointments(world.services, content, actor="test")
    assert report.faults == ()
    return report


def _person(world: World, external_id: str = "P1") -> Patient:
    with world.database.transaction() as session:
        [found] = patients.find(session, world.vault, external_id)
        return found


def _visit(world: World) -> Appointment:
    with world.database.transaction() as session:
        [found] = appointments.find(session, "A1")
        return found


def _staff_set(world: World, **said: str) -> None:
    tailoring.tailor(world.services, _person(world).id, said, actor="staff")


@pytest.fixture
def house(world: World) -> World:
    """The world with its protocols published and one patient, P0."""
    world.publish_protocols()
    world.enroll_by_hand()
    world.plan()
    return world


def test_a_staff_edit_outlives_a_file_that_changed_elsewhere(world: World) -> None:
    """The name is new in the file, the hour is what it was: the name is taken, the hour stays."""
    _people(world, ANA)
    _staff_set(world, check_in_time="17:00", language="en")
    report = _people(world, ANA.replace("Ana", "Anna"))
    person = _person(world)
    assert (report.changed, report.conflicts) == (1, ())
    assert (str(person.check_in_time), person.language) == ("17:00:00", "en")
    assert patients.opened(world.vault, person, "first_name") == "Anna"


def test_where_both_changed_staff_win_and_it_is_told(world: World) -> None:
    """Line, column and both values, once for each change of the file."""
    _people(world, ANA)
    _staff_set(world, check_in_time="17:00")
    changed = ANA.replace("08:30", "09:15")
    report = _people(world, changed)
    [conflict] = report.conflicts
    assert (conflict.line, conflict.column, conflict.shown) == (2, "check_in_time", True)
    assert (conflict.on_record, conflict.in_file) == ("17:00:00", "09:15:00")
    assert (report.changed, report.unchanged) == (0, 1)
    assert str(_person(world).check_in_time) == "17:00:00"
    assert _people(world, changed).conflicts == ()


def test_a_file_that_agrees_with_staff_has_the_word_again(world: World) -> None:
    """The record system has caught up: its next change is a change like any other."""
    _people(world, ANA)
    _staff_set(world, check_in_time="17:00")
    assert _people(world, ANA.replace("08:30", "17:00")).conflicts == ()
    _people(world, ANA.replace("08:30", "18:00"))
    assert str(_person(world).check_in_time) == "18:00:00"


def test_a_value_that_no_file_has_told_of_is_staffs(world: World) -> None:
    """A column that is new in the file overwrites nothing, and fills what is empty."""
    short = PATIENTS.removesuffix(",check_in_time,voicemail_ok,status")
    _people(world, ANA.removesuffix(",08:30,no,"), header=short)
    _staff_set(world, check_in_time="17:00")
    report = _people(world, ANA)
    assert [each.column for each in report.conflicts] == ["check_in_time"]
    assert str(_person(world).check_in_time) == "17:00:00"
    assert patients.profile(world.vault, _person(world))["voicemail_ok"] is False


def test_a_row_of_the_time_before_values_were_kept_follows_the_file(world: World) -> None:
    """What is on record is taken to be what the last file said."""
    _people(world, ANA)
    world.execute("UPDATE patient SET imported = NULL, import_digest = 'old'")
    report = _people(world, ANA.replace("08:30", "09:15"))
    assert (report.changed, report.conflicts) == (1, ())
    assert str(_person(world).check_in_time) == "09:15:00"


def test_names_and_numbers_are_not_shown_on_a_conflict(world: World) -> None:
    """A screen at a front desk is shared: only --reveal shows them, and that is recorded."""
    _people(world, ANA)
    _staff_set(world, quit_date="2026-11-05")
    _people(world, f"{ANA},2026-11-03", header=f"{PATIENTS},quit_date")
    [conflict] = _people(world, f"{ANA},2026-11-04", header=f"{PATIENTS},quit_date").conflicts
    assert (conflict.shown, "2026-11" in str(conflict), "2026-11" in repr(conflict)) == (
        False,
        False,
        False,
    )


def test_a_resumed_patient_is_not_held_again_by_the_same_file(world: World) -> None:
    """The file still says held, and staff have resumed since: that it repeats itself is no news."""
    _people(world, f"{ANA}held")
    people.resume(world.services, _person(world).id, actor="staff")
    _people(world, f"{ANA.replace('Ana', 'Anna')}held")
    assert _person(world).status == "active"


def test_a_stop_follows_the_patient_to_another_number(world: World) -> None:
    """Care rule 25: neither a changed number nor a newer consent in the file lifts it."""
    _people(world, ANA)
    _stop(world, StopReason.WORDS)
    moved = ANA.replace("0121", "0122")
    report = _people(world, moved)
    assert "holds for the new one" in report.notes[0].reason
    _people(world, moved.replace("2026-11-01", "2026-11-29"))
    assert _person(world).purposes == []
    assert consents.is_stopped(world.services, _person(world).id)


def test_start_from_the_new_number_gives_back_what_a_keyword_took_on_the_old(world: World) -> None:
    """They were told to text START from it; texts are on again, and the file changes nothing."""
    talk = Talk(world)
    world.publish_protocols()
    _people(world, ANA)
    talk.says("STOP", phone="+12125550121")
    world.advance(days=1)
    moved = ANA.replace("0121", "0122")
    _people(world, moved)
    assert _person(world).purposes == []
    world.advance(hours=1)
    talk.says("ALTA", phone="+12125550122")

    assert _person(world).purposes == ["visits"]
    assert not consents.is_stopped(world.services, _person(world).id)
    assert talk.answers[-1] == "start_confirm"
    _people(world, moved)
    assert _person(world).purposes == ["visits"]


def test_a_wrong_number_is_mended_by_another_with_a_newer_consent(world: World) -> None:
    """That stop was about the number, which was somebody else's."""
    _people(world, ANA)
    _stop(world, StopReason.WRONG_NUMBER)
    _people(world, ANA.replace("0121", "0122").replace("2026-11-01", "2026-11-29"))
    assert _person(world).purposes == ["visits"]
    assert not consents.is_stopped(world.services, _person(world).id)


def test_the_carriers_refusal_of_a_number_does_not_follow_to_another(world: World) -> None:
    """It is about that number alone: from the new one a START could never have lifted it."""
    _people(world, ANA)
    _stop(world, "carrier_21610")
    _people(world, ANA.replace("0121", "0122").replace("2026-11-01", "2026-11-29"))
    assert _person(world).purposes == ["visits"]
    assert not consents.is_stopped(world.services, _person(world).id)


def test_a_consent_for_a_number_that_staff_replaced_grants_nothing(world: World) -> None:
    """The file still has the old number, and a newer consent: it was given for the old one."""
    _people(world, ANA)
    with world.database.transaction() as session:
        person = patients.by_id(session, _person(world).id)
        person.phone_blind = patients.phone_blind(world.vault, "+12125550139")
        person.phone = world.vault.seal("patient", "phone", person.id, "+12125550139")
    report = _people(world, ANA.replace("2026-11-01,visits", "2026-11-20,visits;check_ins"))
    assert "another number" in report.notes[0].reason
    assert _person(world).purposes == ["visits"]
    _people(world, ANA.replace("2026-11-01,visits", "2026-11-21,"))
    assert _person(world).purposes == []


def _stop(world: World, reason: str) -> None:
    person = _person(world)
    with world.database.transaction() as session:
        patients.opt_out(
            session,
            clinic_id=world.clinic_id,
            blind=person.phone_blind,
            reason=reason,
            occurred_at=world.now,
        )
        patients.record_consent(
            session,
            patients.by_id(session, person.id),
            action="revoke",
            purposes=person.purposes,
            method=reason,
            actor="patient",
            occurred_at=world.now - timedelta(days=5),
        )


@pytest.mark.parametrize(("known", "told"), [("00123", "123"), ("123", "0123")])
def test_an_id_that_lost_its_zeros_makes_no_second_patient(
    world: World, known: str, told: str
) -> None:
    """Two records of one person would each send half of the texts, or both all of them."""
    _people(world, ANA.replace("P1", known))
    content = f"{PATIENTS}\n{ANA.replace('P1', told)}".encode()
    report = people.import_patients(world.services, content, actor="test")
    assert [(each.column, "zeros" in each.reason) for each in report.faults] == [
        ("patient_id", True)
    ]
    booked = DOSING.replace("P0", told)
    content = f"{VISITS}\n{booked}".encode()
    report = visits.import_appointments(world.services, content, actor="test")
    assert ["zeros" in each.reason for each in report.faults] == [True]


def test_a_visit_that_staff_moved_stays_where_they_moved_it(house: World) -> None:
    """The file repeats the old time beside a new room: the room is taken."""
    _visits(house, DOSING)
    moved = _staff_move(house)
    report = _visits(house, DOSING.replace("Suite 4", "Suite 5"))
    visit = _visit(house)
    assert (visit.starts_at, report.conflicts, report.changed) == (moved, (), 1)
    assert "Suite 5" in house.vault.open("appointment", "details", visit.id, visit.details)


def test_a_visit_that_staff_and_the_file_moved_is_a_conflict(house: World) -> None:
    """Both times are told, and the patient is not texted a third one."""
    _visits(house, DOSING)
    moved = _staff_move(house)
    report = _visits(house, DOSING.replace("2026-12-10", "2026-12-14"))
    [conflict] = report.conflicts
    assert (conflict.column, conflict.in_file[0][:10]) == ("starts_at", "2026-12-14")
    assert (_visit(house).starts_at, _visit(house).revision) == (moved, 2)


def test_a_check_out_by_staff_survives_any_file(house: World) -> None:
    """Neither a new room nor the same status undoes it."""
    _visits(house, DOSING)
    events.record_event(
        house.services, _visit(house).id, VisitStatus.CHECKED_OUT, actor="t", dose=Dose.GIVEN
    )
    _visits(house, DOSING.replace("Dr. Lee", "Dr. Roe"))
    assert (_visit(house).status, _visit(house).dose) == ("checked_out", "given")


def _staff_move(house: World) -> datetime:
    """Move the visit by a day, as the desk does."""
    house.execute(
        "UPDATE appointment SET starts_at = starts_at + interval '1 day',"
        " ends_at = ends_at + interval '1 day', revision = revision + 1"
    )
    return _visit(house).starts_at


_HOURS = st.sampled_from(["08:00", "09:30", "12:15", "17:45", ""])
_names = count()


@in_one_world
@given(before=st.lists(_HOURS, min_size=1, max_size=3), after=st.lists(_HOURS, max_size=4))
def test_no_file_undoes_a_staff_edit(
    world: World, before: Sequence[str], after: Sequence[str]
) -> None:
    """Whatever files came before it and come after it, in any order."""
    name = f"H{next(_names)}"
    for hour in before:
        _people(world, ANA.replace("P1", name).replace("08:30", hour))
    tailoring.tailor(
        world.services, _person(world, name).id, {"check_in_time": "20:00"}, actor="staff"
    )
    for hour in after:
        _people(world, ANA.replace("P1", name).replace("08:30", hour))
    assert str(_person(world, name).check_in_time) == "20:00:00"


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Q1", "Q2", "Q3", "Q4"]),
        st.sampled_from(["Ana", "Ben", "", "X" * 300]),
        st.sampled_from(["+12125550131", "212-555-0132", "555", ""]),
        st.sampled_from(["en", "es", "fr", ""]),
        st.sampled_from(["2026-11-01", "2026-11-20", "3/4/2026", "2027-05-01", ""]),
        st.sampled_from(["visits", "visits;check_ins", "news", ""]),
        st.sampled_from(["", "held", "active", "gone"]),
    ),
    max_size=6,
)


@in_one_world
@given(rows=_ROWS)
def test_a_file_imported_twice_is_a_file_imported_once(world: World, rows: list[Any]) -> None:
    """Good rows and bad ones: the second time nothing is created, changed, or written."""
    lines = [
        f"{name},riverside,{first},{phone},{language},America/New_York,paper,{at},{purposes},,,{st}"
        for name, first, phone, language, at, purposes, st in rows
    ]
    content = "\n".join([PATIENTS, *lines]).encode()
    first = people.import_patients(world.services, content, actor="test")
    kept = _state(world)
    second = people.import_patients(world.services, content, actor="test")
    assert (second.created, second.changed, second.faults) == (0, 0, first.faults)
    assert _state(world) == kept


def _state(world: World) -> list[Any]:
    rows = world.execute("SELECT id, xmin::text FROM patient ORDER BY id")
    return [rows, world.execute("SELECT count(*) FROM consent")]


_VALUES = st.sampled_from([None, "a", "b", "c", False])
_CELLS = st.dictionaries(st.sampled_from(["x", "y", "z"]), _VALUES, max_size=3)


@given(told=_CELLS, before=st.none() | _CELLS, here=_CELLS)
def test_what_a_merge_takes_was_never_set_by_staff(
    told: dict[str, Any], before: dict[str, Any] | None, here: dict[str, Any]
) -> None:
    """Taken is only what differs and stood as the last file had it; all else that differs is told,
    unless the file only repeats itself."""
    merged = merge(told, before, here)
    for column, value in told.items():
        last = here.get(column) if before is None else before.get(column)
        if column in merged.taken:
            assert here.get(column) == last != value
        elif column in merged.conflicts:
            assert len({repr(each) for each in (here.get(column), last, value)}) == 3
        else:
            assert value in (here.get(column), last)


def test_no_import_revives_a_death_whatever_it_says(world: World) -> None:
    """Care rule 24: another number, a new consent, another name."""
    _people(world, ANA)
    people.close(world.services, _person(world).id, reason=Reason.DECEASED, actor="staff")
    changed = ANA.replace("0121", "0122").replace("2026-11-01", "2026-11-29")
    report = _people(world, f"{changed}active")
    person = _person(world)
    assert (person.status, person.status_reason, report.changed) == ("closed", "deceased", 0)
    assert person.phone_blind == patients.phone_blind(world.vault, "+12125550121")
    with pytest.raises(RefusedError):
        consents.grant(world.services, person.id, purposes=["visits"], method="x", actor="staff")
