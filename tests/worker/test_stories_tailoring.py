"""Stories of one patient otherwise: own rhythm, a shared number, the welcome, silence, forms."""

from datetime import date, timedelta
from typing import Any

import pytest

from messages.gateways.fake import refuse
from records import patients
from records.patients import Patient
from schedules.facts import Dose, VisitStatus
from tests.support.world import World, phone_of
from tests.worker.desk import Desk
from worker.refusal import RefusedError
from worker.steps import consents, forms, people, tailoring, visits
from worker.steps.tailoring import Reach

HEADER = (
    "patient_id,clinic,first_name,phone,language,timezone,"
    "consent_method,consented_at,consent_purposes"
)
ANA = "P9,riverside,Ana,{phone},en,America/New_York,paper,{since},visits;check_ins"


@pytest.fixture
def desk(world: World) -> Desk:
    """A clinic with one patient, P0, on Monday, November 30, at 10:00."""
    made = Desk(world)
    made.admits()
    return made


def _person(desk: Desk, name: str = "P0") -> Patient:
    with desk.world.database.transaction() as session:
        [person] = patients.find(session, desk.world.vault, name)
        return person


def _enroll(desk: Desk, protocol: str, *, on: date = date(2026, 11, 30)) -> None:
    if protocol != "daily-check-in":
        desk.switches_on(protocol)
    visits.enroll(desk.world.services, _person(desk).id, protocol, actor="desk", on=on)
    desk.goes_on()


def _tailor(desk: Desk, **said: str) -> None:
    tailoring.tailor(desk.world.services, _person(desk).id, said, actor="desk")
    desk.goes_on()


def _admit_ana(desk: Desk, *, since: str = "2026-11-29", **options: Any) -> None:
    row = ANA.format(phone=phone_of(9), since=since)
    report = people.import_patients(
        desk.world.services, f"{HEADER}\n{row}".encode(), actor="desk", **options
    )
    assert report.bad == 0


# --- an own rhythm


def test_every_other_day_was_agreed_with_one_patient(desk: Desk) -> None:
    """By the import's words; taken back, the protocol's rhythm holds again."""
    _enroll(desk, "daily-check-in")
    _tailor(desk, cadence="daily_0_10: every 2 days")
    assert desk.due("daily_0_10")[:3] == ["Mon 30 17:00", "Wed 02 17:00", "Fri 04 17:00"]
    _tailor(desk, cadence="")
    assert desk.due("daily_0_10")[:2] == ["Mon 30 17:00", "Tue 01 17:00"]


def test_phases_of_their_own_take_the_place_of_the_protocols(desk: Desk) -> None:
    """Three days daily, then a week's pause."""
    _enroll(desk, "daily-check-in")
    rhythm = "daily-check-in/daily_0_10: from day 1 to day 3, every day;"
    _tailor(desk, cadence=rhythm + "daily_0_10: every 2 days")
    assert len(desk.due("daily_0_10")) == 3


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ({"cadence": "daily_0_10: sometimes"}, "every 2 days"),
        ({"cadence": "nothing: every day"}, "no protocol here has a step"),
        ({"cadence": "daily_0_10: every day; daily_0_10: every 2 days"}, "two rhythms"),
        ({"steps_off": "visit_8d"}, "visit_7d"),
        ({"timezone": "Eastern"}, "America/New_York"),
        ({"check_in_time": "25:00"}, "17:00"),
        ({"favourite_colour": "red"}, "can't be set"),
    ],
)
def test_what_cannot_be_agreed_is_refused_with_its_mend(
    desk: Desk, said: dict[str, str], mend: str
) -> None:
    """Nothing is changed by half."""
    with pytest.raises(RefusedError, match=mend):
        _tailor(desk, **said)


def test_another_hour_language_zone_and_a_step_off_move_the_texts(desk: Desk) -> None:
    """Set by staff at once, as the columns of the import would."""
    _enroll(desk, "daily-check-in")
    _tailor(desk, check_in_time="18:30", timezone="America/Chicago", language="es")
    assert desk.due("daily_0_10")[0] == "Mon 30 19:30"
    desk.waits_until("2026-11-30 20:00")
    assert "registro diario" in desk.words()[0]
    _tailor(desk, steps_off="daily_0_10")
    assert desk.due("daily_0_10") == []


# --- a number that two patients have (care rule 22)


def test_rule_22_the_second_patient_waits_until_staff_choose_calls(desk: Desk) -> None:
    """Calls only: no text goes to the second, the first's go on, and instructions are called."""
    [second] = desk.admits(phone=phone_of(0))
    desk.imports("2026-12-10T10:00", patient="P1")
    assert {reason for _, reason in desk.why("visit_7d")} == {"number_taken"}
    tailoring.reach(desk.world.services, second, Reach.CALLS_ONLY, actor="desk")
    desk.goes_on()
    desk.imports("2026-12-10T11:00", patient="P1")
    assert {reason for _, reason in desk.why("visit_24h_prep")} == {"calls_only"}
    desk.waits_until("2026-12-09 12:00")
    assert desk.read() == []
    assert "instruction_not_delivered" in desk.calls()


def test_rule_22_with_a_tag_each_both_are_texted_and_each_text_says_for_whom(desk: Desk) -> None:
    """One tag alone is not enough, and one tag is not for two."""
    [second] = desk.admits(phone=phone_of(0))
    desk.imports("2026-12-10T10:00", patient="P1")
    services, first = desk.world.services, _person(desk).id
    assert tailoring.reach(services, second, Reach.TAG, tag="J", actor="desk").waits
    desk.goes_on()
    assert {reason for _, reason in desk.why("visit_7d")} == {"number_taken"}
    with pytest.raises(RefusedError, match="pick another"):
        tailoring.reach(services, first, Reach.TAG, tag="j", actor="desk")
    assert not tailoring.reach(services, first, Reach.TAG, tag="M", actor="desk").waits
    desk.waits_until("2026-12-03 10:00")
    assert desk.words()[-1].startswith("for J: Riverside Care: visit")


def test_rule_22_where_the_first_is_only_called_the_second_is_texted(desk: Desk) -> None:
    """The number is then nobody else's."""
    desk.admits(phone=phone_of(0))
    desk.imports("2026-12-10T10:00", patient="P1")
    tailoring.reach(desk.world.services, _person(desk).id, Reach.CALLS_ONLY, actor="desk")
    desk.goes_on()
    assert desk.why("visit_7d") == [("planned", None)]


# --- the welcome


def test_the_first_text_is_the_welcome(desk: Desk) -> None:
    """Who agreed yesterday is told who writes and how to stop, beside the cap, once."""
    _admit_ana(desk)
    desk.goes_on()
    assert desk.read() == ["welcome"]
    assert "STOP to end" in desk.words()[0]
    _admit_ana(desk)
    desk.goes_on(days=1)
    assert desk.read() == ["welcome"]


def test_rule_21_a_welcome_that_comes_back_holds_everything_else(desk: Desk) -> None:
    """A person looks at the number the same day; once the welcome arrives, the texts go."""
    desk.world.gateway.always(phone_of(9), refuse(21211))
    _admit_ana(desk)
    desk.goes_on()
    assert "cannot_reach" in desk.calls()
    desk.imports("2026-12-10T10:00", patient="P9")
    assert {reason for _, reason in desk.why("visit_24h_prep")} == {"welcome_failed"}
    who = _person(desk, "P9").id
    desk.world.advance(minutes=1)
    desk.world.gateway.always(phone_of(9), None)
    consents.grant(desk.world.services, who, purposes=["visits"], method="phone", actor="desk")
    desk.goes_on()
    assert desk.why("visit_24h_prep") == [("planned", None)]
    assert desk.read() == ["welcome", "welcome"]


# --- silence (care rule 19)


def test_rule_19_after_five_days_of_silence_a_nicotine_count_rests(desk: Desk) -> None:
    """Until staff have looked at the item."""
    _tailor(desk, quit_date="2026-12-14")
    _enroll(desk, "relapse-prevention-nicotine")
    desk.goes_on(days=6)
    desk.waits_until("2026-12-07 12:00")
    _misses(desk, "count_before", 5)
    assert set(desk.why("count_before")) >= {("skipped", "silent")}
    assert desk.due("count_before") == []
    desk.world.execute(
        "INSERT INTO follow_up (id, clinic_id, patient_id, reason, severity, status, cause,"
        " source_kind, source_id, opened_at, due_at, resolved_at) SELECT uuidv7(), clinic_id, id,"
        " 'missed_check_ins', 'digest', 'resolved', 'x', 'enrollment', id, :now, :now, :now"
        " FROM patient",
        now=desk.world.now,
    )
    desk.world.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
    desk.goes_on()
    assert desk.due("count_before") != []


def test_rule_19_a_question_that_rests_does_not_come_back_by_itself(desk: Desk) -> None:
    """Nobody has looked at the item when it would be taken up after a dose, three months later."""
    _enroll(desk, "relapse-prevention-alcohol")
    desk.waits_until("2026-12-07 12:00")
    _misses(desk, "daily", 5)
    desk.jumps_to("2027-03-08 07:00")
    desk.imports("2027-03-08T08:00", quiet=True)
    desk.jumps_to("2027-03-08 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    assert desk.due("daily") == []
    assert ("skipped", "silent") in desk.why("daily")


def _misses(desk: Desk, step: str, count: int) -> None:
    """Have the patient leave so many delivered questions unanswered."""
    desk.world.execute(
        "INSERT INTO check_in (id, clinic_id, patient_id, message_id, item, context, status,"
        " asked_at, ends_at) SELECT uuidv7(), clinic_id, patient_id, id, step, expects, 'missed',"
        " :now - interval '1 day', :now FROM message WHERE step = :step ORDER BY due_at"
        " LIMIT :count ON CONFLICT (message_id) DO UPDATE SET status = 'missed'",
        now=desk.world.now,
        step=step,
        count=count,
    )
    desk.world.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
    desk.goes_on()


# --- forms behind a link


def _fill(desk: Desk, form: str, **scores: int) -> forms.Filled:
    who = _person(desk).id
    return forms.record(desk.world.services, who, form, actor="desk", scores=scores)


def test_a_quit_date_of_a_day_later_asks_nobody_twice_in_an_evening(desk: Desk) -> None:
    """Answered at five by the old date; by the new one this evening is another day's."""
    _tailor(desk, quit_date="2026-11-29")
    _enroll(desk, "relapse-prevention-nicotine")
    desk.waits_until("2026-12-01 17:05")
    desk.says("0")
    desk.goes_on(minutes=30)
    assert desk.read().count("daily_count") == 2
    _tailor(desk, quit_date="2026-11-30")
    desk.waits_until("2026-12-01 19:30")
    assert desk.read().count("daily_count") == 2
    desk.waits_until("2026-12-02 17:05")
    assert desk.read().count("daily_count") == 3


def test_a_mood_form_is_sent_by_its_link_and_asked_for_once_more(desk: Desk) -> None:
    """Two days later; filled in, nothing more goes."""
    links = '{"mood": "forms.example.org/m7"}'
    desk.world.execute(
        "UPDATE clinic SET settings = jsonb_set(settings, '{forms}', CAST(:links AS jsonb))",
        links=links,
    )
    _enroll(desk, "mood-check", on=date(2026, 11, 16))
    desk.waits_until("2026-11-30 12:00")
    assert "forms.example.org/m7" in desk.words()[0]
    desk.waits_until("2026-12-02 12:00")
    assert desk.read() == ["mood_form", "mood_missed"]
    assert _fill(desk, "mood", phq2=1, gad2=0) == forms.Filled(asked=1, opened=0)
    assert "high_score" not in desk.calls()


def test_who_will_do_the_form_tonight_is_called_and_not_paged_for(desk: Desk) -> None:
    """Without a form before it the same text is one about danger."""
    _enroll(desk, "mood-check", on=date(2026, 11, 16))
    desk.waits_until("2026-11-30 13:00")
    assert desk.read() == ["mood_form"]
    desk.says("i will do it tonight")
    assert desk.calls() == ["unclear_reply"]
    desk.says("i will end it tonight")
    assert "crisis" in desk.calls()


def test_a_form_that_was_filled_in_is_not_asked_for_again(desk: Desk) -> None:
    """The repeat says why it did not go."""
    _enroll(desk, "mood-check", on=date(2026, 11, 16))
    desk.waits_until("2026-11-30 13:00")
    assert _fill(desk, "mood", phq2=4, gad2=1) == forms.Filled(asked=1, opened=1)
    assert "high_score" in desk.calls()
    desk.goes_on(days=3)
    assert desk.read() == ["mood_form"]


def test_three_months_after_the_first_dose_a_form_is_asked_for_three_times(desk: Desk) -> None:
    """A week apart; then somebody phones."""
    desk.imports("2026-12-02T08:00")
    desk.waits_until("2026-12-02 10:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    _enroll(desk, "outcome-follow-up")
    desk.world.clock.at += timedelta(days=88)
    for _ in range(25):
        desk.goes_on(days=1)
    sent = [one for one in desk.read() if one.startswith("progress")]
    assert sent == ["progress_form", "progress_missed", "progress_missed"]
    assert "no_answer" in desk.calls()


def test_an_unknown_form_is_refused(desk: Desk) -> None:
    """With the names there are."""
    _enroll(desk, "mood-check")
    with pytest.raises(RefusedError, match="mood"):
        _fill(desk, "moood")
