"""Thresholds of numbers: twice running, a fall as well as a rise, and which end worries."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schedules.errors import ProtocolError
from schedules.followup_rules import for_answer
from schedules.loader import load
from schedules.protocol import Step, Worse
from schedules.staffing import Span, StaffedHours

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
HOURS = StaffedHours(
    hours={day: (Span.parse("08:00-17:00"),) for day in range(5)}, zone=ZoneInfo("America/New_York")
)
MOOD = """\
id: mood
title: A mood a day
enroll: by hand
steps:
  - id: mood
    template: weekly_confidence
    when: same day as enrollment at 17:00
    repeat: from day 1 to day 30, every day
    latest: 3 hours after sending
    purpose: check_ins
    importance: check-in
    expects: scale:1-10
    worse: low
    answer_until: 20 hours after sending
    on_answer:
"""


def mood(*rules: str, worse: str = "worse: low") -> Step:
    """Return the step with these rules, as a protocol file has them."""
    lines = "".join(f"      - {{when: {rule}, open: low_score}}\n" for rule in rules)
    lines = lines.replace("}", ", severity: call_today}")
    text = MOOD.replace("worse: low", worse) + lines
    step = load(text, "mood.yaml").step("mood")
    assert step is not None
    return step


def opens(step: Step, *numbers: int) -> bool:
    """Whether the last of these answers opens something."""
    *previous, number = numbers
    found = for_answer(
        step, "score", str(number), now=NOW, staffed=HOURS, previous=previous, about="p"
    )
    return bool(found)


@pytest.mark.parametrize(
    ("numbers", "opened"),
    [
        ((3,), False),
        ((3, 3), True),
        ((1, 2), True),
        ((4, 3), False),
        ((3, 4), False),
        ((2, 8, 3), False),
        ((8, 3, 2), True),
    ],
)
def test_a_low_mood_twice_running_opens_an_item(numbers: tuple[int, ...], opened: bool) -> None:
    """The clinical brief, section 3: 3 or less two days running; once, or parted, is not."""
    assert opens(mood("3 or less twice running"), *numbers) is opened


@pytest.mark.parametrize(
    ("rule", "numbers", "opened"),
    [
        ("8 or more 3 times running", (9, 8, 10), True),
        ("8 or more 3 times running", (8, 9), False),
        ("8 or more 3 times running", (9, 7, 9), False),
        ("8 3 times running", (8, 8, 8), True),
        ("8 3 times running", (8, 8, 9), False),
    ],
)
def test_a_number_can_be_asked_for_three_times_running(
    rule: str, numbers: tuple[int, ...], opened: bool
) -> None:
    """Each of the answers has to meet it."""
    assert opens(mood(rule, worse="worse: high"), *numbers) is opened


@pytest.mark.parametrize(
    ("numbers", "opened"),
    [((8, 8, 8, 5), True), ((8, 8, 8, 6), False), ((8, 8, 5), False), ((5, 5, 5, 9), False)],
)
def test_a_fall_is_told_from_a_rise(numbers: tuple[int, ...], opened: bool) -> None:
    """Against the median of the patient's own last three; fewer answers say nothing yet."""
    assert opens(mood("down by 3"), *numbers) is opened


@pytest.mark.parametrize(
    ("rule", "worse", "fault"),
    [
        ("up by 3", "worse: low", "low numbers worry here, and this is better. Write `down by 3`"),
        ("down by 3", "worse: high", "high numbers worry here, and this is better"),
        ("down by 12", "worse: low", "no number can fall by 12 here"),
        ("up by 3 twice running", "worse: high", "is no answer a rule can look for"),
        ("11 or more twice running", "worse: high", "no answer can ever be `11` here"),
        ("3 or less twice running", "worse: lwo", "`lwo` is no worse. Did you mean `low`?"),
    ],
)
def test_a_rule_that_looks_the_wrong_way_is_a_fault(rule: str, worse: str, fault: str) -> None:
    """With line and mend."""
    with pytest.raises(ProtocolError) as caught:
        mood(rule, worse=worse)
    [said] = [str(each) for each in caught.value.faults]
    assert said.startswith("mood.yaml:")
    assert fault in said


def test_a_rule_once_and_twice_running_are_two() -> None:
    """The one does not make the other needless, unless it is as urgent for the same reason."""
    with pytest.raises(ProtocolError, match="it opens nothing, since rule 1 is met whenever it is"):
        mood("3 or less", "3 or less twice running")
    assert mood("3 or less twice running", "1").worse is Worse.LOW


def test_a_low_end_needs_a_number() -> None:
    """A question for C or R has no ends."""
    text = MOOD.replace("scale:1-10", "yes_no") + "      - {when: yes, open: low_score, "
    with pytest.raises(ProtocolError, match="it asks for no number"):
        load(text + "severity: call_today}\n", "mood.yaml")


def test_without_rules_ten_is_good_where_low_is_worse() -> None:
    """The default thresholds of 0-10 look at the end that worries."""
    plain = MOOD.replace("scale:1-10", "scale:0-10").replace("    on_answer:\n", "")
    step = load(plain, "mood.yaml").step("mood")
    assert step is not None
    assert not opens(step, 10)
    assert opens(step, 3)
