"""Patients: imported, held, resumed, closed; their consent."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from records import audit, patients, search
from records.patients import Patient
from tests.support.world import World
from worker.intake.batches import ImportReport
from worker.refusal import RefusedError
from worker.steps import consents, people, visits
from worker.steps.people import Reason

HEADER = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes"
)
ANA = "P1,riverside,Ana,+12125550121,es,America/New_York,paper,2026-11-01,visits;check_ins"


def _import(world: World, *rows: str, header: str = HEADER, **options: Any) -> ImportReport:
    content = "\n".join([header, *rows]).encode()
    return people.import_patients(world.services, content, actor="test", **options)


def _person(world: World, external_id: str = "P1") -> Patient:
    with world.database.transaction() as session:
        [found] = patients.find(session, world.vault, external_id)
        return found


def _ledger(world: World) -> list[tuple[str, tuple[str, ...], str]]:
    with world.database.transaction() as session:
        rows = patients.consents(session, _person(world).id)
    return [(row.action, tuple(row.purposes), row.method) for row in rows]


def _stop(world: World, number: str = "+12125550121") -> None:
    with world.database.transaction() as session:
        patients.opt_out(
            session,
            clinic_id=world.clinic_id,
            blind=patients.phone_blind(world.vault, number),
            reason="keyword",
            occurred_at=world.now,
        )


def test_a_patient_is_created_sealed_and_found_again(world: World) -> None:
    """Nothing in clear; by id, number, last four and the start of the name."""
    assert _import(world, ANA).created == 1
    person = _person(world)
    assert patients.opened(world.vault, person, "first_name") == "Ana"
    [row] = world.execute("SELECT to_jsonb(p)::text FROM patient p")
    assert "5550121" not in row[0]
    assert "Ana" not in row[0]
    tokens = {bytes(each[0]) for each in world.execute("SELECT token FROM patient_token")}
    wanted = search.tokens(world.vault, external_id="P1", first_name="Ana", phone="+12125550121")
    assert tokens == wanted


def test_consent_is_written_to_the_ledger(world: World) -> None:
    """With its method, at its own time; what a file says proves no number."""
    _import(world, ANA)
    assert _ledger(world) == [("grant", ("check_ins", "visits"), "paper")]
    person = _person(world)
    assert person.purposes == ["check_ins", "visits"]
    assert person.proved_at is None


def test_importing_again_changes_nothing(world: World) -> None:
    """Not a row, not a ledger entry, not an audit event."""
    _import(world, ANA)
    before = world.execute("SELECT p.xmin::text FROM patient p")
    events = world.execute("SELECT count(*) FROM audit_event")
    report = _import(world, ANA)
    assert (report.created, report.changed, report.unchanged) == (0, 0, 1)
    assert world.execute("SELECT p.xmin::text FROM patient p") == before
    assert world.execute("SELECT count(*) FROM audit_event") == events
    assert len(_ledger(world)) == 1


def test_a_dry_run_leaves_nothing_behind(world: World) -> None:
    """And counts what it would have done."""
    report = _import(world, ANA, dry_run=True)
    assert (report.created, report.written) == (1, False)
    assert world.execute("SELECT count(*) FROM patient")[0][0] == 0


def test_strict_keeps_all_rows_out(world: World) -> None:
    """A fault on one line is enough."""
    report = _import(world, ANA, ANA.replace("P1", "P2").replace("+12125550121", "x"), strict=True)
    assert (report.written, report.bad) == (False, 1)
    assert world.execute("SELECT count(*) FROM patient")[0][0] == 0


def test_many_rows_go_in_batches(world: World) -> None:
    """More than one transaction holds, each told of."""
    told: list[int] = []
    rows = [ANA.replace("P1", f"P{number}") for number in range(1201)]
    assert _import(world, *rows, on_progress=told.append).created == 1201
    assert told == [500, 500, 201]


def test_two_imports_at_once_are_one_after_the_other(world: World) -> None:
    """A nightly job and an impatient colleague: each patient exists once, nobody fails."""
    rows = [ANA.replace("P1", f"P{number}") for number in range(600)]
    with ThreadPoolExecutor(2) as both:
        reports = list(both.map(lambda _: _import(world, *rows), range(2)))
    assert sum(report.created for report in reports) == 600
    assert sum(report.unchanged for report in reports) == 600
    assert world.execute("SELECT count(*), count(DISTINCT external_id_blind) FROM patient") == [
        (600, 600)
    ]


def test_a_change_keeps_what_the_file_does_not_speak_of(world: World) -> None:
    """An optional column that is missing says nothing about what is on record."""
    _import(world, f"{ANA},alcohol;nicotine,08:30", header=f"{HEADER},substances,check_in_time")
    assert _import(world, ANA.replace("Ana", "Anna")).changed == 1
    person = _person(world)
    assert patients.profile(world.vault, person)["substances"] == ["alcohol", "nicotine"]
    assert str(person.check_in_time) == "08:30:00"
    assert patients.opened(world.vault, person, "first_name") == "Anna"


def test_a_no_is_kept_beside_a_yes(world: World) -> None:
    """Voicemail not allowed is not the same as never asked."""
    _import(world, f"{ANA},no,yes", header=f"{HEADER},voicemail_ok,phone_shared")
    assert patients.profile(world.vault, _person(world)) == {"voicemail_ok": False}
    assert _person(world).phone_shared is True


def test_an_import_never_lifts_a_stop(world: World) -> None:
    """Care rule 25: the opt-out stays, and the row's newer consent is not taken for a START."""
    _import(world, ANA)
    _stop(world)
    report = _import(
        world, ANA.replace("2026-11-01,visits;check_ins", "2026-11-29,visits;health_questions")
    )
    assert "stop stays" in report.notes[0].reason
    assert world.execute("SELECT lifted_at FROM opt_out")[0][0] is None
    assert _ledger(world)[-1][0] == "grant"
    assert _person(world).purposes == ["check_ins", "visits"]


def test_an_import_never_replaces_a_newer_consent(world: World) -> None:
    """Care rule 25: what the patient said to staff since then stays."""
    _import(world, ANA)
    consents.revoke(
        world.services, _person(world).id, purposes=["check_ins"], method="verbal", actor="test"
    )
    report = _import(world, ANA.replace("Ana", "Anna"))
    assert _person(world).purposes == ["visits"]
    assert [note.reason for note in report.notes] == ["a newer consent is on record; it stays"]


def test_a_newer_consent_in_the_file_is_taken(world: World) -> None:
    """Both ways: what it adds is granted, what it leaves out is revoked."""
    _import(world, ANA)
    _import(world, ANA.replace("2026-11-01,visits;check_ins", "2026-11-20,visits;health_questions"))
    assert _person(world).purposes == ["health_questions", "visits"]
    assert [entry[0] for entry in _ledger(world)] == ["grant", "revoke", "grant"]


def test_a_changed_number_makes_consent_pending(world: World) -> None:
    """Care rule 25: consent was given for the old number; unsent texts end at once."""
    world.publish_protocols()
    _import(world, ANA)
    visits.enroll(world.services, _person(world).id, "daily-check-in", actor="test")
    world.plan()
    # The welcome, and two weeks that wait for the reply to it.
    assert world.statuses() == {"planned": 1, "skipped": 14}
    report = _import(world, ANA.replace("0121", "0122"))
    assert (_person(world).purposes, _person(world).proved_at) == ([], None)
    assert "consent is pending" in report.notes[0].reason
    ended = {(each.status, each.reason) for each in world.texts()}
    assert ended == {("cancelled", "no_consent"), ("skipped", "number_unproved")}
    assert [entry[0] for entry in _ledger(world)] == ["grant", "revoke"]


def test_a_changed_number_with_a_new_consent_is_settled(world: World) -> None:
    """A consent newer than the last one on record was given for the new number."""
    _import(world, ANA)
    _import(world, ANA.replace("0121", "0122").replace("2026-11-01", "2026-11-25"))
    person = _person(world)
    assert person.purposes == ["check_ins", "visits"]
    assert person.proved_at is None
    assert [entry[0] for entry in _ledger(world)] == ["grant", "revoke", "grant"]


@pytest.mark.parametrize("reason", [Reason.DECEASED, Reason.DISCHARGED])
def test_an_import_revives_nobody(world: World, reason: Reason) -> None:
    """Care rules 24 and 25: neither a close nor a death."""
    _import(world, ANA)
    people.close(world.services, _person(world).id, reason=reason, actor="test")
    report = _import(world, f"{ANA.replace('Ana', 'Anna')},active", header=f"{HEADER},status")
    person = _person(world)
    assert (person.status, person.status_reason) == ("closed", reason.value)
    assert report.unchanged == 1
    assert "closed" in report.notes[0].reason


def test_an_import_lifts_no_hold(world: World) -> None:
    """The status column can hold and close, but not let go."""
    _import(world, ANA)
    people.hold(world.services, _person(world).id, reason=Reason.HOSPITAL, actor="test")
    report = _import(world, f"{ANA},active", header=f"{HEADER},status")
    assert _person(world).status == "held"
    assert "the hold stays" in report.notes[0].reason


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("held", "held", "other"),
        ("closed", "closed", "other"),
        ("deceased", "closed", "deceased"),
        ("discharged", "closed", "discharged"),
    ],
)
def test_a_status_column_ends_texts(world: World, word: str, status: str, reason: str) -> None:
    """At once, for a patient on record as for a new one."""
    [text] = world.due(1)
    row = f"P0,riverside,Robin,+12125550120,en,America/New_York,,,,{word}"
    _import(world, row, row.replace("P0", "P7"), header=f"{HEADER},status")
    for external_id in ("P0", "P7"):
        person = _person(world, external_id)
        assert (person.status, person.status_reason) == (status, reason)
    assert world.message(text).status == "cancelled"


def _book(world: World) -> tuple[UUID, UUID]:
    world.publish_protocols()
    visit_id, patient_id = world.book(starts_in=timedelta(days=9))
    world.plan()
    assert world.statuses() == {"planned": 4}
    return visit_id, patient_id


def test_a_hold_cancels_what_is_unsent_also_what_is_claimed(world: World) -> None:
    """A stop is a stop; the plan keeps it so."""
    _, patient_id = _book(world)
    world.execute("UPDATE message SET status = 'claimed' WHERE step = 'visit_7d'")
    done = people.hold(world.services, patient_id, reason=Reason.HOSPITAL, actor="test")
    assert done.cancelled == 4
    world.plan()
    assert set(world.statuses()) <= {"cancelled", "skipped"}


def test_resuming_plans_again(world: World) -> None:
    """What is still useful goes after all."""
    _, patient_id = _book(world)
    people.hold(world.services, patient_id, reason=Reason.HOSPITAL, actor="test")
    people.resume(world.services, patient_id, actor="test")
    world.plan()
    assert world.statuses() == {"planned": 4}


def test_a_close_ends_enrollments_and_a_resume_begins_them_again(world: World) -> None:
    """For visits to come; it is never the patient's own stop."""
    _, patient_id = _book(world)
    assert (
        people.close(world.services, patient_id, reason=Reason.DISCHARGED, actor="test").enrollments
        == 1
    )
    assert world.execute("SELECT count(*) FROM opt_out")[0][0] == 0
    people.resume(world.services, patient_id, actor="test")
    world.plan()
    assert world.statuses() == {"planned": 4}


def test_rule_24_a_hold_opens_a_call_for_each_coming_visit(world: World) -> None:
    """Also of a visit of which every text had gone: nobody else would speak of it."""
    visit_id, patient_id = _book(world)
    world.execute("UPDATE message SET status = 'delivered', final_at = :now", now=world.now)
    people.hold(world.services, patient_id, reason=Reason.HOSPITAL, actor="test")
    items = "SELECT reason, source_id, due_at <= :start FROM follow_up WHERE reason = :reason"
    [(starts_at,)] = world.execute("SELECT starts_at FROM appointment")
    found = world.execute(items, start=starts_at, reason="not_reminded")
    assert found == [("not_reminded", visit_id, True)]
    people.hold(world.services, patient_id, reason=Reason.HOSPITAL, actor="test")
    assert len(world.execute(items, start=starts_at, reason="not_reminded")) == 1


def test_a_hold_that_ends_before_a_visit_asks_for_no_call(world: World) -> None:
    """Its texts go again by then."""
    _, patient_id = _book(world)
    until = world.now + timedelta(hours=1)
    people.hold(world.services, patient_id, reason=Reason.HOSPITAL, until=until, actor="test")
    assert world.execute("SELECT 1 FROM follow_up WHERE reason = 'not_reminded'") == []


def test_a_crisis_hold_has_no_end_by_time(world: World) -> None:
    """Care rule 10; and no hold ends in the past."""
    _, patient_id = _book(world)
    later, earlier = world.now + timedelta(days=1), world.now - timedelta(days=1)
    for reason, until in ((Reason.CRISIS, later), (Reason.OTHER, earlier)):
        with pytest.raises(RefusedError):
            people.hold(world.services, patient_id, reason=reason, until=until, actor="test")
    assert world.statuses() == {"planned": 4}


def test_another_hold_does_not_let_a_crisis_hold_end_by_time(world: World) -> None:
    """Who goes to hospital in a crisis is still held for the crisis after it."""
    _, patient_id = _book(world)
    people.hold(world.services, patient_id, reason=Reason.CRISIS, actor="test")
    until = world.now + timedelta(days=8)
    with pytest.raises(RefusedError, match="only a person ends that"):
        people.hold(world.services, patient_id, reason=Reason.HOSPITAL, until=until, actor="test")
    people.hold(world.services, patient_id, reason=Reason.HOSPITAL, actor="test")
    held = "SELECT status, status_reason, held_until FROM patient WHERE id = :id"
    assert world.execute(held, id=patient_id) == [("held", "crisis", None)]


def test_a_hold_for_what_may_be_a_stop_gets_no_end(world: World) -> None:
    """Care rule 17: it is clear before anything goes again."""
    _, patient_id = _book(world)
    world.execute("UPDATE patient SET status = 'held', status_reason = 'unclear_stop'")
    until = world.now + timedelta(days=8)
    with pytest.raises(RefusedError, match="only a person ends that"):
        people.hold(world.services, patient_id, reason=Reason.OTHER, until=until, actor="test")


def test_a_closed_record_is_not_held(world: World) -> None:
    """That would open it by the back door."""
    _, patient_id = _book(world)
    people.close(world.services, patient_id, reason=Reason.DECEASED, actor="test")
    with pytest.raises(RefusedError, match="closed"):
        people.hold(world.services, patient_id, reason=Reason.OTHER, actor="test")


def _lead_signs_in(world: World) -> None:
    world.execute(
        "INSERT INTO staff (id, clinic_id, email, role, password_hash)"
        " VALUES (uuidv7(), :clinic, 'kim@clinic.test', 'admin', 'x')",
        clinic=world.clinic_id,
    )


def _open_item(world: World, patient_id: UUID, *, taken_by: str | None = None) -> None:
    world.execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, cause, source_kind,"
        " source_id, opened_at, due_at, taken_by) VALUES (uuidv7(), :clinic, :patient, 'question',"
        " 'next_business_day', :cause, 'inbound', uuidv7(), now(), now(), :taken_by)",
        clinic=world.clinic_id,
        patient=patient_id,
        cause=f"c:{taken_by}",
        taken_by=taken_by,
    )


def _owners(world: World) -> list[tuple[str, str | None, str | None]]:
    rows = world.execute(
        "SELECT f.reason, s.email, f.taken_by FROM follow_up f"
        " LEFT JOIN staff s ON s.id = f.owner_id ORDER BY f.id"
    )
    return [tuple(row) for row in rows]


def test_a_close_gives_open_follow_ups_to_the_lead(world: World) -> None:
    """If the lead signs in; an item that has an owner keeps them."""
    _, patient_id = _book(world)
    _lead_signs_in(world)
    _open_item(world, patient_id)
    _open_item(world, patient_id, taken_by="sam@clinic.test")
    people.close(world.services, patient_id, reason=Reason.TRANSFERRED, actor="test")
    assert _owners(world) == [
        ("question", "kim@clinic.test", None),
        ("question", None, "sam@clinic.test"),
    ]


@pytest.mark.parametrize("word", ["closed", "deceased", "discharged"])
def test_a_close_by_import_gives_open_follow_ups_to_the_lead(world: World, word: str) -> None:
    """As a close by staff does; somebody who has one keeps it."""
    _import(world, ANA)
    _lead_signs_in(world)
    _open_item(world, _person(world).id)
    _open_item(world, _person(world).id, taken_by="sam@clinic.test")
    _import(world, f"{ANA},{word}", header=f"{HEADER},status")
    assert _owners(world) == [
        ("question", "kim@clinic.test", None),
        ("question", None, "sam@clinic.test"),
    ]


@pytest.mark.parametrize("word", ["closed", "deceased", "discharged"])
def test_an_import_that_ends_a_crisis_hold_says_so(world: World, word: str) -> None:
    """Only a person ends a crisis (care rule 10): the lead is asked to look, once."""
    _import(world, ANA)
    _lead_signs_in(world)
    people.hold(world.services, _person(world).id, reason=Reason.CRISIS, actor="test")
    report = _import(world, f"{ANA},{word}", header=f"{HEADER},status")
    assert "ends a crisis hold" in report.notes[0].reason
    assert _person(world).status == "closed"
    assert _owners(world) == [("crisis_hold_ended", "kim@clinic.test", None)]
    _import(world, f"{ANA},{word}", header=f"{HEADER},status")
    assert len(_owners(world)) == 1


def test_an_import_leaves_a_crisis_hold_a_crisis_hold(world: World) -> None:
    """The file's "held" is no weaker word for it, and its "active" does not lift it."""
    _import(world, ANA)
    people.hold(world.services, _person(world).id, reason=Reason.CRISIS, actor="test")
    for word in ("held", "active"):
        _import(world, f"{ANA},{word}", header=f"{HEADER},status")
        assert (_person(world).status, _person(world).status_reason) == ("held", "crisis")
    assert _owners(world) == []


def test_consent_by_staff_is_in_force_at_once(world: World) -> None:
    """Revoked, then granted again: the texts go and come back."""
    _, patient_id = _book(world)
    left = consents.revoke(
        world.services, patient_id, purposes=["visits"], method="verbal", actor="test"
    )
    assert left == ("check_ins", "health_questions")
    world.plan()
    assert set(world.statuses()) <= {"cancelled", "skipped"}
    consents.grant(world.services, patient_id, purposes=["visits"], method="paper", actor="test")
    world.plan()
    assert world.statuses() == {"planned": 4}


def test_an_unknown_purpose_is_refused(world: World) -> None:
    """And an empty list too."""
    _, patient_id = _book(world)
    for purposes in (["news"], []):
        with pytest.raises(RefusedError, match="check_ins"):
            consents.grant(
                world.services, patient_id, purposes=purposes, method="paper", actor="test"
            )


def test_everything_staff_do_is_in_the_audit_trail(world: World) -> None:
    """By internal ids, with sealed details."""
    _, patient_id = _book(world)
    people.hold(world.services, patient_id, reason=Reason.HOSPITAL, actor="staff:1")
    people.resume(world.services, patient_id, actor="staff:1")
    rows = world.execute("SELECT id, action, subject, details FROM audit_event ORDER BY sequence")
    assert [row[1] for row in rows] == ["patient.held", "patient.resumed"]
    assert {row[2] for row in rows} == {f"patient:{patient_id}"}
    details = world.vault.open("audit_event", "details", rows[0][0], bytes(rows[0][3]))
    assert json.loads(details)["reason"] == "hospital"
    with world.database.transaction() as session:
        assert audit.first_break(session, world.clinic_id) is None


def _grant_again(world: World, *, lift_stop: bool = True) -> tuple[str, ...]:
    return consents.grant(
        world.services,
        _person(world).id,
        purposes=("visits",),
        method="verbal",
        actor="test",
        lift_stop=lift_stop,
    )


def _stop_by(world: World, reason: str) -> None:
    with world.database.transaction() as session:
        patients.opt_out(
            session,
            clinic_id=world.clinic_id,
            blind=_person(world).phone_blind,
            reason=reason,
            occurred_at=world.now,
        )


def test_a_stop_in_a_sentence_is_lifted_by_what_the_patient_told_staff(world: World) -> None:
    """Only with the word for it: a consent alone leaves the stop as it is."""
    _import(world, ANA)
    _stop_by(world, "words")
    _grant_again(world, lift_stop=False)
    assert consents.is_stopped(world.services, _person(world).id)

    _grant_again(world)

    assert not consents.is_stopped(world.services, _person(world).id)
    assert _ledger(world)[-1] == ("grant", ("visits",), "verbal")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("keyword", "START"),
        ("wrong_number", "right number"),
        ("opted_out_at_carrier", "carrier refuses"),
    ],
)
def test_no_other_stop_is_lifted_by_staff(world: World, reason: str, said: str) -> None:
    """The refusal says what to do instead, and writes no consent."""
    _import(world, ANA)
    _stop_by(world, reason)
    before = _ledger(world)

    with pytest.raises(RefusedError, match=said):
        _grant_again(world)

    assert consents.is_stopped(world.services, _person(world).id)
    assert _ledger(world) == before


def test_without_a_stop_there_is_nothing_to_lift(world: World) -> None:
    """Asking for it is a mistake that is told, not passed over."""
    _import(world, ANA)

    with pytest.raises(RefusedError, match="no stop to lift"):
        _grant_again(world)
