"""Care rules 17, 18, and 20 to 26: what patients write, who may read it, what files do."""

import re
from datetime import timedelta

import pytest

from messages.binding import scale_of
from messages.templates import shipped
from records import disclosures, patients
from records.appointments import Appointment
from records.checkins import CheckIn
from records.followups import FollowUp
from records.inbox import Inbound
from records.patients import Patient
from tests.compliance.line import AGREED, PATIENTS, Line
from tests.support.databases import OwnDatabase, run_revision
from tests.support.world import phone_of
from worker.intake.batches import ImportReport
from worker.steps import consents, people, tailoring, visits
from worker.steps.people import Reason


@pytest.mark.parametrize(
    ("body", "severity"),
    [("ALTO", "call_today"), ("alto.", "call_today"), ("BAJA", None), ("Bajo", None)],
)
def test_care_rule_17_high_and_low_are_no_stops(
    line: Line, body: str, severity: str | None
) -> None:
    """With a scale open they are asked about once; ALTO is seen the same day."""
    line.asks_daily(language="es")

    row = line.says(body)

    assert line.stop_of() is None
    assert row.intent == "unclear"
    assert line.answers == ["scale_or_stop"]
    if severity:
        assert severity in {item.severity for item in line.rows(FollowUp)}
    line.says(body)
    assert line.answers == ["scale_or_stop"]


def test_care_rule_17_the_rest_waits_until_it_is_clear(line: Line) -> None:
    """Until high or stop is settled, nothing else that we start goes to the patient."""
    patient_id = line.asks_daily(language="es")
    line.says("ALTO")
    [other] = line.world.due()
    line.world.execute(
        "UPDATE message SET patient_id = :patient WHERE id = :id", patient=patient_id, id=other
    )
    line.world.advance(minutes=5)
    line.world.send()

    assert line.world.message(other).attempts == 0


def test_care_rule_17_no_time_ends_a_hold_while_it_is_unclear(line: Line) -> None:
    """They are in hospital until noon, and wrote ALTO: noon says nothing of what they meant."""
    who = line.asks_daily(language="es")
    noon = line.world.now + timedelta(hours=2)
    people.hold(line.world.services, who, reason=Reason.HOSPITAL, actor="desk", until=noon)
    line.says("ALTO")
    line.world.advance(hours=3)
    with line.world.database.transaction() as session:
        assert patients.end_holds(session, now=line.world.now) == []
    assert (line.person().status, line.person().status_reason) == ("held", "hospital")


@pytest.mark.parametrize("body", ["ALTO", "BAJA"])
def test_care_rule_17_without_a_scale_they_stop(line: Line, body: str) -> None:
    """The same words stop when no number was asked for."""
    line.someone(language="es")
    line.says(body)

    assert line.stop_of() is not None


@pytest.mark.parametrize("body", ["CANCEL", "End", "quit"])
def test_care_rule_17_a_bare_cancel_stops_and_is_looked_at(line: Line, body: str) -> None:
    """With a question open it stops, and a person asks whether the visit was meant."""
    line.asks_for_confirmation()
    line.says(body)

    assert line.stop_of() is not None
    assert "may_have_meant_something_else" in line.reasons


@pytest.mark.parametrize(
    "body",
    [
        "Liked “Riverside Care: visit Mon. Reply C to confirm, R to change.”",
        "Laughed at “Riverside Care: visit Mon. Reply STOP to end.”",
        "Le gustó “Riverside Care: visita lunes. Responda C para confirmar.”",
    ],
)
def test_care_rule_18_our_own_words_come_back_unread(line: Line, body: str) -> None:
    """A quoted copy of a text of ours neither asks for a change, nor stops, nor pages."""
    line.asks_for_confirmation()
    row = line.says(body)

    assert line.stop_of() is None
    assert "change_requested" not in line.reasons
    assert row.severity != "page_now"


def test_care_rule_18_a_thumb_is_no_number(line: Line) -> None:
    """A thumbs-up answers a question for a number with nothing."""
    line.asks_daily()
    line.says("\U0001f44d")

    [check_in] = line.rows(CheckIn)
    assert (check_in.status, check_in.value) == ("open", None)


@pytest.mark.parametrize(
    "body",
    [
        "I'm driving with Do Not Disturb While Driving turned on. I'll see your message later.",
        "I'm driving right now and will reply later. (Auto-reply)",
    ],
)
def test_care_rule_18_a_phones_own_reply_is_no_answer(line: Line, body: str) -> None:
    """It is stored, and neither confirms, declines nor counts as the patient's word."""
    line.asks_for_confirmation()
    line.says(body)

    assert len(line.rows(Inbound)) == 1
    [visit] = line.rows(Appointment)
    assert (visit.confirmed_start, visit.change_requested_at) == (None, None)


def test_care_rule_18_danger_is_read_across_texts(line: Line) -> None:
    """`I want to` and `die` within three minutes are one text; after ten they are two."""
    line.someone(2)
    line.says("i want to")
    line.world.advance(minutes=2)
    line.says("die")
    assert line.item("crisis").severity == "page_now"

    line.says("i want to", phone=phone_of(1))
    line.world.advance(minutes=10)
    row = line.says("die", phone=phone_of(1))
    assert not row.urgent


@pytest.mark.parametrize(
    ("first", "second"),
    [("i want to", "die"), ("i want to kill", "myself")],
)
def test_care_rule_18_danger_is_read_across_texts_though_the_first_comes_late(
    line: Line, first: str, second: str
) -> None:
    """Its webhook was lost, and the carrier's list has it after the second was read."""
    line.someone()
    written_at = line.world.now
    line.world.advance(seconds=20)
    assert line.says(second).urgent is False
    line.world.advance(minutes=1)
    line.pulls(first, at=written_at)

    [item] = [each for each in line.rows(FollowUp) if each.severity == "page_now"]
    assert item.status == "open"


def test_care_rule_18_a_correction_keeps_both(line: Line) -> None:
    """`sorry, 3` after an 8: the number is 3, the 8 is kept, and so is who was to be told."""
    line.asks_daily()
    first = line.says("8")
    before = line.reasons
    line.world.advance(minutes=1)
    second = line.says("sorry, 3")

    [check_in] = line.rows(CheckIn)
    assert (check_in.value, check_in.status) == (3, "answered")
    assert [first.value, second.value] == ["8", "3"]
    assert before != []
    assert line.reasons[: len(before)] == before
    assert {item.status for item in line.rows(FollowUp)} == {"open"}


@pytest.mark.parametrize("body", ["YES", "yes!", "SI", "sí"])
def test_care_rule_20_yes_answers_what_is_open(line: Line, body: str) -> None:
    """A bare YES confirms the visit that was asked about."""
    line.asks_for_confirmation()
    line.says(body)

    [visit] = line.rows(Appointment)
    assert visit.confirmed_start == visit.starts_at


@pytest.mark.parametrize("asked", [True, False])
def test_care_rule_20_yes_lifts_no_stop_though_the_carrier_unblocks(
    line: Line, *, asked: bool
) -> None:
    """To the carrier YES is as good as START; here it answers at most, and a person asks."""
    if asked:
        line.asks_for_confirmation()
    else:
        line.someone()
    line.says("STOP", OptOutType="STOP")
    revoked = line.person().purposes
    line.world.advance(hours=3)
    row = line.says("YES", OptOutType="START")

    assert (line.stop_of() is not None, row.opt_change) == (True, None)
    assert line.person().purposes == revoked == []
    [item] = [one for one in line.rows(FollowUp) if one.cause.endswith("start")]
    assert (item.reason, item.status) == ("question", "open")


def test_care_rule_20_start_brings_back_neither_texts_nor_health_questions(line: Line) -> None:
    """What fell due while stopped stays unsent, and health questions need a new consent."""
    [missed] = line.world.due()
    line.says("STOP")
    line.world.advance(hours=2)
    line.says("START")
    line.goes_on(minutes=5)

    assert "health_questions" not in line.person().purposes
    assert "visits" in line.person().purposes
    assert line.world.message(missed).attempts == 0


def test_care_rule_20_pause_is_for_check_ins_only(line: Line) -> None:
    """Check-ins rest for seven days, texts about visits go on, staff are told."""
    line.asks_daily()
    line.says("PAUSE")

    assert line.person().paused_until == line.world.now + timedelta(days=7)
    assert "paused" in line.reasons
    line.has_imported_before()
    line.imports("2026-12-03T10:00")
    line.waits_until("2026-12-03 11:00")
    asked = line.texts_sent("daily_0_10")
    assert [text for text in asked if text.attempts and text.due_at > line.world.now] == []
    assert {"visit_24h_prep"} <= set(line.read())


@pytest.mark.parametrize("body", ["B", "call me", "llámeme por favor"])
def test_care_rule_20_b_asks_for_a_call(line: Line, body: str) -> None:
    """`B` and `call me` put a call on today's list."""
    line.someone()
    row = line.says(body)

    assert row.intent == "callback_request"
    assert line.item("callback").severity == "call_today"


def test_care_rule_21_a_wrong_number_lists_what_was_disclosed(line: Line) -> None:
    """The item leads to each text that went there since the patient last answered."""
    line.asks_for_confirmation()
    line.says("C")
    line.world.advance(hours=1)
    [later] = line.world.due()
    patient_id = line.person().id
    line.world.execute(
        "UPDATE message SET patient_id = :patient WHERE id = :id", patient=patient_id, id=later
    )
    line.send_due("visit-7d")
    line.says("wrong number")

    assert line.item("breach_assessment").severity == "call_today"
    with line.world.database.transaction() as session:
        listed = disclosures.since_proof(session, patient_id)
        assert [text.id for text in listed if text.kind == "started"] == [later]


def test_care_rule_21_an_undelivered_welcome_holds_the_rest(line: Line) -> None:
    """Nothing follows a welcome that did not arrive; staff are told the same day."""
    line.arrives = False
    line.admits_by_file()
    line.has_imported_before()
    line.goes_on()
    [welcome] = line.texts_sent("welcome")
    line.reports(welcome.id, "undelivered", code=30006)

    line.imports("2026-12-03T10:00", patient="P9")
    line.waits_until("2026-12-03 12:00")

    assert len(line.reads()) == 1
    assert "call_today" in {item.severity for item in line.rows(FollowUp)}


def test_care_rule_21_a_wrong_number_stops_at_once(line: Line) -> None:
    """The stop stands when the webhook has answered, and START cannot lift it."""
    line.someone()
    line.writes("wrong number")
    assert line.stop_of() is not None

    line.handles()
    line.says("START")
    assert line.stop_of() is not None


def test_care_rule_22_a_second_patient_on_a_number_is_not_texted(line: Line) -> None:
    """Until staff have chosen how, the second patient on a number gets no automatic text."""
    line.admits_by_file(name="P1")
    line.admits_by_file(name="P2", first="Bea")
    line.has_imported_before()
    line.imports("2026-12-03T10:00", patient="P1")
    line.imports("2026-12-03T14:00", patient="P2", first=2)
    line.waits_until("2026-12-03 12:00")

    texted = {text.patient_id for text in line.world.texts() if text.attempts}
    assert texted == {line.person(0).id}
    assert line.rows(FollowUp) != []


def test_care_rule_22_who_comes_to_a_number_second_waits_however_old_the_record(line: Line) -> None:
    """A typing error in a file must not take over the phone of somebody who is texted there."""
    line.admits_by_file(phone_of(1), name="P1")
    line.world.advance(minutes=1)
    line.admits_by_file(phone_of(2), name="P2", first="Bob")
    line.goes_on(minutes=5)
    line.says("hi", phone=phone_of(2))
    line.world.advance(hours=1)
    before = line.reads(phone_of(2))
    again = f"paper,{line.world.now.isoformat()},visits,v3,yes"
    line.admits_by_file(phone_of(2), name="P1", consent=again)
    line.has_imported_before()
    line.imports("2026-12-03T10:00", patient="P2")
    line.imports("2026-12-04T10:00", patient="P1", first=2)
    line.goes_on(minutes=5)

    bob = line.rows(Patient)[1].id
    new = [text.patient_id for text in line.world.texts() if text.attempts][-1]
    assert len(line.reads(phone_of(2))) == len(before) + 1
    assert new == bob

    further = f"paper,{line.world.now.isoformat()},visits,v3,yes"
    line.admits_by_file(phone_of(3), name="P2", first="Bob", consent=further)
    line.goes_on(minutes=5)
    assert len(line.reads(phone_of(2))) > len(before) + 1, "the number is P1's alone now"


def test_care_rule_22_a_stop_counts_for_both(line: Line) -> None:
    """STOP from a shared number revokes for everybody on it."""
    line.someone()
    line.someone(1, first=1, phone=phone_of(0))
    line.says("STOP")

    assert [line.person(number).purposes for number in (0, 1)] == [[], []]


def test_care_rule_22_danger_counts_for_both(line: Line) -> None:
    """A safety text pages for each, and the answer names nobody."""
    line.someone()
    line.someone(1, first=1, phone=phone_of(0))
    line.says("i want to die")

    assert [item.severity for item in line.rows(FollowUp)] == ["page_now"] * 2
    assert len(line.reads()) == 1
    assert "Robin" not in line.reads()[0]


@pytest.mark.parametrize("second", ["comes", "goes"])
def test_care_rule_22_one_persons_danger_is_one_item_whoever_else_has_the_number(
    line: Line, second: str
) -> None:
    """Open as the other comes to the number, or as they leave it: the next text joins it."""
    line.admits_by_file(phone_of(1), name="P1", first="Ana")
    if second == "goes":
        line.admits_by_file(phone_of(1), name="P2", first="Zed")
    line.says("I want to kill myself", phone=phone_of(1))
    now = line.world.now.isoformat()
    if second == "comes":
        line.admits_by_file(phone_of(1), name="P2", first="Zed")
    else:
        new = f"paper,{now},visits,v3,yes"
        line.admits_by_file(phone_of(3), name="P2", first="Zed", consent=new)
    line.world.advance(minutes=5)
    line.says("please I want to kill myself", phone=phone_of(1))

    anas = line.rows(Patient)[0].id
    [item] = [each for each in line.rows(FollowUp) if each.patient_id == anas]
    assert (item.reason, item.times_joined) == ("crisis", 1)


def test_care_rule_20_two_patients_who_start_again_are_two_items(line: Line) -> None:
    """What the one wrote must not vanish in what is open about the other."""
    for number in (1, 2):
        line.admits_by_file(phone_of(number), name=f"P{number}", first=f"Ana{number}")
        line.says("please take me off your list", phone=phone_of(number))
        line.says("START", phone=phone_of(number))

    asked = [each for each in line.rows(FollowUp) if each.cause.endswith(":start")]
    assert {each.patient_id for each in asked} == {each.id for each in line.rows(Patient)}


def test_care_rule_22_who_is_this_names_nobody(line: Line) -> None:
    """The answer is neutral, and a person sees the question."""
    line.someone()
    line.says("who is this?")

    assert line.answers == ["neutral_ack"]
    assert all("Robin" not in text and "visit" not in text for text in line.reads())
    assert line.reasons != []


@pytest.mark.parametrize(
    "body",
    [
        *("Who is this?", "new phone who dis", "quien es?"),
        "I'm driving with Do Not Disturb While Driving turned on. I'll see your message later.",
    ],
)
def test_care_rule_26_who_may_be_anybody_proves_no_number(line: Line, body: str) -> None:
    """Else whoever got a mistyped number would be asked tonight how much they crave."""
    line.admits_by_file()
    line.goes_on(minutes=5)
    line.says(body)
    assert line.person().proved_at is None
    line.says("ok thanks")
    assert line.person().proved_at is not None


def test_care_rule_22_a_shared_phone_is_asked_no_numbers(line: Line) -> None:
    """Where others read the phone, no numeric question is sent."""
    line.world.enroll_by_hand(phone_shared=True)
    line.world.plan()
    line.goes_on(hours=8)

    assert line.reads() == []


@pytest.mark.parametrize(
    ("patient", "body", "said"),
    [("en", "quiero matarme", "Llame al 911"), ("es", "i want to kill myself", "Call 911")],
)
def test_care_rule_23_safety_speaks_the_language_of_the_text(
    line: Line, patient: str, body: str, said: str
) -> None:
    """Whatever language is on record, the reply is in the one just written."""
    line.someone(language=patient)
    row = line.says(body)

    assert row.language != patient
    [reply] = line.reads()
    assert said.casefold() in reply.casefold()


#: What a text asks for that has no best and worst: a count has its direction in itself.
_COUNTS = ("how many", "count", "cuantas", "jornadas")


def _scale_texts() -> dict[tuple[str, str], str]:
    catalog = shipped()
    asking = [key for key in catalog.templates if scale_of(catalog.template(key).expects or "none")]
    return {
        (key, language): catalog.sample(key, language)
        for key in asking
        for language in catalog.languages(key)
    }


def _states_its_direction(words: str) -> bool:
    said = words.casefold()
    return bool(re.search(r"\b0 \(?[a-z]{2}", said)) or any(word in said for word in _COUNTS)


def test_care_rule_23_each_scale_states_its_direction() -> None:
    """Every text that asks for a number says what 0 means, in each language."""
    texts = _scale_texts()
    silent = [key for key, words in texts.items() if not _states_its_direction(words)]

    assert len(texts) >= 10
    assert {key for key, _ in silent} <= {"checkin_missed"}


def test_care_rule_23_a_repeated_scale_states_its_direction_too() -> None:
    """The text that repeats a missed question says what its number means."""
    repeats = [words for (key, _), words in _scale_texts().items() if key == "checkin_missed"]

    assert repeats
    assert all(_states_its_direction(words) for words in repeats)


def test_care_rule_23_the_need_of_an_interpreter_is_kept(line: Line) -> None:
    """Whoever calls about an item has to know that an interpreter is needed."""
    header = f"{PATIENTS},interpreter"
    row = f"P9,riverside,Ana,{phone_of(0)},es,America/New_York,{AGREED},yes"
    report = people.import_patients(
        line.world.services, f"{header}\n{row}".encode(), actor="desk@clinic.test"
    )

    assert report.bad == 0
    assert patients.profile(line.world.vault, line.person())["interpreter"] is True


_HOUR = "P9,riverside,Ana,{phone},es,America/New_York,{agreed},08:30"


def _import_hour(line: Line, row: str) -> ImportReport:
    content = f"{PATIENTS},check_in_time\n{row}".encode()
    return people.import_patients(line.world.services, content, actor="desk@clinic.test")


def test_care_rule_24_nobody_is_texted_on_the_number_of_who_died(line: Line) -> None:
    """Not a second record of the same person, with a visit to come, nor one a later file brings."""
    line.admits_by_file(name="P1", first="Ana")
    line.goes_on(minutes=5)
    line.says("hi")
    line.admits_by_file(name="P2", first="Anna")
    line.has_imported_before()
    line.imports("2026-12-03T10:00", patient="P2")
    line.goes_on(minutes=5)
    before = line.reads()
    people.close(line.world.services, line.person().id, reason=Reason.DECEASED, actor="desk")
    line.admits_by_file(name="P3", first="Ann")
    line.waits_until("2026-12-03 09:00")
    for word in ("HELP", "START", "is this the clinic?"):
        line.says(word)

    assert line.reads() == before
    news = [item for item in line.rows(FollowUp) if item.source_kind == "inbound"]
    assert {item.severity for item in news} == {"call_today"}


def test_care_rule_24_numbers_of_the_dead_are_left_alone_from_the_upgrade_on(
    line: Line, database: OwnDatabase
) -> None:
    """Records that a release before had closed, one of a number that had been freed meanwhile."""
    for number in (1, 2):
        line.admits_by_file(phone_of(number), name=f"P{number}", first=f"Ana{number}")
    first = line.rows(Patient)[0].id
    people.close(line.world.services, first, reason=Reason.DECEASED, actor="desk")
    line.world.execute("UPDATE opt_out SET reason = 'keyword', lifted_at = now()")
    run_revision(database, "0024")
    stop, other = line.stop_of(phone_of(1)), line.stop_of(phone_of(2))
    assert (stop and stop.reason, other) == ("deceased", None)


def test_care_rule_24_staff_may_free_the_number_of_who_died(line: Line) -> None:
    """Whoever lives and has it has told them so; and a record closed by mistake is reopened."""
    line.admits_by_file(name="P1", first="Ana")
    ana = line.person().id
    people.close(line.world.services, ana, reason=Reason.DECEASED, actor="desk")
    line.admits_by_file(name="P2", first="Bea")
    bea = next(each for each in line.rows(Patient) if each.id != ana)
    assert line.stop_of() is not None
    granted = {"purposes": ["visits"], "method": "phone", "actor": "desk"}
    consents.grant(line.world.services, bea.id, lift_stop=True, **granted)
    assert line.stop_of() is None
    line.goes_on(minutes=5)
    assert len(line.reads()) == 1

    people.close(line.world.services, bea.id, reason=Reason.DECEASED, actor="desk")
    assert line.stop_of() is not None
    people.resume(line.world.services, bea.id, actor="desk")
    assert line.stop_of() is not None, "Ana's record still says that she died"
    people.resume(line.world.services, ana, actor="desk")
    assert line.stop_of() is None


def test_care_rule_25_a_file_that_repeats_itself_undoes_no_staff_edit(line: Line) -> None:
    """The hour that staff agreed with the patient stays, though the row changed elsewhere."""
    row = _HOUR.format(phone=phone_of(0), agreed=AGREED)
    _import_hour(line, row)
    patient_id = line.person().id
    tailoring.tailor(line.world.services, patient_id, {"check_in_time": "17:00"}, actor="staff")

    report = _import_hour(line, row.replace("Ana", "Anna"))

    assert (report.changed, report.conflicts) == (1, ())
    assert str(line.person().check_in_time) == "17:00:00"


def test_care_rule_25_where_both_changed_staff_win_and_it_is_told(line: Line) -> None:
    """The conflict names its line and its column."""
    row = _HOUR.format(phone=phone_of(0), agreed=AGREED)
    _import_hour(line, row)
    patient_id = line.person().id
    tailoring.tailor(line.world.services, patient_id, {"check_in_time": "17:00"}, actor="staff")

    report = _import_hour(line, row.replace("08:30", "09:00"))

    assert [(each.line, each.column) for each in report.conflicts] == [(2, "check_in_time")]
    assert str(line.person().check_in_time) == "17:00:00"


def test_care_rule_25_a_stop_outlives_another_number_in_the_file(line: Line) -> None:
    """Nobody who wrote STOP is texted because a file has a new number for them."""
    line.admits_by_file()
    line.says("STOP")

    line.admits_by_file(phone_of(1), consent=AGREED)

    assert line.stop_of(phone_of(1)) is not None
    assert line.person().purposes == []


@pytest.mark.parametrize("status", ["tentative", "confirmed?", ""])
def test_care_rule_25_an_unknown_status_is_no_booking(line: Line, status: str) -> None:
    """The row is refused, with its line and column."""
    line.admits_by_file()
    header = "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location"
    row = f"A9,P9,dosing,iv,2026-12-10T09:00,2026-12-10T11:00,{status},Suite 4"

    report = visits.import_appointments(
        line.world.services, f"{header}\n{row}".encode(), actor="desk@clinic.test"
    )

    assert [(each.line, each.column) for each in report.faults] == [(2, "status")]
    assert report.created == 0
