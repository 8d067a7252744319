"""Which follow-ups answers, silence, failed texts and visits want, and by when."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.facts import AppointmentFacts, Dose, VisitStatus
from schedules.followup_rules import (
    FollowUpReason,
    WantedFollowUp,
    for_answer,
    for_misses,
    for_reading,
    for_reply,
    for_score,
    for_silence,
    for_undelivered,
    for_visit_texts,
    missing_events,
    wanted,
)
from schedules.followups import DEFAULT_SEVERITY
from schedules.protocol import (
    Anchor,
    AnswerCondition,
    AnswerTest,
    FollowUpRule,
    Importance,
    Moment,
    NotDeliveredRule,
    Purpose,
    Step,
    UnansweredRule,
)
from schedules.staffing import Severity, Span, StaffedHours

NEW_YORK = ZoneInfo("America/New_York")
STAFFED = StaffedHours(hours=dict.fromkeys(range(5), (Span.parse("08:00-17:00"),)), zone=NEW_YORK)
BEFORE_VISIT = Moment(anchor=Anchor.VISIT_START, minutes=-60)


def local(text: str) -> datetime:
    """An instant by the clinic's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


NOW = local("2026-11-24 09:00")
STARTS = local("2026-11-24 13:00")


def resolve(moment: Moment) -> datetime:
    """What the planner would compute for a visit at 13:00."""
    return STARTS + timedelta(minutes=moment.minutes or 0)


def step(**fields) -> Step:
    """A step with only what a test is about."""
    return Step(
        **{
            "id": "ask",
            "template": "ask",
            "when": BEFORE_VISIT,
            "latest": BEFORE_VISIT,
            "purpose": Purpose.VISITS,
            "importance": Importance.VISIT,
            **fields,
        }
    )


def rule(reason: str, severity: str, due: Moment | None = None, **when) -> FollowUpRule:
    return FollowUpRule(
        when=AnswerCondition(**when), reason=reason, severity=Severity(severity), due=due
    )


RIDE = step(
    expects="yes_no",
    on_answer=(
        rule(
            "ride_missing",
            "call_today",
            BEFORE_VISIT,
            test=AnswerTest.INTENT,
            intent="decline_reschedule",
        ),
    ),
)
DAILY = step(
    expects="scale:0-10",
    on_answer=(
        rule("page_score", "page_now", test=AnswerTest.NUMBER_AT_LEAST, number=10),
        rule("high_score", "call_today", test=AnswerTest.NUMBER_AT_LEAST, number=7),
        rule("rising_score", "next_business_day", test=AnswerTest.NUMBER_RISES_BY, number=3),
    ),
)


def read(intent: str, severity: str | None = None, value: str | None = None, **more):
    return for_reading(intent, severity, value, now=NOW, staffed=STAFFED, about="p1", **more)


def reasons(items: tuple[WantedFollowUp, ...]) -> list[tuple[str, str]]:
    return [(str(item.reason), item.severity.value) for item in items]


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        ("crisis", [("crisis", "page_now")]),
        ("overdose", [("overdose", "page_now")]),
        ("medical_emergency", [("medical_emergency", "page_now")]),
        ("side_effect", [("side_effect", "call_today")]),
        ("use_disclosed", [("use_disclosed", "call_today")]),
        ("callback_request", [("callback", "call_today")]),
        ("wrong_number", [("wrong_number", "call_today")]),
        ("running_late", [("running_late", "call_today")]),
        ("question_for_staff", [("question", "next_business_day")]),
        ("unclear", [("unclear_reply", "next_business_day")]),
        ("score_out_of_range", [("unclear_reply", "next_business_day")]),
        ("stop", [("opted_out", "digest")]),
        ("pause", [("paused", "digest")]),
        ("decline_reschedule", [("change_requested", "call_today")]),
        ("confirm", [("unclear_reply", "next_business_day")]),
        ("score", [("unclear_reply", "next_business_day")]),
        ("start", [("question", "next_business_day")]),
        ("help", []),
        ("thanks_no_action", []),
    ],
)
def test_every_reading_has_its_follow_up(intent, expected):
    """An answer that nothing asked for goes to a person too; a thank-you does not."""
    assert reasons(read(intent)) == expected


@pytest.mark.parametrize("intent", ["confirm", "decline_reschedule", "score"])
def test_an_answer_to_a_prompt_is_left_to_the_step(intent):
    """With a prompt open, the step's own rules judge it, however severe the reading calls it."""
    assert read(intent, "call_today", prompt_open=True) == ()


def test_the_reading_can_only_raise_the_severity():
    """ALTO while a scale is open wants a call today; a milder word changes nothing."""
    assert reasons(read("unclear", "call_today")) == [("unclear_reply", "call_today")]
    assert reasons(read("crisis", "digest")) == [("crisis", "page_now")]
    assert reasons(read("thanks_no_action", "call_today")) == [("unclear_reply", "call_today")]


def test_everything_else_in_the_text_is_followed_up_as_well():
    """A score with a side effect and a crisis word opens two items, the page first."""
    found = read("side_effect", also=("crisis", "overdose"), prompt_open=True)
    assert reasons(found) == [("crisis", "page_now"), ("side_effect", "call_today")]
    assert found[0].also == (FollowUpReason.OVERDOSE,)


@pytest.mark.parametrize("beside", ["decline_reschedule", "confirm"])
def test_what_danger_says_of_a_visit_opens_nothing_more(beside):
    """Whoever reads the page reads it, and decides what holds."""
    assert reasons(read("crisis", "page_now", "self_harm", also=[beside])) == [
        ("crisis", "page_now")
    ]


def test_all_safety_texts_share_one_open_item():
    """A new safety text joins the open item instead of opening a second."""
    causes = {read(intent)[0].cause for intent in ("crisis", "overdose", "medical_emergency")}
    assert causes == {"safety:p1"}


@pytest.mark.parametrize("word", ["Cancel", "END", "quit", "cancelar"])
def test_a_stop_word_that_may_answer_the_prompt_is_looked_at_today(word):
    """QUIT may answer a question; it stops, and a person asks what was meant (care rule 17)."""
    assert reasons(read("stop", value=word, prompt_open=True)) == [
        ("may_have_meant_something_else", "call_today"),
        ("opted_out", "digest"),
    ]
    assert reasons(read("stop", keyword=word)) == [("opted_out", "digest")]
    assert reasons(read("stop", value="stop", prompt_open=True)) == [("opted_out", "digest")]


@pytest.mark.parametrize(
    ("number", "previous", "expected"),
    [
        (10, [], [("page_score", "page_now")]),
        (9.5, [], [("page_score", "page_now")]),
        (6.5, [], [("high_score", "call_today")]),
        (5.5, [3, 2.5, 3], [("rising_score", "next_business_day")]),
        (4.5, [3, 2.5, 3], []),
        (7, [], [("high_score", "call_today")]),
        (9, [9, 9, 9], [("high_score", "call_today")]),
        (6, [3, 2, 9], [("rising_score", "next_business_day")]),
        (6, [0, 0, 4, 4, 4], []),
        (6, [1, 1], []),
        (5, [3, 3, 3], []),
        (0, [], []),
    ],
)
def test_thresholds_of_a_number_from_0_to_10(number, previous, expected):
    """10 pages, 7 is called, a rise of 3 over the own median of three answers is next day."""
    assert reasons(for_score(number, previous, now=NOW, staffed=STAFFED, about="m1")) == expected
    answer = for_answer(
        DAILY, "score", str(number), now=NOW, staffed=STAFFED, previous=previous, about="m1"
    )
    assert reasons(answer) == expected
    unruled = step(expects="scale:0-10")
    plain = for_answer(
        unruled, "score", str(number), now=NOW, staffed=STAFFED, about="m1", previous=previous
    )
    assert reasons(plain) == expected


def test_of_several_matches_the_most_severe_opens_and_the_rest_are_named():
    """A 10 after 1, 1, 1 is one page that also says high and rising."""
    found = for_answer(
        DAILY, "score", "10", now=NOW, staffed=STAFFED, previous=[1, 1, 1], about="m1"
    )
    assert found == (
        WantedFollowUp(
            reason=FollowUpReason.PAGE_SCORE,
            severity=Severity.PAGE_NOW,
            due_at=NOW + timedelta(minutes=10),
            cause="page_score:m1",
            also=(FollowUpReason.HIGH_SCORE, FollowUpReason.RISING_SCORE),
        ),
    )


@given(number=st.integers(0, 10), previous=st.lists(st.integers(0, 10), max_size=6))
def test_a_higher_number_is_never_less_urgent(number, previous):
    """Raising the answer by one never lowers the severity."""

    def urgency(value: int) -> int:
        found = for_score(value, previous, now=NOW, staffed=STAFFED, about="m1")
        return list(Severity).index(found[0].severity) if found else len(Severity)

    assert number == 10 or urgency(number + 1) <= urgency(number)


def test_an_out_of_range_number_never_meets_a_threshold():
    """11 is no 10: it goes to a person as unclear, not as a page."""
    assert for_answer(DAILY, "score_out_of_range", "11", now=NOW, staffed=STAFFED, about="m1") == ()
    assert reasons(read("score_out_of_range", value="11", prompt_open=True)) == [
        ("unclear_reply", "next_business_day")
    ]


def test_a_rule_with_its_own_deadline_is_due_by_it():
    """No ride at 11:30 for a visit at 13:00 is a call by 12:00, at 12:30 it is due at once."""
    early, late = local("2026-11-24 11:30"), local("2026-11-24 12:30")
    ask = {"staffed": STAFFED, "resolve": resolve, "about": "v1"}
    found = for_answer(RIDE, "decline_reschedule", None, now=early, **ask)
    assert [(item.reason, item.due_at, item.cause) for item in found] == [
        (FollowUpReason.RIDE_MISSING, local("2026-11-24 12:00"), "ride_missing:v1")
    ]
    assert for_answer(RIDE, "decline_reschedule", None, now=late, **ask)[0].due_at == late
    assert for_answer(RIDE, "confirm", None, now=early, **ask) == ()


def test_a_protocol_may_name_reasons_of_its_own():
    """Its word is kept, and its severity rules."""
    own = step(on_answer=(rule("asked_twice", "digest", test=AnswerTest.INTENT, intent="confirm"),))
    found = for_answer(own, "confirm", now=NOW, staffed=STAFFED, about="m1")
    assert [(item.reason, item.cause) for item in found] == [("asked_twice", "asked_twice:m1")]


def test_a_wish_to_change_a_visit_is_never_lost():
    """A reminder whose author wrote no rule for R still opens a change request."""
    reminder = step(expects="appointment_reminder")
    found = for_answer(reminder, "decline_reschedule", now=NOW, staffed=STAFFED, about="v1")
    assert reasons(found) == [("change_requested", "call_today")]


def test_the_catch_all_takes_answers_and_not_other_matters():
    """`any other` means an answer that no rule named, never a stop or an unclear text."""
    asks = step(
        expects="yes_no",
        on_answer=(
            rule("health_news", "call_today", test=AnswerTest.INTENT, intent="confirm"),
            rule("no_answer", "digest", test=AnswerTest.ANY_OTHER),
        ),
    )

    def answer(intent: str) -> list[tuple[str, str]]:
        return reasons(for_answer(asks, intent, now=NOW, staffed=STAFFED, about="m1"))

    assert answer("confirm") == [("health_news", "call_today")]
    assert answer("decline_reschedule") == [("no_answer", "digest")]
    assert [answer(intent) for intent in ("unclear", "stop", "help", "crisis")] == [[], [], [], []]


@pytest.mark.parametrize(
    ("test", "number", "value", "matches"),
    [
        (AnswerTest.NUMBER_IS, 2, "2", True),
        (AnswerTest.NUMBER_IS, 2, "3", False),
        (AnswerTest.NUMBER_AT_MOST, 2, "2", True),
        (AnswerTest.NUMBER_AT_MOST, 2, "3", False),
        (AnswerTest.NUMBER_AT_LEAST, 2, "1", False),
        (AnswerTest.NUMBER_IS, 2, "1.5", True),
        (AnswerTest.NUMBER_AT_MOST, 2, "2.5", True),
        (AnswerTest.NUMBER_AT_LEAST, 2, "1.5", True),
        (AnswerTest.NUMBER_AT_LEAST, 2, "0.5", False),
        (AnswerTest.NUMBER_AT_LEAST, 2, "two", False),
    ],
)
def test_bounds_include_their_number(test, number, value, matches):
    """Each kind of comparison at its edge; a half counts as the number beside it that worries."""
    asks = step(on_answer=(rule("side_effect", "call_today", test=test, number=number),))
    found = for_answer(asks, "score", value, now=NOW, staffed=STAFFED, about="m1")
    assert bool(found) is matches


def test_a_reply_is_judged_by_its_step_and_by_itself_without_saying_a_thing_twice():
    """A call wanted by the step's rule is one item; a side effect beside the number is a second."""
    asks = step(
        expects="scale:0-3",
        on_answer=(
            rule("callback", "page_now", test=AnswerTest.INTENT, intent="callback_request"),
            rule("side_effect", "call_today", test=AnswerTest.NUMBER_AT_LEAST, number=2),
        ),
    )
    given = {"now": NOW, "staffed": STAFFED, "patient": "p1", "about": "m1"}
    called = for_reply(asks, "callback_request", "call_today", **given)
    assert [(item.cause, item.severity) for item in called] == [("callback:m1", Severity.PAGE_NOW)]
    unwell = for_reply(asks, "score", "call_today", "2", also=("question_for_staff",), **given)
    assert [item.cause for item in unwell] == ["side_effect:m1", "question:p1"]
    unasked = for_reply(None, "decline_reschedule", **given)
    assert [item.cause for item in unasked] == ["change_requested:p1"]


SILENCE = step(
    unanswered=(
        UnansweredRule(
            reason="missed_check_ins", severity=Severity.NEXT_BUSINESS_DAY, misses=2, at=None
        ),
        UnansweredRule(reason="missed_check_ins", severity=Severity.CALL_TODAY, misses=3),
        UnansweredRule(reason="no_answer", severity=Severity.CALL_TODAY, misses=9, at=BEFORE_VISIT),
    )
)


@pytest.mark.parametrize(
    ("misses", "ended", "expected"),
    [
        (1, True, []),
        (2, True, [("missed_check_ins", "next_business_day")]),
        (2, False, []),
        (3, True, [("missed_check_ins", "call_today")]),
    ],
)
def test_silence_counts_when_the_answer_window_ends(misses, ended, expected):
    """The most severe rule that the misses reach, and nothing while an answer may still come."""
    found = for_silence(SILENCE, misses=misses, now=NOW, staffed=STAFFED, about="m1", ended=ended)
    assert reasons(found) == expected


def test_silence_before_a_visit_counts_from_its_own_time():
    """A rule with a time waits for it, whether or not the answer window is over."""
    asks = {"misses": 9, "staffed": STAFFED, "resolve": resolve, "ended": False, "about": "m"}
    assert for_silence(SILENCE, now=local("2026-11-24 11:59"), **asks) == ()
    late = for_silence(SILENCE, now=local("2026-11-24 12:00"), **asks)
    assert reasons(late) == [("no_answer", "call_today")]


@pytest.mark.parametrize(
    ("misses", "undelivered", "phone_after", "expected"),
    [
        (1, 0, 3, []),
        (2, 0, 3, [("missed_check_ins", "next_business_day")]),
        (3, 0, 3, [("missed_check_ins", "call_today")]),
        (2, 0, 2, [("missed_check_ins", "call_today")]),
        (0, 1, 3, []),
        (0, 2, 3, [("cannot_reach", "call_today")]),
    ],
)
def test_misses_are_flagged_then_phoned(misses, undelivered, phone_after, expected):
    """Two in a row are flagged, three phoned, opioids sooner; undelivered is not a miss."""
    found = for_misses(
        misses,
        now=NOW,
        staffed=STAFFED,
        about="m1",
        undelivered=undelivered,
        phone_after=phone_after,
    )
    assert reasons(found) == expected


FOOD = step(
    if_not_delivered=NotDeliveredRule(
        reason="instruction_not_delivered", severity=Severity.CALL_TODAY, call_by=BEFORE_VISIT
    )
)


@pytest.mark.parametrize(
    ("status", "reason", "now", "answered", "opens"),
    [
        ("delivered", None, "2026-11-24 09:00", False, False),
        ("undelivered", None, "2026-11-24 09:00", False, True),
        ("failed", "permanent", "2026-11-24 09:00", False, True),
        ("expired", None, "2026-11-24 09:00", False, True),
        ("skipped", "cap", "2026-11-24 09:00", False, True),
        ("skipped", "change_requested", "2026-11-24 09:00", False, True),
        ("cancelled", "patient_held", "2026-11-24 09:00", False, True),
        ("cancelled", "visit_cancelled", "2026-11-24 09:00", False, False),
        ("sent", None, "2026-11-24 10:59", False, False),
        ("sent", None, "2026-11-24 11:00", False, True),
        ("planned", None, "2026-11-24 11:00", False, True),
        ("sent", None, "2026-11-24 11:00", True, False),
    ],
)
def test_an_instruction_that_did_not_arrive_becomes_a_call(status, reason, now, answered, opens):
    """Every end but delivered, and no proof an hour before the deadline (care rule 2)."""
    found = for_undelivered(
        FOOD,
        status,
        reason,
        now=local(now),
        staffed=STAFFED,
        resolve=resolve,
        answered=answered,
        about="m1",
    )
    assert bool(found) is opens
    assert all(item.due_at <= local("2026-11-24 12:00") for item in found)


@pytest.mark.parametrize(
    ("goes", "now", "opens"),
    [
        ("2026-11-24 11:00", "2026-11-24 11:00", False),
        ("2026-11-24 11:00", "2026-11-24 11:14", False),
        ("2026-11-24 11:00", "2026-11-24 11:15", True),
        ("2026-11-24 11:15", "2026-11-24 11:29", False),
        ("2026-11-24 11:15", "2026-11-24 11:30", True),
        ("2026-11-24 11:16", "2026-11-24 11:16", True),
        ("2026-11-24 11:55", "2026-11-24 11:55", True),
        ("2026-11-23 17:00", "2026-11-24 10:59", False),
        ("2026-11-23 17:00", "2026-11-24 11:00", True),
    ],
)
def test_a_text_that_has_just_gone_is_no_call_yet(goes, now, opens):
    """It has a quarter of an hour to arrive, unless that leaves no half hour for the call."""
    found = for_undelivered(
        FOOD,
        "accepted",
        now=local(now),
        staffed=STAFFED,
        resolve=resolve,
        text_due_at=local(goes),
        about="m1",
    )
    assert bool(found) is opens


def test_a_text_known_long_before_not_to_go_is_called_when_it_would_have_gone():
    """A food text of next week, skipped today, is a call of next week."""
    later = local("2026-11-24 10:00")
    asks = {"staffed": STAFFED, "resolve": resolve, "text_due_at": later, "about": "m1"}
    early = for_undelivered(FOOD, "skipped", "no_consent", now=local("2026-11-20 09:00"), **asks)
    assert [item.due_at for item in early] == [local("2026-11-24 12:00")]
    assert for_undelivered(FOOD, "skipped", now=STARTS, starts_at=STARTS, **asks) == ()


def test_a_step_without_such_a_rule_asks_for_no_call():
    """A text that carries no instruction may fail quietly."""
    assert (
        for_undelivered(
            step(), "failed", None, now=NOW, staffed=STAFFED, about="m1", resolve=resolve
        )
        == ()
    )


def test_a_visit_whose_every_text_stayed_away_opens_not_reminded():
    """One delivered text is enough; a visit that has begun needs no reminder."""
    asks = {"starts_at": STARTS, "staffed": STAFFED, "about": "v1"}
    found = for_visit_texts(["skipped", "expired"], now=NOW, **asks)
    assert [(item.reason, item.cause) for item in found] == [
        (FollowUpReason.NOT_REMINDED, "not_reminded:v1")
    ]
    assert for_visit_texts(["skipped", "delivered"], now=NOW, **asks) == ()
    assert for_visit_texts([], now=NOW, **asks) == ()
    assert for_visit_texts(["skipped"], now=STARTS, **asks) == ()


def visit(**fields) -> AppointmentFacts:
    return AppointmentFacts(
        **{
            "id": "v1",
            "booked_at": NOW,
            "kind": "dosing",
            "starts_at": STARTS,
            "ends_at": local("2026-11-24 15:00"),
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("now", "fields", "expected"),
    [
        ("13:14", {}, []),
        ("13:15", {}, ["arrival"]),
        ("13:15", {"kind": "integration"}, ["arrival"]),
        ("13:15", {"arrived_at": STARTS, "status": VisitStatus.ARRIVED}, []),
        ("15:30", {"arrived_at": STARTS, "status": VisitStatus.ARRIVED}, ["outcome"]),
        ("15:30", {}, ["arrival", "outcome"]),
        ("15:30", {"kind": "assessment", "status": VisitStatus.ARRIVED}, []),
        (
            "16:30",
            {"arrived_at": STARTS, "status": VisitStatus.ARRIVED},
            ["outcome", "outcome_before_closing"],
        ),
        (
            "17:00",
            {"status": VisitStatus.FULFILLED, "checked_out_at": STARTS},
            ["outcome", "outcome_before_closing", "lead"],
        ),
        (
            "17:00",
            {"status": VisitStatus.FULFILLED, "checked_out_at": STARTS, "dose": Dose.GIVEN},
            [],
        ),
        ("17:00", {"status": VisitStatus.FULFILLED, "dose": Dose.NOT_GIVEN}, []),
        ("17:00", {"status": VisitStatus.CANCELLED}, []),
        ("17:00", {"status": VisitStatus.NO_SHOW}, []),
    ],
)
def test_missing_visit_events_are_asked_for(now, fields, expected):
    """Arrival at +15 min, outcome at end +30 and closing -30, the lead at closing (care rule 6)."""
    found = missing_events(visit(**fields), local(f"2026-11-24 {now}"), STAFFED)
    assert [item.cause.rpartition(":")[2] for item in found] == expected
    assert [item.for_lead for item in found] == [what == "lead" for what in expected]


def test_the_lead_is_asked_in_the_evening_and_staff_by_closing():
    """Due times do not slip with the sweep that found the gap."""
    late = missing_events(
        visit(arrived_at=STARTS, status=VisitStatus.ARRIVED), local("2026-11-25 03:00"), STAFFED
    )
    assert [item.due_at for item in late] == [
        local("2026-11-24 17:00"),
        local("2026-11-24 17:00"),
        local("2026-11-24 18:00"),
    ]


def test_a_visit_that_moved_is_asked_about_again():
    """The cause names the start time, so that the answered item of the old time closes nothing."""
    old, new = (
        missing_events(visit(starts_at=starts, ends_at=None), starts + timedelta(hours=1), STAFFED)
        for starts in (STARTS, STARTS + timedelta(days=1))
    )
    assert not {item.cause for item in old} & {item.cause for item in new}


def test_old_visits_without_events_are_left_alone():
    """A first import of last year's visits opens nothing."""
    assert missing_events(visit(), STARTS + timedelta(days=8), STAFFED) == ()


def test_a_follow_up_about_nothing_is_refused():
    """Two patients never share an open item."""
    with pytest.raises(ValueError, match="what it is about"):
        wanted(FollowUpReason.CRISIS, now=NOW, staffed=STAFFED, about="")


def test_every_reason_has_a_default_severity_and_a_cause():
    """Any reason can be wanted by itself, about the patient or about one thing."""
    assert set(DEFAULT_SEVERITY) == set(FollowUpReason)
    for reason in FollowUpReason:
        item = wanted(reason, now=NOW, staffed=STAFFED, about="x")
        assert item.due_at > NOW
        assert item.cause in ("safety:x", f"{reason}:x")
