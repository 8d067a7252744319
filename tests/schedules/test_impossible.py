"""What can never happen is refused with its line and mend; all else comes about for somebody."""
# ruff: noqa: E501 - The sentences of a protocol stand on one line each, as in its file.

import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedules.errors import ProtocolError
from schedules.facts import Dose, EnrollmentFacts, VisitStatus
from schedules.loader import load, shipped_files
from schedules.planner import plan
from schedules.protocol import StaysOn
from schedules.windows import SendWindow
from tests.schedules.planning import NEW_YORK, clinic, patient, visit

VISIT = """\
id: own
title: Own
for: {visit: dosing, routes: [iv, im]}
purpose: visits
importance: visit
steps:
  - id: a
    template: visit_48h
    when: 48 hours before visit start
    latest: 26 hours before visit start
    expects: yes_no
    answer_until: at visit start
    nudge: {after: 2 hours, template: visit_48h}
    on_answer:
      - {when: "yes", open: health_news, severity: call_today, by: 24 hours before visit start}
      - {when: "no", open: question, severity: digest}
    unanswered: {open: no_answer, severity: call_today, at: 24 hours before visit start}
    if_not_delivered: {open: instruction_not_delivered, severity: call_today, call_by: 24 hours before visit start}
tasks:
  - id: b
    when: 2 hours after visit start
    only_if: no integration booked
    open: callback
    severity: call_today
  - id: c
    when: 4 hours after dose check-out
    open: callback
    severity: call_today
"""
BY_HAND = """\
id: own
title: Own
enroll: by hand
purpose: check_ins
importance: check-in
steps:
  - id: a
    template: daily_0_10
    when: same day as enrollment at 17:00
    repeat: from day 1 to day 14, every day
    latest: 3 hours after sending
    expects: craving_scale
    answer_until: 20 hours after sending
    nudge: {after: 2 hours, template: checkin_missed}
    on_answer:
      - {when: 10, open: page_score, severity: page_now}
      - {when: 7 or more, open: high_score, severity: call_today}
      - {when: up by 3, open: rising_score, severity: next_business_day}
    unanswered:
      - {misses: 2, open: missed_check_ins, severity: next_business_day}
      - {misses: 3, open: missed_check_ins, severity: call_today}
    pause_after: 5
tasks:
  - id: b
    when: 3 days after last dose at 10:00
    open: callback
    severity: call_today
"""
EVENING = """\
id: own
title: Own
for: {visit: dosing}
purpose: health_questions
importance: after-dose
steps:
  - id: a
    template: after_evening
    when: 4 hours after dose check-out, between 17:00 and 19:45
    latest: same day as dose check-out at 20:00
    expects: side_effect_check
    answer_until: 1 day after sending at 09:00
  - id: b
    template: after_morning
    when: 1 day after step a at 09:30
    latest: 3 hours after sending
    expects: side_effect_check
    answer_until: 8 hours after sending
"""
RIDE = """\
id: own
title: Own
for: {visit: dosing}
purpose: visits
importance: ride
steps:
  - id: a
    template: visit_2h_ride
    when: 2 hours before visit start
    stays_on: same day
    otherwise: {template: visit_eve_ride, when: 1 day before visit start at 16:00, stays_on: day before}
    latest: 45 minutes before visit start
"""

#: What is written, what is put in its place, the line of the fault, and words of it.
IMPOSSIBLE = [
    # Times of rules that lie where they are of no use, or hang on what there is not.
    (VISIT, "at: 24 hours before visit start", "at: 50 hours before visit start", 17, "over before the text goes"),
    (VISIT, "at: 24 hours before visit start", "at: 1 hour after visit start", 17, "after the visit"),
    (VISIT, "at: 24 hours before visit start", "at: 1 hour after step b", 17, "counts from another step"),
    (VISIT, "at: 24 hours before visit start", "at: 1 hour after dose check-out", 17, "not known for certain"),
    (VISIT, "by: 24 hours before visit start", "by: 3 hours after visit start", 15, "after the visit"),
    (VISIT, "by: 24 hours before visit start", "by: 49 hours before visit start", 15, "over before the text goes"),
    (VISIT, "by: 24 hours before visit start", "by: 1 hour after no-show", 15, "not known for certain"),
    (VISIT, "call_by: 24 hours before visit start", "call_by: 1 hour after visit end", 18, "after the visit"),
    (VISIT, "call_by: 24 hours before visit start", "call_by: 60 hours before visit start", 18, "over before"),
    (VISIT, "call_by: 24 hours before visit start", "call_by: 2 hours before told time", 18, "not known for certain"),
    (BY_HAND, "severity: call_today}\n    pause", "severity: call_today, at: 1 hour before visit start}\n    pause", 21, "needs a visit"),
    (BY_HAND, "severity: page_now}", "severity: page_now, by: at visit start}", 16, "needs a visit"),
    (BY_HAND, "severity: call_today}\n    pause", "severity: call_today, at: 30 hours after sending}\n    pause", 21, "answer has stopped"),
    # Answers that stop counting before they are asked for, and nudges after that.
    (VISIT, "answer_until: at visit start", "answer_until: 49 hours before visit start", 12, "stops counting"),
    (BY_HAND, "answer_until: 20 hours after sending", "answer_until: 1 hour before sending", 13, "stops counting"),
    (BY_HAND, "answer_until: 20 hours after sending", "answer_until: same day as sending at 16:00", 13, "stops counting"),
    (BY_HAND, "after: 2 hours", "after: 21 hours", 14, "after the answer has stopped counting"),
    (BY_HAND, "after: 2 hours", "after: 20 hours", 14, "after the answer has stopped counting"),
    (BY_HAND, "answer_until: 20 hours", "answer_until: 2 hours", 14, "after the answer has stopped counting"),
    (VISIT, "after: 2 hours", "after: 3 days", 13, "after the answer has stopped counting"),
    # Rules that no answer can meet, or that say nothing beyond another.
    (BY_HAND, "when: 10,", "when: 11,", 16, "no answer can ever be `11`"),
    (BY_HAND, "when: 7 or more", "when: 12 or more", 17, "no answer can ever be `12`"),
    (BY_HAND, "up by 3", "up by 11", 18, "no number can rise by 11"),
    (BY_HAND, "up by 3", "up by 0", 18, "no number can rise by 0"),
    (BY_HAND, "{when: 10, open: page_score, severity: page_now}", "{when: 8 or more, open: high_score, severity: digest}", 16, "rule 2 is met whenever it is"),
    (BY_HAND, "open: rising_score, severity: next_business_day", "open: rising_score, severity: digest}\n      - {when: up by 5, open: rising_score, severity: digest", 19, "rule 3 is met whenever it is"),
    (VISIT, '"no", open: question, severity: digest', '"yes", open: health_news, severity: call_today, by: 24 hours before visit start', 16, "rule 1 is met whenever it is"),
    (VISIT, '{when: "no", open: question', "{when: 3, open: question", 16, "no answer can ever be `3`"),
    (BY_HAND, "misses: 3, open: missed_check_ins, severity: call_today", "misses: 3, open: missed_check_ins, severity: digest", 21, "rule 1 is met whenever it is"),
    (BY_HAND, "{misses: 2, open: missed_check_ins, severity: next_business_day}", "{misses: 15, open: missed_check_ins, severity: page_now}", 20, "never asked 15 times running"),
    (BY_HAND, "pause_after: 5", "pause_after: 15", 22, "never asked 15 times running"),
    (BY_HAND, "pause_after: 5", "pause_after: 1", 22, "would rest for good"),
    (VISIT, "    nudge:", "    pause_after: 1\n    nudge:", 13, "would rest for good"),
    (BY_HAND, "    repeat: from day 1 to day 14, every day\n", "", 19, "never asked 2 times running"),
    # Tasks: ids, what they count from, what they wait for.
    (VISIT, "- id: c", "- id: b", 20, "used 2 times"),
    (VISIT, "2 hours after visit start", "2 hours after step a", 21, "cannot count from `step a`"),
    (VISIT, "2 hours after visit start", "2 hours before food cut-off", 21, "cannot count from `food cut-off`"),
    (VISIT, "2 hours after visit start", "2 hours after lunch", 21, "nothing a time can count from"),
    (VISIT, "2 hours after visit start", "1 day after enrollment at 10:00", 21, "no day of their own"),
    (VISIT, "2 hours after visit start", "1 hour after consent", 21, "starts with the consent"),
    (VISIT, "2 hours after visit start", "3 days before booking", 21, "never comes about"),
    (VISIT, "only_if: no integration booked", "only_if: no dose that day", 22, "is about a text"),
    (VISIT, "only_if: no integration booked", "only_if: no other number that day", 22, "is about a text"),
    (VISIT, "only_if: no integration booked", "only_if: [confirmed, not confirmed]", 22, "exclude each other"),
    (VISIT, "only_if: no integration booked", "only_if: route lozenge", 22, "this protocol is for im, iv"),
    (VISIT, "only_if: no integration booked", "only_if: no dose booked", 21, "never comes about"),
    (BY_HAND, "3 days after last dose at 10:00", "3 days after visit start at 10:00", 25, "needs a visit"),
    (BY_HAND, "    open: callback\n", "    only_if: confirmed\n    open: callback\n", 26, "needs a visit"),
    # Texts that could never be sent.
    (VISIT, "latest: 26 hours before visit start", "latest: 1 hour before booking", 10, "can never be sent"),
    (VISIT, "latest: 26 hours before visit start", "latest: 49 hours before food cut-off", 10, "can never be sent"),
    (VISIT, "when: 48 hours before visit start", "when: at dose check-out", 10, "can never be sent"),
    (VISIT, "    expects: yes_no", "    only_if: [route iv, route not iv or im]\n    expects: yes_no", 11, "can never be sent"),
    (VISIT, "    expects: yes_no", "    only_if: no dose booked\n    expects: yes_no", 11, "can never be sent"),
    (VISIT, "for: {visit: dosing, routes: [iv, im]}", "for: {visit: assessment}", 26, "never comes about"),
    (EVENING, "for: {visit: dosing}", "for: {visit: integration}", 9, "never happens"),
    (EVENING, "same day as dose check-out at 20:00", "same day as dose check-out at 07:00", 10, "can never be sent"),
    (EVENING, "    latest: 3 hours after sending", "    only_if: [virtual, in person]\n    latest: 3 hours after sending", 16, "exclude each other"),
    (EVENING, "1 day after step a at 09:30", "1 day before step a at 09:30", 15, "can never be sent"),
    (EVENING, "3 hours after sending", "3 hours before sending", 16, "can never be sent"),
    (RIDE, "    otherwise: {template: visit_eve_ride, when: 1 day before visit start at 16:00, stays_on: day before}\n", "    only_if: no dose that day\n", 11, "always the day of a dose"),
    (RIDE, "1 day before visit start at 16:00", "1 day after visit start at 16:00", 11, "true only the day before"),
    (RIDE, "1 day before visit start at 16:00, stays_on: day before", "1 hour after visit start", 11, "never be sent in its other form"),
    (RIDE, "45 minutes before visit start", "1 day before visit start at 12:00", 12, "can never be sent"),
    (BY_HAND, "latest: 3 hours after sending", "latest: same day as enrollment at 12:00", 11, "can never be sent"),
    (BY_HAND, "latest: 3 hours after sending", "latest: 3 hours after lapse", 11, "not known for certain"),
    (BY_HAND, "same day as enrollment at 17:00", "same day as enrollment at 17:00, between 02:00 and 03:00", 9, "span of hours"),
    (BY_HAND, "    latest: 3 hours after sending", "    only_if: [opted in, confirmed]\n    latest: 3 hours after sending", 11, "needs a visit"),
    (BY_HAND.replace("tasks:", "  - {id: z, template: daily_0_10, when: same day as enrollment at 17:00, repeat: 'from day 1 to day 30, every day', latest: 3 hours after sending, expects: craving_scale, answer_until: 9 hours after sending}\ntasks:"),
     "    latest: 3 hours after sending\n", "    only_if: no other number that day\n    latest: 3 hours after sending\n", 11, "other steps ask for a number"),
]  # fmt: skip


def test_what_the_mistakes_are_made_in_is_right():
    """Else a mistake would be refused for another reason."""
    for text in (VISIT, BY_HAND, EVENING, RIDE):
        load(text, "own.yaml")


@pytest.mark.parametrize(("text", "old", "new", "line", "message"), IMPOSSIBLE)
def test_an_impossible_shape_is_refused_with_its_line(text, old, new, line, message):
    """Nothing that looks like a safeguard may be none."""
    assert old in text
    with pytest.raises(ProtocolError) as caught:
        load(text.replace(old, new, 1), "own.yaml")
    faults = caught.value.faults
    assert all(fault.line and fault.mend for fault in faults)
    assert [fault.line for fault in faults if message in fault.message][:1] == [line], faults


def test_what_is_played_through_is_told_with_the_other_faults():
    """A coordinator mends a file in one go: one step's number, and another one's nudge."""
    step = BY_HAND[BY_HAND.index("  - id: a") : BY_HAND.index("tasks:")]
    late = step.replace("id: a", "id: z").replace("after: 2 hours", "after: 21 hours")
    text = BY_HAND.replace("when: 10,", "when: 12,").replace("tasks:", f"{late}tasks:")
    with pytest.raises(ProtocolError) as caught:
        load(text, "own.yaml")
    found = [fault.message.split(":")[0] for fault in caught.value.faults]
    assert found == ["step `a`", "step `z`"]


# --- a shipped file with one thing changed


MOMENTS = [
    "at visit start", "2 hours before visit start", "48 hours before visit start", "1 hour after visit start",
    "2 days before visit start at 10:00", "1 day before visit start at 16:00", "same day as visit start at 19:00",
    "1 hour before visit end", "at booking", "1 day after booking at 10:00", "4 hours after dose check-out",
    "1 day after dose check-out at 09:30", "at unrecorded closing", "30 minutes after check-out", "15 minutes after no-show", "at announced move",
    "1 day after enrollment at 12:00", "same day as quit date at 17:00", "28 days after last dose at 11:00",
    "2 hours after lapse", "2 hours before food cut-off", "3 hours after sending", "same day as sending at 13:00",
    "1 day after sending at 09:00", "3 hours before sending", "7 days after sending", "2 hours before told time",
]  # fmt: skip
CONDITIONS = [
    "confirmed", "not confirmed", "first dose", "later dose", "no dose that day", "in person", "virtual", "route iv",
    "route not lozenge", "no integration booked", "no dose booked", "not booked again", "missed before", "opted in",
    "number not proved", "no other number that day", "substance is alcohol",
]  # fmt: skip
ANSWERS = [
    "3",
    "10",
    "7 or more",
    "2 or less",
    "up by 3",
    "up by 30",
    "confirm",
    "no twice running",
    "any other answer",
]
LENGTHS = ["30 minutes", "2 hours", "9 hours", "2 days"]
_MOMENT = r"(?:\d+ (?:minute|hour|day|week)s? (?:before|after)|same day as|at) (?:[a-z]+[ -])*?(?:start|end|booking|check-out|no-show|enrollment|date|dose|lapse|cut-off|sending|time|move|cancellation|consent)(?: at \d\d:\d\d)?(?: or their own hour)?(?:, between \d\d:\d\d and \d\d:\d\d)?"
PLACES = (
    (re.compile(rf"(?<=[a-z]: ){_MOMENT}"), MOMENTS),
    (re.compile(r"(?<=only_if: )(?!\[).+"), CONDITIONS),
    (re.compile(r"(?<=\{when: )[^,]+"), [f'"{answer}"' for answer in ANSWERS]),
    (re.compile(r"(?<=after: )\d+ \w+"), LENGTHS),
    (re.compile(r"(?<=misses: )\d+"), ["1", "2", "30"]),
    (re.compile(r"(?<=pause_after: )\d+"), ["1", "30"]),
    (re.compile(r"(?<=visit: )[a-z]+"), ["assessment", "dosing", "integration", "followup"]),
    (
        re.compile(r"(?<=stays_on: )(?:day before|same day|same evening|morning after)"),
        [str(one) for one in StaysOn],
    ),
)


@st.composite
def changed(draw) -> str:
    """A shipped file with one of its sentences replaced by another of the language."""
    text = draw(st.sampled_from(sorted(shipped_files().values())))
    found = [(place, words) for pattern, words in PLACES for place in pattern.finditer(text)]
    place, words = draw(st.sampled_from(found))
    return text[: place.start()] + draw(st.sampled_from(words)) + text[place.end() :]


def a_year(protocol):
    """Draw a year's visits and patients of all sorts: what happened to them, and when it was known."""
    luck = random.Random(4)
    place = clinic(staffed=False, window=SendWindow(opens=time(8), closes=time(21)))
    for _ in range(12_000):
        day = date(2026, 1, 5) + timedelta(days=luck.randrange(365))
        start = datetime.combine(day, time(luck.randrange(24), luck.choice((0, 20, 40))), NEW_YORK)
        start = start.astimezone(UTC)
        lead = timedelta(hours=luck.choice((3, 20, 24 * 5, 24 * 13, 24 * 40)))
        person = replace(
            patient(),
            quit_date=day + timedelta(days=luck.choice((-1, 7, 30))),
            lapsed_at=start,
            substances=frozenset({luck.choice(("alcohol", "opioids", "nicotine"))}),
            proved=luck.random() < 0.8,
        )
        dose = replace(
            visit(start),
            id="other",
            status=VisitStatus.CHECKED_OUT,
            checked_out_at=start,
            dose=Dose.GIVEN,
        )
        missed = replace(
            visit(start - timedelta(days=9)),
            id="gone",
            kind="assessment",
            status=VisitStatus.NO_SHOW,
        )
        if protocol.visits is None:
            enrolled = EnrollmentFacts(
                id="e", protocol=protocol, enrolled_at=start - lead, anchor_day=day
            )
            yield (
                enrolled,
                person,
                place,
                start - lead * luck.randrange(2),
                (dose, missed)[: luck.randrange(3)],
            )
            continue
        mine = replace(
            visit(start),
            kind=luck.choice(sorted(protocol.visits.kinds)),
            route=luck.choice((None, "iv", "im", "lozenge")),
            booked_at=start - lead,
            modality=luck.choice(("virtual", "in_person")),
            confirmed_start=luck.choice((start, None)),
            dose_number=luck.choice((1, 2)),
        )
        out = start + timedelta(minutes=luck.choice((20, 120, 500)))
        given = Dose.GIVEN if mine.kind == "dosing" else None
        happened, now = luck.choice(
            (
                (mine, mine.booked_at),
                (replace(mine, announced_at=mine.booked_at), mine.booked_at),
                (
                    replace(mine, status=VisitStatus.CHECKED_OUT, checked_out_at=out, dose=given),
                    out,
                ),
                (replace(mine, status=VisitStatus.NO_SHOW, no_show_at=out), out),
                (
                    replace(mine, status=VisitStatus.ARRIVED, arrived_at=start),
                    start + timedelta(hours=3),
                ),
                (
                    replace(
                        mine,
                        moved_at=start - lead / 2,
                        announced_at=start - lead / 2,
                        told_start=start + lead,
                    ),
                    start - lead / 2,
                ),
                (
                    replace(
                        mine,
                        status=VisitStatus.CANCELLED,
                        cancelled_at=start - lead / 2,
                        announced_at=start - lead / 2,
                        told_start=start,
                    ),
                    start - lead / 2,
                ),
            )
        )
        enrolled = EnrollmentFacts(
            id="e", protocol=protocol, enrolled_at=mine.booked_at, appointment=happened
        )
        yield enrolled, person, place, now, (happened, missed)[: luck.choice((1, 1, 2))]


def never_sent(protocol) -> set[str]:
    """Plan the year until each step has a text that goes."""
    left = {step.id for step in protocol.steps}
    for enrolled, person, place, now, visits in a_year(protocol):
        if not left:
            break
        for text in plan(
            enrolled, person, place, now=now, horizon=timedelta(days=400), appointments=visits
        ):
            if text.skip_reason is None:
                left.discard(text.step)
    return left


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(changed())
def test_a_changed_file_is_refused_with_a_line_or_each_of_its_texts_goes_to_somebody(text):
    """Whatever passes the check reaches someone in a year of visits."""
    try:
        protocol = load(text, "changed.yaml")
    except ProtocolError as refused:
        faults = refused.faults
    else:
        faults, left = (), never_sent(protocol)
        assert left == set()
    assert all(fault.line and fault.mend for fault in faults)
