"""What the scores of a form ask for: the rules of the step that sent its link."""

from collections.abc import Mapping
from datetime import datetime

from schedules.followups import WantedFollowUp, joined, wanted
from schedules.protocol import AnswerTest, FollowUpRule, Step
from schedules.staffing import StaffedHours


def for_form(
    step: Step, scores: Mapping[str, int], *, now: datetime, staffed: StaffedHours, about: str
) -> tuple[WantedFollowUp, ...]:
    """Apply a step's rules to the scores of its form; the most severe that matches counts.

    `about` is the patient's internal id, under which items join.
    """
    items = [
        wanted(rule.reason, now=now, staffed=staffed, severity=rule.severity, about=about)
        for rule in step.on_answer
        if _matches(rule, scores)
    ]
    return (joined(items),) if items else ()


def _matches(rule: FollowUpRule, scores: Mapping[str, int]) -> bool:
    limit = rule.when.number
    if limit is None or not scores:
        return False
    reached = [score >= limit for score in scores.values()]
    every = rule.when.test is AnswerTest.EVERY_SCORE_AT_LEAST
    return all(reached) if every else any(reached)
