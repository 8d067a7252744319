"""`scores`, `call-list`, `page` and `clinic close`: what whoever is on duty asks for."""

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import select, text

from cli.session import services
from records import patients
from records.patients import Patient
from tests.cli.conftest import CLINIC, VISITS, Run, heard_from, set_up, write
from worker.steps import followups, plan

FILE_WITH_DUTY = """
on_call: [{name: Sam, phone: "+12125550190", email: sam@clinic.test, hours: always}]
after_hours: on_call
"""


def execute(statement: str) -> None:
    with services() as running, running.database.transaction() as session:
        session.execute(text(statement))


def leave_no_plan_waiting() -> None:
    """Let a test's own rows stand for what a worker has planned of the clinic that came in."""
    execute("UPDATE enrollment SET plan_requested_at = NULL")


def open_item(reason: str, severity: str) -> None:
    """Open an item about P1."""
    execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, cause, source_kind,"
        f" source_id, opened_at, due_at) SELECT gen_random_uuid(), clinic_id, patient_id,"
        f" '{reason}', '{severity}', 'x', 'inbound', id, now(), now() FROM appointment"
        " WHERE external_id = 'A1'"
    )


@pytest.fixture
def answered(run: Run, clinic: Path) -> Path:
    """P1 was given a dose and answered a 4 the evening after."""
    leave_no_plan_waiting()
    execute(
        "UPDATE appointment SET dose = 'given', status = 'checked_out', route = 'iv',"
        " checked_out_at = '2026-11-29T16:00Z', starts_at = '2026-11-29T14:00Z'"
        " WHERE external_id = 'A1'"
    )
    execute(
        "INSERT INTO message (id, clinic_id, sender_id, patient_id, step, priority, template,"
        " due_at, latest_at, next_at, status, protocol, protocol_number)"
        " SELECT gen_random_uuid(), p.clinic_id, s.id, p.id, 'daily_0_10', 60, 'daily_0_10', now(),"
        " now(), now(), 'delivered', 'daily-check-in', 1 FROM patient p JOIN sender s ON true"
        " JOIN appointment a ON a.patient_id = p.id WHERE a.external_id = 'A1'"
    )
    execute(
        "INSERT INTO check_in (id, clinic_id, patient_id, message_id, item, context, status, value,"
        " asked_at, ends_at, answered_at) SELECT gen_random_uuid(), clinic_id, patient_id, id,"
        " 'daily_0_10', 'craving_scale', 'answered', 4, '2026-11-30T14:00Z', '2026-11-30T20:00Z',"
        " '2026-11-30T14:05Z' FROM message WHERE step = 'daily_0_10' AND status = 'delivered'"
    )
    return clinic


def test_scores_are_a_series_with_dose_marks(run: Run, answered: Path) -> None:
    """Each answer has its item, scale, direction and version; looking is recorded."""
    dose, answer = run("scores", "P1", "--json").rows
    assert (dose["kind"], dose["route"]) == ("dose", "iv")
    assert (answer["item"], answer["value"], answer["scale"]) == (
        "daily_0_10",
        "4",
        "craving_scale",
    )
    assert (answer["direction"], answer["version"]) == ("high_is_worse", 1)
    assert answer["days_since_dose"] == 0.92
    assert run("scores", "P2", "--json").rows == []


def test_scores_are_a_table_for_other_programs(run: Run, answered: Path) -> None:
    """A header and a line for each point; not both forms at once."""
    rows = list(csv.DictReader(io.StringIO(run("scores", "P1", "--csv").out)))
    assert [row["kind"] for row in rows] == ["dose", "answer"]
    assert run("scores", "P1", "--csv", "--json").code == 2


def test_the_call_list_has_the_worst_harm_first(run: Run, clinic: Path) -> None:
    """Food before the next dose, then whoever is silent."""
    leave_no_plan_waiting()
    execute("UPDATE appointment SET starts_at = '2026-12-01T14:00Z' WHERE external_id = 'A1'")
    execute(
        "INSERT INTO message (id, clinic_id, sender_id, patient_id, appointment_id, step, priority,"
        " template, due_at, latest_at, next_at, status)"
        " SELECT gen_random_uuid(), a.clinic_id, s.id, a.patient_id, a.id, 'prep', 20,"
        " 'visit_24h_prep', '2026-11-30T15:00Z', '2026-11-30T20:00Z', now(), 'failed'"
        " FROM appointment a JOIN sender s ON true WHERE a.external_id = 'A1'"
    )
    execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, cause, source_kind,"
        " source_id, opened_at, due_at) SELECT gen_random_uuid(), clinic_id, patient_id,"
        " 'missed_check_ins', 'call_today', 'x', 'check_in', id, now(), now()"
        " FROM appointment WHERE external_id = 'A2'"
    )
    assert "Texts are going out." in run("call-list").err
    execute("UPDATE sender SET breaker_opened_at = now()")
    listed = run("call-list", "--json")
    assert "the carrier refuses them" in listed.err
    rows = listed.rows
    assert [(row["why"], row["patient_id"]) for row in rows] == [
        ("food", "P1"),
        ("missed_check_ins", "P2"),
    ]
    assert rows[0]["phone"] == "+12125550121"
    [closing] = run("call-list", "--closure", "--json").rows
    assert closing["why"] == "missed_check_ins"


def test_one_visits_food_stands_before_its_ride(run: Run, clinic: Path) -> None:
    """However they were stored: what must not be eaten is said first, then by when it was due."""
    leave_no_plan_waiting()
    execute(
        "UPDATE appointment SET starts_at = '2026-12-01T14:00Z', kind = 'dosing'"
        " WHERE external_id = 'A1'"
    )
    texts = (("day_ride", 30, 18), ("eve_ride", 30, 16), ("late_prep", 20, 17), ("prep", 20, 15))
    for step, priority, hour in texts:
        execute(
            "INSERT INTO message (id, clinic_id, sender_id, patient_id, appointment_id, step,"
            " priority, template, due_at, latest_at, next_at, status)"
            f" SELECT gen_random_uuid(), a.clinic_id, s.id, a.patient_id, a.id, '{step}',"
            f" {priority}, 'visit_24h_prep', '2026-11-30T{hour}:00Z', '2026-11-30T20:00Z', now(),"
            " 'failed' FROM appointment a JOIN sender s ON true WHERE a.external_id = 'A1'"
        )
    rows = run("call-list", "--json").rows
    assert [(row["why"], row["detail"]) for row in rows] == [
        ("food", "prep: failed"),
        ("food", "late_prep: failed"),
        ("ride", "eve_ride: failed"),
        ("ride", "day_ride: failed"),
    ]


def test_the_call_list_has_an_opioid_patients_silence_before_another(
    run: Run, clinic: Path
) -> None:
    """P2 is silent for longer, and P1 is in danger (care rule 16); a visit stands between them."""
    leave_no_plan_waiting()
    execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, cause, source_kind,"
        " source_id, opened_at, due_at) SELECT gen_random_uuid(), clinic_id, patient_id,"
        " 'missed_check_ins', 'call_today', external_id, 'check_in', id, now(),"
        " CASE external_id WHEN 'A1' THEN now() ELSE now() - interval '2 days' END"
        " FROM appointment"
    )
    execute("UPDATE appointment SET starts_at = '2026-12-01T14:00Z' WHERE external_id = 'A2'")
    execute(
        "INSERT INTO message (id, clinic_id, sender_id, patient_id, appointment_id, step, priority,"
        " template, due_at, latest_at, next_at, status)"
        " SELECT gen_random_uuid(), a.clinic_id, s.id, a.patient_id, a.id, 'confirm', 50,"
        " 'visit_confirm', '2026-11-30T15:00Z', '2026-11-30T20:00Z', now(), 'failed'"
        " FROM appointment a JOIN sender s ON true WHERE a.external_id = 'A2'"
    )
    with services() as running, running.database.transaction() as session:
        for row in session.scalars(select(Patient)):
            substances = {"P1": ["Opioids"], "P2": ["alcohol"]}
            opened = {
                name: patients.opened(running.vault, row, name)
                for name in ("external_id", "first_name", "phone")
            }
            details = patients.profile(running.vault, row)
            details["substances"] = substances[opened["external_id"]]
            patients.seal_identity(running.vault, row, **opened, details=details)
    assert [
        (row["rank"], row["why"], row["patient_id"]) for row in run("call-list", "--json").rows
    ] == [
        (3, "missed_check_ins", "P1"),
        (4, "visit", "P2"),
        (5, "missed_check_ins", "P2"),
    ]


def test_the_closure_list_names_whom_silence_would_hide(run: Run, answered: Path) -> None:
    """Recent doses, open misses, high numbers of the week; nobody else (care rule 19)."""
    execute("UPDATE check_in SET value = 7")
    rows = run("call-list", "--closure", "--json").rows
    assert [(row["why"], row["patient_id"]) for row in rows] == [
        ("recent_dose", "P1"),
        ("high_score", "P1"),
    ]
    assert rows[0]["detail"] == "IV infusion"
    execute("UPDATE appointment SET checked_out_at = checked_out_at - interval '72 hours'")
    execute("UPDATE check_in SET value = 6")
    assert run("call-list", "--closure", "--json").rows == []


def plan_and_lose_the_workers() -> None:
    """Have everything planned, and then no worker for three hours."""
    heard_from("+12125550121")
    with services() as running:
        plan.run(running)
    execute(
        "INSERT INTO progress (name, at) VALUES ('tick', clock_timestamp() - interval '3 hours')"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at"
    )


def test_a_visit_moved_while_no_worker_runs_is_on_the_call_list(run: Run, clinic: Path) -> None:
    """Her dose is tomorrow now, and no text tells her so, nor what she must not eat."""
    plan_and_lose_the_workers()
    assert run("call-list", "--json").rows == []
    moved = VISITS.replace("2026-12-10T", "2026-12-01T")
    assert run("import", "appointments", write(clinic, "moved.csv", moved)).code == 0
    listed = run("call-list", "--json")
    assert "no worker runs" in listed.err
    [call] = listed.rows
    assert (call["rank"], call["why"], call["patient_id"]) == (1, "food", "P1")
    assert (call["about_at"], call["detail"]) == ("2026-12-01T14:00:00Z", "no text planned yet")
    with services() as running:
        plan.run(running)
    assert "no text planned yet" not in {row["detail"] for row in run("call-list", "--json").rows}


def test_a_visit_booked_while_no_worker_runs_is_on_the_call_list(run: Run, clinic: Path) -> None:
    """Ben's first visit is tomorrow; a plan that waits for another reason names nobody else."""
    plan_and_lose_the_workers()
    booked = VISITS + "A3,P2,integration,,2026-12-01T15:00,2026-12-01T16:00,booked,Suite 4\n"
    assert run("import", "appointments", write(clinic, "booked.csv", booked)).code == 0
    execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
    [call] = run("call-list", "--json").rows
    assert (call["rank"], call["why"], call["patient_id"]) == (4, "visit", "P2")


@pytest.mark.parametrize("told", [("arrived",), ("checked_out", "--dose", "given")])
def test_a_dose_recorded_while_no_worker_runs_is_on_the_call_list(
    run: Run, clinic: Path, told: tuple[str, ...]
) -> None:
    """Nobody would ask her this evening how she is, also where only her arrival is recorded."""
    execute(
        "UPDATE appointment SET starts_at = '2026-11-30T13:00Z', ends_at = '2026-11-30T15:00Z'"
        " WHERE external_id = 'A1'"
    )
    plan_and_lose_the_workers()
    assert run("call-list", "--json").rows == []
    assert run("event", "A1", *told).code == 0
    [call] = run("call-list", "--json").rows
    assert (call["rank"], call["why"], call["patient_id"]) == (2, "after_dose", "P1")
    assert call["detail"] == "no text planned yet"
    with services() as running:
        plan.run(running)
    assert "no text planned yet" not in {row["detail"] for row in run("call-list", "--json").rows}


def test_no_list_names_whose_record_is_closed(run: Run, answered: Path) -> None:
    """Her family is not rung up about a number of last week, or a dose that she died after."""
    execute("UPDATE check_in SET value = 7")
    open_item("missed_check_ins", "call_today")
    assert len(run("call-list", "--closure", "--json").rows) == 3
    assert len(run("call-list", "--json").rows) == 1
    assert run("patient", "close", "P1", "--reason", "deceased").code == 0
    assert run("call-list", "--closure", "--json").rows == []
    assert run("call-list", "--json").rows == []


@pytest.mark.parametrize(("reason", "named"), [("transferred", ["crisis"]), ("deceased", [])])
def test_danger_outlasts_a_record_that_is_closed_and_no_death(
    run: Run, answered: Path, reason: str, named: list[str]
) -> None:
    """Whoever went to another clinic in a crisis that nobody has ended is still called about it."""
    open_item("crisis", "page_now")
    assert run("patient", "close", "P1", "--reason", reason).code == 0
    assert [row["why"] for row in run("call-list", "--closure", "--json").rows] == named


def test_the_lists_say_who_is_on_hold_and_why(run: Run, answered: Path) -> None:
    """Whoever calls then knows that she is in hospital; a hold that is over is no news."""
    open_item("missed_check_ins", "call_today")
    assert run("patient", "hold", "P1", "--reason", "hospital").code == 0
    leave_no_plan_waiting()
    [dose, silent] = run("call-list", "--closure", "--json").rows
    assert dose["detail"] == "IV infusion, on hold: hospital"
    assert silent["detail"] == "call_today, on hold: hospital"
    [called] = run("call-list", "--json").rows
    assert called["detail"] == "call_today, on hold: hospital"
    execute("UPDATE patient SET held_until = '2026-11-30T09:00Z' WHERE status = 'held'")
    assert run("call-list", "--json").rows[0]["detail"] == "call_today"


@pytest.fixture
def crisis(run: Run, clinic: Path) -> str:
    """A crisis of P1, and Doc, who can act."""
    execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, cause, source_kind,"
        " source_id, opened_at, due_at) SELECT gen_random_uuid(), clinic_id, patient_id,"
        " 'crisis', 'page_now', 'x', 'inbound', id, now(), now()"
        " FROM appointment WHERE external_id = 'A1'"
    )
    execute(
        "INSERT INTO staff (id, clinic_id, email, role, password_hash, session_epoch)"
        " SELECT gen_random_uuid(), id, 'doc@clinic.test', 'clinician', 'x', 1 FROM clinic"
    )
    [row] = run("followups", "--json").rows
    return str(row["id"])


TOLD = ("told", "--to", "911, M. Lee", "--note", "Elm St 5")


def test_what_911_was_told_is_listed_for_the_accounting(run: Run, crisis: str) -> None:
    """With whose word it was, the nature of the emergency, and the notice that goes along."""
    assert run("followup", crisis, *TOLD).code == 0
    [row] = run("disclosures", "--patient", "P1", "--json").rows
    assert (row["recipient"], row["told"], row["by"], row["nature"]) == (
        "911, M. Lee",
        "Elm St 5",
        "doc@clinic.test",
        "crisis",
    )
    assert row["basis"] == "medical_emergency_2.51"
    assert row["notice"].startswith("42 CFR part 2 prohibits unauthorized use")
    [line] = csv.DictReader(io.StringIO(run("disclosures", "--csv").out))
    assert (line["patient_id"], line["notice"]) == ("P1", row["notice"])
    assert "42 CFR part 2 prohibits" in run("disclosures").out
    assert run("disclosures", "--patient", "P2", "--json").rows == []
    assert run("disclosures", "--csv", "--json").code == 2


@pytest.mark.parametrize("left_out", ["--to", "--note"])
def test_what_911_was_told_needs_whom_and_what(run: Run, crisis: str, left_out: str) -> None:
    """A note without either says nothing to an accounting."""
    at = TOLD.index(left_out)
    ran = run("followup", crisis, *TOLD[:at], *TOLD[at + 2 :])
    assert (ran.code, left_out in ran.err) == (2, True)
    assert run("followup", crisis, *TOLD, "--at", "2027-01-01T10:00").code != 0
    assert run("disclosures", "--json").rows == []


def test_a_test_page_is_listed_and_taken(run: Run, settings_env: Path) -> None:
    """Everybody on the ladder gets one."""
    set_up(run, settings_env, CLINIC.replace("after_hours: none\n", "") + FILE_WITH_DUTY)
    assert run("page", "test").out.startswith("2 people are paged.")
    rows = run("page", "list", "--json").rows
    assert {row["person"] for row in rows} == {"sam@clinic.test", "kim@clinic.test"}
    assert rows[0]["channels"] == {"sms": "planned", "voice": "planned"}
    assert run("page", "take", rows[0]["id"]).code == 0
    [taken] = [row for row in run("page", "list", "--json").rows if row["acknowledged_at"]]
    assert taken["id"] == rows[0]["id"]


def test_a_day_is_closed_with_its_visits_and_clocks(run: Run, clinic: Path) -> None:
    """The visit is cancelled, somebody is to call, and nothing falls due on that day."""
    execute(
        "INSERT INTO follow_up (id, clinic_id, reason, severity, cause, source_kind, source_id,"
        " opened_at, due_at) SELECT gen_random_uuid(), id, 'question', 'next_business_day', 'x',"
        " 'inbound', id, '2026-12-02T20:00Z', '2026-12-03T17:00Z' FROM clinic"
    )
    ran = run("clinic", "close", "2026-12-03", "--yes")
    assert ran.code == 0, ran.err
    assert "1 visit is cancelled" in ran.out
    items = {row["reason"]: row for row in run("followups", "--json").rows}
    assert items["question"]["due_at"] == "2026-12-04T17:00:00Z"
    assert items["visit_unbooked"]["patient_id"] == "P2"
    again = run("clinic", "close", "2026-12-03", "--yes")
    assert "0 visits are cancelled" in again.out
    assert run("clinic", "close", "2026-11-03", "--yes").code != 0
    assert run("clinic", "close", "tomorrow", "--yes").code == 2


def test_a_visit_that_has_begun_is_not_cancelled_with_its_day(run: Run, clinic: Path) -> None:
    """The dose was over at nine, nobody recorded it, and at ten the clinic closes for the day."""
    execute(
        "UPDATE appointment SET starts_at = '2026-11-30T13:00Z', ends_at = '2026-11-30T14:00Z'"
        " WHERE external_id = 'A1'"
    )
    execute("UPDATE appointment SET starts_at = '2026-11-30T19:00Z' WHERE external_id = 'A2'")
    heard_from("+12125550121")
    with services() as running:
        followups.ask_about_visits(running)
    asked = [row for row in run("followups", "--json").rows if row["patient_id"] == "P1"]
    ran = run("clinic", "close", "2026-11-30", "--yes")
    assert ran.code == 0, ran.err
    assert "1 visit is cancelled" in ran.out
    named = ran.out.partition("begun, and so not cancelled")[2]
    assert ("A1 of P1" in named, "A2" in named) == (True, False)
    items = run("followups", "--json").rows
    assert "visit_event_missing" in {row["reason"] for row in asked}
    assert [row for row in items if row["reason"] == "visit_event_missing"] == [
        row for row in asked if row["reason"] == "visit_event_missing"
    ]
    assert [row["patient_id"] for row in items if row["reason"] == "visit_unbooked"] == ["P2"]
    recorded = run("event", "A1", "checked_out", "--dose", "given")
    assert recorded.code == 0, recorded.err
    with services() as running:
        plan.run(running)
    evening = [row["step"] for row in run("messages", "--patient", "P1", "--json").rows]
    assert "after_evening" in evening


def test_closing_a_day_names_whom_no_text_tells_of_it(run: Run, clinic: Path) -> None:
    """P1 is texted; P2 has revoked, so that nothing goes there."""
    execute("UPDATE appointment SET starts_at = '2026-11-30T19:00Z' WHERE external_id = 'A1'")
    execute("UPDATE appointment SET starts_at = '2026-11-30T20:00Z' WHERE external_id = 'A2'")
    heard_from("+12125550121")
    assert run("consent", "P2", "revoke", "--method", "verbal", "--purposes", "visits").code == 0
    ran = run("clinic", "close", "2026-11-30", "--yes")
    assert ran.code == 0, ran.err
    assert "2 visits are cancelled, and 1 text says so" in ran.out
    named = ran.out.partition("so call them")[2]
    assert ("A1 of P1" in named, "A2 of P2" in named) == (False, True)
    with services() as running:
        plan.run(running)
    news = [row for row in run("messages", "--json").rows if row["step"] == "visit_cancelled"]
    assert [row["patient_id"] for row in news if row["status"] == "planned"] == ["P1"]


def test_closing_a_day_promises_no_text_while_texts_are_paused(run: Run, clinic: Path) -> None:
    """Nothing goes until somebody ends the pause, so everybody is to be called."""
    assert run("pause").code == 0
    ran = run("clinic", "close", "2026-12-03", "--yes")
    assert "1 visit is cancelled, and 0 texts say so" in ran.out
    assert "A2 of P2" in ran.out.partition("so call them")[2]


def test_nobody_is_to_call_about_the_visit_of_a_patient_who_died(run: Run, clinic: Path) -> None:
    """The visit is cancelled with its day, and there is no other time to find."""
    assert run("patient", "close", "P2", "--reason", "deceased").code == 0
    ran = run("clinic", "close", "2026-12-03", "--yes")
    assert "1 visit is cancelled, and 0 texts say so" in ran.out
    assert "P2" not in ran.out
    assert run("followups", "--json").rows == []
