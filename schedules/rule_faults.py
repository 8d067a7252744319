"""What is wrong with the questions of a protocol and its rules about answers and silence.

A rule that no answer can meet, or that says nothing beyond another, looks like a safeguard and is
none. Called by `checks`, step by step.
"""

from collections.abc import Iterator
from itertools import permutations

from schedules.followup_rules import MISSES_FLAGGED
from schedules.followups import FollowUpReason, more_urgent
from schedules.protocol import (
    COMES_AGAIN,
    EXPECTS_NOTHING,
    AnswerCondition,
    AnswerTest,
    FollowUpRule,
    Protocol,
    Step,
    Worse,
)

#: A fault of a step: the key it is about, what is wrong, and how to mend it.
Found = Iterator[tuple[str | None, str, str]]

_SCORE_TESTS = {AnswerTest.ANY_SCORE_AT_LEAST, AnswerTest.EVERY_SCORE_AT_LEAST}
_NUMBER_TESTS = frozenset(AnswerTest) - {AnswerTest.INTENT, AnswerTest.ANY_OTHER} - _SCORE_TESTS
#: How a test against the patient's own median is written, and what the number does.
_MEDIAN_TESTS = {
    AnswerTest.NUMBER_RISES_BY: ("up", "rise"),
    AnswerTest.NUMBER_FALLS_BY: ("down", "fall"),
}
_SCALES = {"craving_scale": (0, 10), "side_effect_check": (0, 3)}
_KEEP_ONE = "Take it out, or give it a reason or a severity of its own"


def of_step(protocol: Protocol, step: Step) -> Found:
    """Give what is wrong with what a step asks, and with what its answers and silence open."""
    if step.expects == EXPECTS_NOTHING:
        yield from _asks_nothing(step)
        return
    if step.answer_until is None:
        mend = "Write until when an answer counts, such as `24 hours after sending`"
        yield None, "it asks something, and `answer_until` is missing", mend
    yield from _answers(step)
    yield from _wrong_way(step)
    yield from _shadowed(step)
    yield from _once_only(protocol, step)
    yield from _rests_for_good(step)


def _asks_nothing(step: Step) -> Found:
    for key, given in (
        ("answer_until", step.answer_until),
        ("nudge", step.nudges),
        ("pause_after", step.pause_after),
        ("unanswered", step.unanswered),
        ("on_answer", step.on_answer),
    ):
        if given:
            yield key, f"it asks nothing, so `{key}` has no meaning", "Add `expects: ...`"


def _answers(step: Step) -> Found:
    """Find rules about answers that are never read that way."""
    low, high = scale_of(step.expects)
    for at, rule in enumerate(step.on_answer):
        number, test = rule.when.number, rule.when.test
        if test in _MEDIAN_TESTS and high and not 0 < (number or 0) <= high - low:
            way, word = _MEDIAN_TESTS[test]
            mend = f"Its scale has {high - low + 1} numbers: write `{way} by {high - low}` or less"
            yield f"on_answer.{at}", f"no number can {word} by {number} here", mend
        elif test in _NUMBER_TESTS and (number is None or not low <= number <= high):
            mend = "Name a number of its scale" if high else "Ask for a number in `expects`"
            yield f"on_answer.{at}", f"no answer can ever be `{number}` here", mend
        if (test in _SCORE_TESTS) is not (step.form is not None):
            mend = "Say `form: ...` for scores, and test nothing else of a form"
            yield f"on_answer.{at}", "scores are those of a form, and it has nothing else", mend


def _wrong_way(step: Step) -> Found:
    """Find rules that call for somebody who gets better, by the end of the scale that worries."""
    if step.worse is Worse.LOW and scale_of(step.expects) == (0, 0):
        yield "worse", "it asks for no number, so no end of it can be worse", "Leave `worse` out"
        return
    away, towards = ("up", "down") if step.worse is Worse.LOW else ("down", "up")
    for at, rule in enumerate(step.on_answer):
        if rule.when.test in _MEDIAN_TESTS and _MEDIAN_TESTS[rule.when.test][0] == away:
            mend = f"Write `{towards} by {rule.when.number}`, or say `worse:` of the step"
            yield (
                f"on_answer.{at}",
                f"{step.worse or Worse.HIGH} numbers worry here, and this is better",
                mend,
            )


def scale_of(expects: str) -> tuple[int, int]:
    """Give the numbers a context reads; (0, 0) when it reads none."""
    if expects.startswith("scale:"):
        low, _, high = expects.removeprefix("scale:").partition("-")
        return int(low), int(high)
    return _SCALES.get(expects, (0, 0))


def _shadowed(step: Step) -> Found:
    """Find rules that add nothing: another is met whenever they are, and says as much or more."""
    low, high = scale_of(step.expects)
    told: set[int] = set()
    pairs = permutations(enumerate(step.on_answer), 2)
    for (other_at, other), (at, rule) in sorted(pairs, key=lambda pair: pair[0][0]):
        if at not in told and other_at not in told and _says_as_much(other, rule, low, high):
            told.add(at)
            message = f"it opens nothing, since rule {other_at + 1} is met whenever it is"
            yield f"on_answer.{at}", message, _KEEP_ONE
    told = set()
    for (other_at, first), (at, second) in permutations(enumerate(step.unanswered), 2):
        alike = first.reason == second.reason and first.at == second.at
        urgent = more_urgent(first.severity, second.severity) is first.severity
        if alike and urgent and first.misses <= second.misses and other_at not in told:
            told.add(at)
            message = f"it opens nothing, since rule {other_at + 1} is met whenever it is"
            yield f"unanswered.{at}", message, _KEEP_ONE


def _says_as_much(other: FollowUpRule, rule: FollowUpRule, low: int, high: int) -> bool:
    return (
        other.reason == rule.reason
        and other.due == rule.due
        and more_urgent(other.severity, rule.severity) is other.severity
        and _covers(other.when, rule.when, low, high)
    )


def _covers(wide: AnswerCondition, narrow: AnswerCondition, low: int, high: int) -> bool:
    """Whether every answer that meets `narrow` meets `wide`."""
    if AnswerTest.ANY_OTHER in (wide.test, narrow.test):
        return wide.test is narrow.test
    if AnswerTest.INTENT in (wide.test, narrow.test):
        alike = wide.test is narrow.test and wide.intent == narrow.intent
        return alike and wide.times <= narrow.times
    if _SCORE_TESTS & {wide.test, narrow.test}:
        easier = wide.test in (narrow.test, AnswerTest.ANY_SCORE_AT_LEAST)
        return easier and (wide.number or 0) <= (narrow.number or 0)
    if wide.test in _MEDIAN_TESTS:
        return wide.test is narrow.test and (wide.number or 0) <= (narrow.number or 0)
    if wide.times > narrow.times:
        return False
    return _numbers(narrow, low, high) <= _numbers(wide, low, high)


def _numbers(when: AnswerCondition, low: int, high: int) -> set[int]:
    """Give the numbers of a scale with which a condition can be met."""
    number = when.number or 0
    return {
        AnswerTest.NUMBER_IS: {number},
        AnswerTest.NUMBER_AT_LEAST: set(range(number, high + 1)),
        AnswerTest.NUMBER_AT_MOST: set(range(low, number + 1)),
        AnswerTest.NUMBER_RISES_BY: set(range(low + number, high + 1)),
        AnswerTest.NUMBER_FALLS_BY: set(range(low, high - number + 1)),
    }[when.test]


def _rests_for_good(step: Step) -> Found:
    """Find a question that rests with nobody told: only the end of that item wakes it."""
    rest = step.pause_after
    if rest is None or _is_told(step, rest):
        return
    message = "it would rest for good: nothing opens `missed_check_ins` by then"
    mend = f"Add `unanswered: {{misses: {rest}, open: missed_check_ins}}`"
    yield "pause_after", message, mend


def _is_told(step: Step, rest: int) -> bool:
    """Whether staff have heard of the silence by then; check-ins tell of it by themselves."""
    if step.unanswered:
        opened = FollowUpReason.MISSED_CHECK_INS
        return any(each.reason == opened and each.misses <= rest for each in step.unanswered)
    has_scale = scale_of(step.expects)[1] > 0
    return has_scale and step.purpose == "check_ins" and rest >= MISSES_FLAGGED


def _once_only(protocol: Protocol, step: Step) -> Found:
    """Find rules that count more answers or misses running than there are questions.

    What a visit's step asks is asked again at the patient's next visit; a rest counts within one.
    """
    if step.again is not None or step.when.anchor in COMES_AGAIN:
        return
    asked = sum(len(phase.days()) for phase in step.repeat) if step.repeat else 1
    mend = f"It is asked {asked} times; count at most so many" if asked > 1 else "Add `repeat: ...`"
    if step.pause_after is not None and step.pause_after > asked:
        yield "pause_after", f"it is never asked {step.pause_after} times running", mend
    if protocol.visits is not None:
        return
    for at, silence in enumerate(step.unanswered):
        if silence.misses > asked:
            message = f"it is never asked {silence.misses} times running"
            yield f"unanswered.{at}", message, mend
    for at, rule in enumerate(step.on_answer):
        if rule.when.times > asked:
            yield f"on_answer.{at}", f"it is never asked {rule.when.times} times running", mend
