"""Care rule 8: no two questions for a number are open at once, and what a digit means if they are.

The planner's side is proved over all shipped protocols in tests/schedules/test_asking.py; here the
real steps do it, and the texts come in by the webhook.
"""

from datetime import date, datetime, time, timedelta
from uuid import UUID

import pytest

from records.checkins import CheckIn
from schedules.facts import Dose, VisitStatus
from tests.compliance.line import Line
from worker.steps import visits


def _asked_daily(line: Line, hour: time | None = None) -> UUID:
    """Admit P0, who is asked for a number every day from Monday, November 30, on."""
    [patient_id] = line.admits(check_in_time=hour)
    day = date(2026, 11, 30)
    visits.enroll(line.world.services, patient_id, "daily-check-in", actor="desk", on=day)
    return patient_id


def _dosed(line: Line, start: str) -> None:
    """Let a visit take place, and its dose be recorded at its end."""
    line.imports(start)
    line.waits_until(f"{start[:10]} {int(start[11:13]) + 2:02}:00")
    line.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)


@pytest.mark.parametrize("hour", [time(9, 30), time(11)])
def test_the_morning_after_a_dose_asks_alone(line: Line, hour: time) -> None:
    """At the patient's own hour the check-in gives way, with its reason, for a day."""
    _asked_daily(line, hour)
    _dosed(line, "2026-12-03T10:00")
    line.waits_until("2026-12-04 15:00")
    assert line.read()[-1] == "after_morning"
    assert ("skipped", "other_number") in line.why("daily_0_10")
    row = line.says("2")
    assert not row.ambiguous
    assert "side_effect" in line.calls()
    line.waits_until("2026-12-05 12:00")
    assert "daily_0_10" in line.read()[-2:]


def test_once_the_morning_is_answered_the_check_in_is_asked(line: Line) -> None:
    """Nothing is open any more, and the check-in's hour is not over."""
    _asked_daily(line, time(11))
    _dosed(line, "2026-12-03T10:00")
    line.waits_until("2026-12-04 10:00")
    line.says("0")
    line.waits_until("2026-12-04 12:00")
    assert line.read()[-2:] == ["after_morning", "daily_0_10"]


def test_the_question_of_the_day_before_is_over_when_the_evening_asks(line: Line) -> None:
    """What comes after the evening check answers that, and a nudge took no place from it."""
    _asked_daily(line, time(19))
    _dosed(line, "2026-12-03T12:00")
    line.waits_until("2026-12-03 19:00")
    [evening] = line.texts_sent("after_evening")
    before = [text for text in line.texts_sent("daily_0_10") if text.due_at < evening.due_at]
    assert before[-1].answer_until <= evening.due_at
    row = line.says("1")
    assert (row.ambiguous, row.prompt_message_id) == (False, evening.id)
    # The nudge of that morning gave its place of the day to the check.
    assert ("skipped", "cap") in line.why("daily_0_10.nudge")


def _a_dose_nobody_knew_of(line: Line) -> tuple[CheckIn, CheckIn]:
    """Ask the daily question, then learn of a dose given that day: two questions are open."""
    _asked_daily(line)
    line.waits_until("2026-11-30 17:00")
    _dosed(line, "2026-11-30T13:00")
    line.waits_until("2026-11-30 19:50")
    assert line.read() == ["daily_0_10", "after_evening"]
    daily, evening = line.rows(CheckIn)
    assert daily.ends_at > evening.asked_at
    return daily, evening


def test_a_digit_that_fits_two_is_read_as_the_more_worrying_and_asked_again(line: Line) -> None:
    """`3` is mild as a craving and a page after a dose: the page goes out, and we ask which."""
    _a_dose_nobody_knew_of(line)
    row = line.says("3")
    assert (row.intent, row.ambiguous, row.prompt_message_id) == ("score", True, None)
    assert line.item("callback").severity == "page_now"
    assert line.answers == ["which_one"]
    assert {each.status for each in line.rows(CheckIn)} == {"open"}


def test_a_digit_that_fits_one_of_two_answers_that(line: Line) -> None:
    """`8` is no answer to the evening's 0 to 3: the craving is recorded, and staff are told."""
    _a_dose_nobody_knew_of(line)
    row = line.says("8")
    daily, evening = line.rows(CheckIn)
    assert (row.ambiguous, daily.value, evening.status) == (False, 8, "open")
    assert line.item("high_score").severity == "call_today"


# --- the guard at the claim -----------------------------------------------------------------------


def _question(line: Line, who: UUID, *, sent: bool, **columns: object) -> UUID:
    """Write a question for a number to a patient, that went out or is due now."""
    [message_id] = line.world.due()
    values = {
        "patient_id": who,
        "expects": "craving_scale",
        "status": "delivered" if sent else "planned",
        "step": f"asks-{message_id}",
        "priority": 60,
        "attempts": int(sent),
        "answer_until": line.world.now + timedelta(hours=3),
        **columns,
    }
    line.world.execute(
        f"UPDATE message SET {', '.join(f'{name} = :{name}' for name in values)} WHERE id = :id",
        id=message_id,
        **values,
    )
    if sent:
        line.world.execute(
            "UPDATE message SET submitted_at = due_at, accepted_at = due_at WHERE id = :id",
            id=message_id,
        )
    return message_id


def _claimed(line: Line, message_id: UUID) -> tuple[str, str | None, datetime | None]:
    line.world.send()
    row = line.world.message(message_id)
    return row.status, row.reason, row.next_at


def test_a_claim_holds_a_number_back_while_a_more_important_one_is_open(line: Line) -> None:
    """Until that ends, where there is time; else it is skipped with the reason."""
    [who] = line.someone()
    until = line.world.now + timedelta(hours=2)
    _question(line, who, sent=True, priority=40, answer_until=until)
    waits = _question(line, who, sent=False, latest_at=until + timedelta(minutes=1))
    over = _question(line, who, sent=False, latest_at=until)
    assert _claimed(line, waits) == ("planned", "other_number", until)
    assert _claimed(line, over)[:2] == ("skipped", "other_number")


def test_a_claim_lets_the_check_after_a_dose_go_in_any_case(line: Line) -> None:
    """What was asked a moment ago stays open beside it."""
    [who] = line.someone()
    earlier = _question(line, who, sent=True)
    check = _question(line, who, sent=False, priority=40, expects="side_effect_check")
    assert _claimed(line, check)[0] == "accepted"
    assert line.world.message(earlier).answer_until > line.world.now


def test_a_claim_ends_what_has_been_open_for_long_enough(line: Line) -> None:
    """As the next number is asked, and its check-in with it, so that silence counts from there."""
    [who] = line.someone()
    asked_at = line.world.now - timedelta(hours=7)
    earlier = _question(line, who, sent=True, due_at=asked_at)
    line.world.execute(
        "INSERT INTO check_in (id, clinic_id, patient_id, message_id, item, context, asked_at,"
        " ends_at) SELECT id, clinic_id, patient_id, id, step, expects, due_at, answer_until"
        " FROM message WHERE id = :id",
        id=earlier,
    )
    following = _question(line, who, sent=False)
    now = line.world.now
    assert _claimed(line, following)[0] == "accepted"
    assert line.world.message(earlier).answer_until == now
    [check_in] = [each for each in line.rows(CheckIn) if each.message_id == earlier]
    assert check_in.ends_at == now


def test_a_nudge_is_no_other_question(line: Line) -> None:
    """It repeats the one that is open, and goes."""
    [who] = line.someone()
    asked = line.world.message(_question(line, who, sent=True))
    nudge = _question(
        line,
        who,
        sent=False,
        step=f"{asked.step}.nudge",
        nudge_for=asked.step,
        occurrence=asked.occurrence,
    )
    assert _claimed(line, nudge)[0] == "accepted"


def test_a_question_is_as_old_as_its_first_text(line: Line) -> None:
    """Asked seven hours ago and repeated two hours later: the next number may go."""
    [who] = line.someone()
    line.world.execute(
        "UPDATE clinic SET settings = jsonb_set(settings, '{caps,per_day}', '5'),"
        " version = version + 1"
    )
    now = line.world.now
    first = _question(line, who, sent=True, due_at=now - timedelta(hours=7))
    asked = line.world.message(first)
    _question(
        line,
        who,
        sent=True,
        due_at=now - timedelta(hours=5),
        step=f"{asked.step}.nudge",
        nudge_for=asked.step,
        occurrence=asked.occurrence,
        enrollment_id=asked.enrollment_id,
    )
    assert _claimed(line, _question(line, who, sent=False))[0] == "accepted"
    assert line.world.message(first).answer_until == now
