"""Whether an answer is what a rule looks for: a word, a number, or a change from the patient's own.

Earlier answers to the same question count where a rule says `twice running`, and the last three of
them where it compares with their median.
"""

from collections.abc import Sequence
from statistics import median

from schedules.protocol import AnswerCondition, AnswerTest

#: So many earlier answers make a median; fewer say nothing yet (the clinical brief, section 3).
MEDIAN_ANSWERS = 3


def answer_fits(
    when: AnswerCondition,
    intent: str,
    number: int | None,
    previous: Sequence[float],
    before: Sequence[str] = (),
) -> bool:
    """Whether an answer meets a condition.

    `previous` are the patient's earlier numbers for this question, and `before` what their earlier
    answers said (intents), each in order.
    """
    if when.test is AnswerTest.INTENT:
        running = [*before, intent][-when.times :]
        return len(running) == when.times and set(running) == {when.intent}
    if number is None or when.number is None:
        return False
    if when.test is AnswerTest.NUMBER_RISES_BY:
        return rises_by(number, previous, when.number)
    if when.test is AnswerTest.NUMBER_FALLS_BY:
        return rises_by(-number, [-each for each in previous], when.number)
    numbers = [*previous, number][-when.times :]
    return len(numbers) == when.times and all(
        _number_fits(when.test, each, when.number) for each in numbers
    )


def _number_fits(test: AnswerTest, number: float, limit: int) -> bool:
    return {
        AnswerTest.NUMBER_IS: number == limit,
        AnswerTest.NUMBER_AT_LEAST: number >= limit,
        AnswerTest.NUMBER_AT_MOST: number <= limit,
    }.get(test, False)


def rises_by(number: int, previous: Sequence[float], rise: int) -> bool:
    """Compare with the median of the last three answers."""
    last = previous[-MEDIAN_ANSWERS:]
    return len(last) == MEDIAN_ANSWERS and number - median(last) >= rise
