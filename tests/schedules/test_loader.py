"""Protocol files: what can be said, and every fault with its place and mend."""
# ruff: noqa: E501 - The sentences of a protocol stand on one line each, as in its file.

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.clinic import UnknownPolicy
from schedules.errors import ProtocolError
from schedules.followups import FollowUpReason
from schedules.loader import load, load_all
from schedules.phrases import (
    MAX_DAYS,
    MAX_ELAPSED_MINUTES,
    PhraseError,
    answer,
    condition,
    duration_minutes,
    moment,
    moment_phrase,
    phase,
)
from schedules.protocol import (
    DAY_ANCHORS,
    Anchor,
    AnswerTest,
    ConditionKind,
    LateBooking,
    Moment,
    Phase,
    Severity,
    StaysOn,
)

HEAD = """\
id: ride
title: Ride home
for: {visit: dosing, routes: [iv, im]}
purpose: visits
importance: visit
steps:
"""
STEP = """\
  - id: ask
    template: visit_2h_ride
    when: 2 hours before visit start
    latest: 45 minutes before visit start
"""
FULL = (
    HEAD
    + STEP
    + """\
    stays_on: same day
    otherwise: {template: visit_eve_ride, when: 1 day before visit start at 16:00, stays_on: day before}
    importance: ride
    only_if: [not confirmed, route iv]
    late_booking: send at once
    needs_staffed_hours: 2.5
    unknown: prefer_silence
    expects: yes_no
    answer_until: at visit start
    nudge: {after: 90 minutes, template: visit_eve_ride}
    on_answer:
      - {when: "no", open: ride_missing, severity: call_today, by: 60 minutes before visit start}
    unanswered: {open: no_answer, severity: call_today, misses: 2, at: 60 minutes before visit start}
    if_not_delivered: {open: instruction_not_delivered, severity: page_now, call_by: at visit start}
"""
)
BY_HAND = """\
id: daily
title: Daily
enroll: by hand
purpose: check_ins
importance: check-in
steps:
  - id: ask
    template: daily
    when: same day as enrollment at 17:00
    latest: 3 hours after sending
"""


def faults(text, templates=None):
    with pytest.raises(ProtocolError) as caught:
        load(text, "p.yaml", templates=templates)
    return caught.value.faults


def test_a_step_can_say_everything():
    """Each key becomes what it says."""
    protocol = load(FULL, "p.yaml")
    (step,) = protocol.steps
    assert protocol.visits is not None
    assert protocol.visits.matches("dosing", "iv", None)
    assert protocol.visits.matches("dosing", None, "home")
    assert not protocol.visits.matches("dosing", "lozenge", None)
    assert step.when == Moment(anchor=Anchor.VISIT_START, minutes=-120)
    assert step.otherwise is not None
    assert step.otherwise.when == Moment(anchor=Anchor.VISIT_START, days=-1, clock=time(16))
    assert (step.stays_on, step.otherwise.stays_on) == (StaysOn.SAME_DAY, StaysOn.DAY_BEFORE)
    assert {one.kind for one in step.only_if} == {
        ConditionKind.NOT_CONFIRMED,
        ConditionKind.ROUTE,
    }
    assert step.late_booking is LateBooking.SEND_AT_ONCE
    assert step.needs_staffed_minutes == 150
    assert step.unknown is UnknownPolicy.PREFER_SILENCE
    [nudge] = step.nudges
    assert nudge.after_minutes == 90
    assert step.on_answer[0].when.intent == "decline_reschedule"
    assert step.on_answer[0].reason == FollowUpReason.RIDE_MISSING
    assert step.unanswered[0].misses == 2
    assert step.if_not_delivered is not None
    assert step.if_not_delivered.severity is Severity.PAGE_NOW
    assert list(step.templates()) == ["visit_2h_ride", "visit_eve_ride", "visit_eve_ride"]


def test_a_route_can_be_ruled_out():
    """It stands in a step for other routes, and may be any of several."""
    (step,) = load(HEAD + STEP + "    only_if: route not lozenge or im\n", "p").steps
    (condition,) = step.only_if
    assert condition.kind is ConditionKind.ROUTE_NOT
    assert condition.routes == {"lozenge", "im"}


def test_a_food_or_ride_text_becomes_a_call_unless_the_file_says_otherwise():
    """Care rule 2's default, due at the step's latest time."""
    (step,) = load(HEAD + STEP + "    importance: food\n", "p").steps
    assert step.if_not_delivered is not None
    assert step.if_not_delivered.call_by == step.latest
    off = HEAD + STEP + "    importance: food\n    if_not_delivered: nothing\n"
    assert load(off, "p").steps[0].if_not_delivered is None
    assert load(HEAD + STEP, "p").steps[0].if_not_delivered is None


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "mend"),
    [
        ("latest:", "lates:", 10, "`lates` is not a key here", "Did you mean `latest`?"),
        ("    latest: 45 minutes before visit start\n", "", 7, "`latest` is missing", "Add"),
        ("2 hours before visit", "2 hours befor visit", 9, "is not a time", "Write it like"),
        ("2 hours before visit start", "2 hours before lunch", 9, "nothing a time", "`check-out`"),
        ("2 hours before", "900 hours before", 9, "too many hours", "count in days"),
        ("2 hours before visit start", "2 hours before food cut-off", 9, "cannot count", "latest"),
        ("45 minutes", "3 hours", 10, "over before it is due", "Put `latest` after"),
        ("for: {visit: dosing, routes: [iv, im]}\n", "", 1, "whom it is for", "enroll: by hand"),
        ("[iv, im]", "[iv, pill]", 3, "`pill` is no route", "iv, im, lozenge"),
        ("purpose: visits", "purpose: fun", 4, "`fun` is no purpose", "check_ins"),
        ("purpose: visits\n", "", 6, "`purpose` is missing", "once for the protocol"),
        ("id: ride", "id: Ride!", 1, "is no id", "small letters"),
        ("steps:\n" + STEP, "steps: []\n", 6, "there is no step", "Add at least one"),
    ],
)
def test_a_fault_names_its_line_and_mend(old, new, line, message, mend):
    """One change, one fault, in the words of the file."""
    text = (HEAD + STEP).replace(old, new)
    (fault,) = faults(text)
    assert fault.line == line
    assert message in fault.message
    assert mend in fault.mend


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("    stays_on: day before\n    when2: x\n", "`when2`"),
        ("    expects: yes_no\n", "`answer_until` is missing"),
        ("    nudge: {after: 2 hours, template: x}\n", "`nudge` has no meaning"),
        ("    nudge: {after: soon, template: x}\n", "not a length of time"),
        ("    only_if: [confirmed, not confirmed]\n", "exclude each other"),
        ("    only_if: route lozenge\n", "can never be sent"),
        ("    only_if: sunny\n", "no condition"),
        ("    expects: scale:10-0\n", "no answer that can be read"),
        ("    late_booking: now\n", "no late_booking"),
        ("    needs_staffed_hours: many\n", "no usable needs_staffed_hours"),
        ("    repeat: every day\n", "not a repeat"),
        ("    repeat: from day 1 to day 3, every day\n", "counted in days"),
        ("    on_answer: yes\n", "must be a list"),
        ("    otherwise: soon\n", "`key: value`"),
        (
            "    expects: yes_no\n    answer_until: at visit start\n    on_answer: [{when: 7 or more, open: high_score, severity: digest}]\n",
            "no answer can ever be `7`",
        ),
        (
            "    if_not_delivered: {open: high_scores, severity: digest, call_by: at visit start}\n",
            "`high_scores` is no open",
        ),
    ],
)
def test_what_a_step_cannot_mean_is_refused(more, message):
    """Words that are no words of the language, and rules without a meaning."""
    assert any(message in fault.message for fault in faults(HEAD + STEP + more))


def test_all_faults_come_at_once_in_order():
    """A coordinator mends a file in one go."""
    text = (HEAD + STEP).replace("purpose: visits", "purpose: fun").replace("latest", "later")
    lines = [fault.line for fault in faults(text)]
    assert lines == sorted(lines)
    assert len(lines) >= 3


def test_steps_that_wait_for_each_other_are_refused():
    """The circle is written out."""
    step = "  - {{id: {0}, template: t, when: 1 day after step {1} at 10:00, latest: 2 hours after sending}}\n"
    text = HEAD + step.format("a", "b") + step.format("b", "a")
    found = faults(text)
    assert [fault.line for fault in found] == [7, 8]
    assert "a -> b -> a" in found[0].message


def test_a_step_cannot_count_from_one_that_is_not_there_or_repeats():
    """Neither gives one instant."""
    (fault,) = faults(
        HEAD + STEP.replace("before visit start\n    latest", "after step no\n    latest")
    )
    assert "there is no step `no`" in fault.message
    repeats = BY_HAND + "    repeat: from day 1 to day 3, every day\n"
    follows = repeats + (
        "  - {id: b, template: t, when: 1 day after step ask at 9:00, latest: 1 hour after sending}\n"
    )
    assert "repeats" in faults(follows)[0].message


def test_overlapping_phases_are_refused():
    """Two phases on one day would ask twice."""
    text = (
        BY_HAND
        + '    repeat: ["from day 1 to day 14, every day", "from day 14 to day 20, every 2 days"]\n'
    )
    (fault,) = faults(text)
    assert "day 14 lies in the one that ends on day 14" in fault.message


def test_phases_and_tapers_are_read():
    """Daily, then weekly."""
    text = BY_HAND + (
        "    repeat:\n      - from day 1 to day 14, every day\n"
        "      - from day 21 to day 84, every 7 days\n"
    )
    (step,) = load(text, "p").steps
    assert step.repeat == (
        Phase(first_day=1, last_day=14, every_days=1),
        Phase(first_day=21, last_day=84, every_days=7),
    )
    assert list(step.repeat[1].days())[:3] == [21, 28, 35]


def test_a_double_step_id_is_refused_on_both_lines():
    """Rows are told apart by it."""
    assert [fault.line for fault in faults(HEAD + STEP + STEP)] == [7, 11]


def test_a_protocol_by_hand_has_no_visit_to_count_from():
    """Neither in `when` nor in a condition."""
    found = faults(BY_HAND.replace("same day as enrollment at 17:00", "at visit start"))
    assert "needs a visit" in found[0].message
    found = faults(BY_HAND + "    only_if: confirmed\n")
    assert "needs a visit" in found[0].message


def test_templates_must_exist_and_get_their_variables():
    """A text about a visit's time makes no sense in a check-in."""
    (fault,) = faults(HEAD + STEP, templates={})
    assert "there is no text `visit_2h_ride`" in fault.message
    (fault,) = faults(BY_HAND, templates={"daily": frozenset({"sms_name", "time"})})
    assert "wants {time}" in fault.message
    assert load(BY_HAND, "p", templates={"daily": frozenset({"sms_name"})}).id == "daily"


def test_a_span_of_hours_outside_the_window_never_sends():
    """Nobody is texted at 21:00."""
    when = "4 hours after dose check-out, between 21:00 and 22:00"
    text = HEAD + STEP.replace("2 hours before visit start", when).replace(
        "45 minutes before visit start", "same day as dose check-out at 22:30"
    )
    assert "nobody is texted at that time" in faults(text)[0].message


def test_two_files_with_one_id_are_refused():
    """The fault names the other file."""
    with pytest.raises(ProtocolError) as caught:
        load_all({"a.yaml": BY_HAND, "b.yaml": BY_HAND})
    assert "a.yaml" in str(caught.value)


def test_yaml_faults_are_protocol_faults():
    """Whoever checks a file sees one kind of error."""
    assert "YAML" in faults("id: [")[0].message
    assert "not a protocol" in faults("just words")[0].message


amounts = st.one_of(
    st.builds(
        lambda anchor, minutes: Moment(anchor=anchor, minutes=minutes),
        st.sampled_from([one for one in Anchor if one not in {*DAY_ANCHORS, Anchor.STEP}]),
        st.integers(-MAX_ELAPSED_MINUTES, MAX_ELAPSED_MINUTES),
    ),
    st.builds(
        lambda anchor, days, hour, own: Moment(
            anchor=anchor,
            step="ask" if anchor is Anchor.STEP else None,
            days=days,
            clock=time(hour, 30),
            own_hour=own,
        ),
        st.sampled_from(list(Anchor)),
        st.integers(-MAX_DAYS, MAX_DAYS),
        st.integers(0, 23),
        st.booleans(),
    ),
)


@given(amounts)
def test_a_moment_written_out_reads_back(value):
    """Export and import say the same."""
    assert moment(moment_phrase(value)) == value


@pytest.mark.parametrize("read", [moment, duration_minutes, phase, condition, answer])
@given(text=st.text(max_size=40))
def test_any_words_are_read_or_refused(read, text):
    """Nothing but PhraseError comes out."""
    try:
        read(text)
    except PhraseError as error:
        assert error.mend  # noqa: PT017 - Either way is right; a refusal must say the mend.


@pytest.mark.parametrize(
    ("text", "test", "number"),
    [
        ("7 or more", AnswerTest.NUMBER_AT_LEAST, 7),
        ("3 or less", AnswerTest.NUMBER_AT_MOST, 3),
        ("10", AnswerTest.NUMBER_IS, 10),
        ("up by 3", AnswerTest.NUMBER_RISES_BY, 3),
        ("any other answer", AnswerTest.ANY_OTHER, None),
    ],
)
def test_answers_are_told_by_number(text, test, number):
    """The thresholds of the clinical brief, section 3 can be said."""
    found = answer(text)
    assert (found.test, found.number) == (test, number)


def test_one_day_is_written_as_one():
    """A question after three months is no span of days."""
    assert phase("on day 90") == phase("from day 90 to day 90, every day")
    with pytest.raises(PhraseError, match="`on day 0` holds no day"):
        phase("on day 0")
