"""Rule 3 and care rule 26: the welcome goes before all, and a reply to it proves the number."""

from datetime import timedelta

import pytest

from records.audit import AuditEvent
from schedules.facts import Dose, VisitStatus
from tests.compliance.line import Line
from tests.support.world import phone_of
from worker.refusal import RefusedError
from worker.steps import consents, people, staff_texts, visits

LONG_AGO = "paper,2026-08-01,visits;check_ins;health_questions,v3,yes"
MISTYPED = "+12125550149"


def _admitted(line: Line, **options: bool) -> None:
    """Bring in a patient whose consent is of last summer, with a clinic that announces visits."""
    line.has_imported_before()
    line.admits_by_file(consent=LONG_AGO, **options)


def _asked_daily(line: Line) -> None:
    visits.enroll(line.world.services, line.person().id, "daily-check-in", actor="desk")


def test_rule_03_however_old_a_consent_is_the_welcome_comes_first(line: Line) -> None:
    """A consent of last summer on paper: the first text to the number is the welcome."""
    _admitted(line)
    line.imports("2026-12-15T10:00", patient="P9")
    line.goes_on()

    assert line.read() == ["welcome", "visit_booked"]
    assert line.reads()[0].startswith("Riverside Care: you asked for visit reminders")


def test_rule_03_after_a_quiet_import_the_welcome_goes_before_the_first_text(line: Line) -> None:
    """Nobody hears of a quiet import; what is booked later is told after the welcome."""
    _admitted(line, quiet=True)
    line.goes_on(days=1)
    assert line.reads() == []

    line.imports("2026-12-15T10:00", patient="P9")
    line.goes_on()
    line.goes_on()

    assert line.read() == ["welcome", "visit_booked"]


def test_rule_03_who_is_only_asked_is_welcomed_too(line: Line) -> None:
    """A question that waits for the proof has the welcome sent that asks for it."""
    _admitted(line, quiet=True)
    _asked_daily(line)
    line.goes_on()
    line.goes_on()

    assert line.read() == ["welcome"]


def test_rule_03_nothing_goes_while_the_welcome_waits(line: Line) -> None:
    """Not even what is due before it, and not to somebody who wrote to us before."""
    _admitted(line)
    line.world.plan()
    line.world.execute(
        "UPDATE message SET next_at = :later WHERE protocol = 'welcome'",
        later=line.world.now + timedelta(hours=2),
    )
    line.says("hello")
    staff_texts.write(line.world.services, line.person().id, "Please call us", actor="desk")
    line.world.send()

    assert line.reads() == []
    assert line.why("staff_text") == [("planned", "welcome_first")]


def test_rule_03_a_coordinators_own_text_waits_for_the_welcome(line: Line) -> None:
    """What staff write is no first text either; writing it has the welcome sent."""
    _admitted(line, quiet=True)
    staff_texts.write(line.world.services, line.person().id, "Please call us", actor="desk")
    line.goes_on()

    assert line.read() == ["welcome", "staff_text"]


def test_rule_03_whatever_was_agreed_to_begins_with_the_welcome(line: Line) -> None:
    """Check-ins alone are a program of texts too."""
    line.admits_by_file(consent="paper,2026-08-01,check_ins,v3,yes")
    line.goes_on()

    assert line.read() == ["welcome"]


def test_rule_03_a_number_that_is_new_today_is_welcomed_today(line: Line) -> None:
    """A patient whose number changed within the day is told at the new one."""
    line.admits_by_file(MISTYPED, consent="paper,2026-08-01,visits,v3,yes")
    line.goes_on()
    line.admits_by_file(consent="paper,2026-11-29,visits,v3,yes")
    line.goes_on()

    assert len(line.reads(MISTYPED)) == len(line.reads()) == 1


def test_care_rule_26_a_consent_in_a_file_proves_no_number(line: Line) -> None:
    """A mistyped number is told of visits, and is never asked how somebody feels tonight."""
    _admitted(line)
    _asked_daily(line)
    line.waits_until("2026-12-03 12:00")

    assert line.person().proved_at is None
    assert line.read() == ["welcome"]
    assert {reason for _, reason in line.why("daily_0_10")} == {"number_unproved"}


def test_care_rule_26_the_reply_to_the_welcome_proves_it(line: Line) -> None:
    """What the welcome asks for is enough; the check-ins begin."""
    _admitted(line)
    _asked_daily(line)
    line.goes_on()
    line.says("HI")
    line.waits_until("2026-11-30 18:00")

    assert line.person().proved_at is not None
    assert line.read() == ["welcome", "daily_0_10"]
    assert line.reasons == []


def test_care_rule_26_a_consent_that_staff_record_proves_no_number(line: Line) -> None:
    """They may have it on paper, with the number mistyped."""
    _admitted(line)
    line.goes_on()
    consents.grant(
        line.world.services, line.person().id, purposes=["visits"], method="paper", actor="desk"
    )

    assert line.person().proved_at is None


def test_care_rule_26_staff_who_saw_the_text_prove_it(line: Line) -> None:
    """It is kept who said so; before a welcome went there was nothing to see."""
    _admitted(line)
    who = line.person().id
    with pytest.raises(RefusedError, match="No welcome has gone to this number"):
        people.text_seen(line.world.services, who, actor="staff:kim")
    line.goes_on()
    people.text_seen(line.world.services, who, actor="staff:kim")

    assert line.person().proved_at == line.world.now
    [event] = [each for each in line.rows(AuditEvent) if each.action == "patient.text_seen"]
    assert event.actor == "staff:kim"


def test_care_rule_26_a_welcome_nobody_answers_is_put_before_a_person(line: Line) -> None:
    """Else nobody would notice that this patient gets no check-ins."""
    _admitted(line)
    line.waits_until("2026-12-02 09:00")
    assert line.calls() == []

    line.waits_until("2026-12-02 10:00")
    assert line.calls() == ["number_unproved"]
    assert line.call_by("number_unproved") == "Thu 03 12:00"

    line.waits_until("2026-12-04 10:00")
    assert line.calls() == ["number_unproved"], "once, however long nobody answers"


def test_care_rule_26_a_late_answer_to_the_welcome_ends_the_item(line: Line) -> None:
    """Nobody has to close it."""
    _admitted(line)
    line.waits_until("2026-12-02 10:00")
    line.says("HI")
    line.goes_on()

    assert line.calls() == []
    outcomes = line.world.execute("SELECT outcome FROM follow_up")
    assert outcomes == [("no_longer_needed",)]


def test_care_rule_26_a_welcome_that_came_back_asks_for_one_call_alone(line: Line) -> None:
    """A person looks at that number already."""
    _admitted(line)
    line.arrives = False
    line.goes_on()
    [welcome] = line.texts("welcome")
    line.reports(welcome.id, "undelivered", code=30005)
    line.waits_until("2026-12-02 12:00")

    assert line.calls() == ["cannot_reach"]


def test_care_rule_26_who_left_the_texts_is_not_asked_after(line: Line) -> None:
    """A stop is an answer, and says whose number it is."""
    _admitted(line)
    line.goes_on()
    line.says("STOP")
    line.waits_until("2026-12-02 12:00")

    assert "number_unproved" not in line.calls()


def test_care_rule_26_the_check_after_a_dose_waits_for_it_and_staff_call(line: Line) -> None:
    """The evening text is not sent to an unproved number, and somebody calls instead."""
    _admitted(line)
    line.goes_on()
    line.imports("2026-11-30T08:00", patient="P9", quiet=True)
    line.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    line.waits_until("2026-11-30 20:00")

    assert {reason for _, reason in line.why("after_evening")} == {"number_unproved"}
    assert line.calls()


def test_care_rule_26_who_was_proved_before_stays_so(line: Line) -> None:
    """An import that repeats a proved patient takes nothing back."""
    _admitted(line)
    line.goes_on()
    line.says("HI")
    since = line.person().proved_at
    line.admits_by_file(consent="paper,2026-11-29,visits;check_ins,v3,yes")

    assert line.person().proved_at == since
    assert line.reads(phone_of(0))[0].startswith("Riverside Care: you asked for")
