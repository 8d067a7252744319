"""The planner against a second one that looks at every minute, on drawn protocols and visits.

The short form draws the same cases each time, so that it fails by a change alone;
AFTERCARE_ORACLE_EXAMPLES=20000 runs the long form, which draws new ones.
"""

import os
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from schedules.facts import PlannedText
from schedules.phrases import moment_phrase
from schedules.planner import plan
from schedules.protocol import Step
from schedules.reasons import MoveReason, SkipReason
from tests.schedules.drawing import (
    Case,
    check_in_cases,
    closed_day_cases,
    event_cases,
    late_cases,
    lost_hour_cases,
    neighbours,
    news_cases,
    visit_cases,
)
from tests.schedules.oracle import HORIZON, Oracle, Verdict

EXAMPLES = int(os.environ.get("AFTERCARE_ORACLE_EXAMPLES", "0"))


def examples(short: int):
    return settings(
        max_examples=EXAMPLES or short,
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def told(case: Case) -> list[PlannedText]:
    return plan(
        case.enrollment,
        case.patient,
        case.clinic,
        now=case.now,
        appointments=case.appointments,
    )


def aloud(step: Step) -> str:
    """Read a step aloud, for a failure that a person can follow."""
    parts = [f"{step.id}: {moment_phrase(step.when)}; latest {moment_phrase(step.latest)}"]
    parts += [f"stays on {step.stays_on}"] if step.stays_on else []
    if step.otherwise:
        parts.append(f"otherwise {moment_phrase(step.otherwise.when)}")
    parts += [str(step.repeat)] if step.repeat else []
    parts += [str(step.only_if)] if step.only_if else []
    parts.append(f"late: {step.late_booking}, {step.purpose}, {step.importance}")
    parts += [f"staffed {step.needs_staffed_minutes} min"] if step.needs_staffed_minutes else []
    return ", ".join(parts)


def disagreement(  # noqa: PLR0911 - One answer for each way to differ.
    case: Case, text: PlannedText | None, verdict: Verdict | None
) -> str | None:
    """Say where the two differ about one occurrence, None where they agree."""
    if verdict is None:
        return "the oracle wants nothing"
    if verdict.unsaid:
        return None
    over = verdict.latest is not None and verdict.latest <= case.now
    if text is None:
        beyond = verdict.due is not None and verdict.due > case.now + HORIZON
        unheard = over or beyond or (verdict.skip and verdict.due is None)
        return None if unheard else "the planner gives nothing"
    if verdict.skip or over:
        agree = text.skip_reason in verdict.skip if verdict.skip else text.skip_reason is not None
        return None if agree else "the oracle skips"
    if verdict.rival and text.skip_reason is SkipReason.LATE_BOOKING:
        return None
    if text.skip_reason is not None:
        return "the planner skips"
    return _other_minute(text, verdict)


def _other_minute(text: PlannedText, verdict: Verdict) -> str | None:
    for name, mine, theirs in (
        ("due", verdict.due, text.due_at),
        ("latest", verdict.latest, text.latest_at),
        ("template", verdict.template, text.template),
        ("moved", verdict.moved, text.moved_reason is not None),
        ("short staffed", verdict.short_staffed, text.short_staffed),
    ):
        if mine is not None and mine != theirs:
            return f"{name}: oracle {mine}, planner {theirs}"
    return None


def compare(case: Case) -> None:
    texts = {(text.step, text.occurrence): text for text in told(case)}
    verdicts = Oracle(
        enrollment=case.enrollment,
        patient=case.patient,
        clinic=case.clinic,
        now=case.now,
        appointments=case.appointments,
    ).verdicts()
    for step in case.enrollment.protocol.steps:
        note(aloud(step))
    note(f"now {case.now}, {case.enrollment.appointment}, {case.patient}")
    note(
        f"{case.clinic.zone} {case.clinic.window} {case.clinic.candidate_zones} {case.appointments}"
    )
    for key in sorted(texts.keys() | verdicts.keys()):
        text, verdict = texts.get(key), verdicts.get(key)
        found = disagreement(case, text, verdict)
        assert found is None, f"{key}: {found}\n  planner {text}\n  oracle {verdict}"


@examples(150)
@given(case=visit_cases())
def test_texts_about_visits_are_where_the_documentation_puts_them(case):
    """Every minute looked at, the oracle finds the same due and latest minutes and skips."""
    compare(case)


@examples(100)
@given(
    case=check_in_cases(),
    others=st.lists(st.tuples(st.integers(-20, 20), neighbours()), max_size=4),
)
def test_what_patients_share_is_what_each_would_get_alone(case, others):
    """Whoever was planned before in the same clinic, on other days: no minute is another's."""
    alone = told(replace(case, clinic=replace(case.clinic)))
    for days, changes in others:
        moved = timedelta(days=days)
        enrollment = replace(
            case.enrollment,
            enrolled_at=case.enrollment.enrolled_at + moved,
            anchor_day=case.enrollment.anchor_day and case.enrollment.anchor_day + moved,
        )
        patient = replace(case.patient, **changes)
        told(replace(case, enrollment=enrollment, patient=patient, now=case.now + moved))
    assert told(case) == alone


@examples(100)
@given(case=check_in_cases())
def test_check_ins_are_where_the_documentation_puts_them(case):
    """The same for what counts from an enrolment day or a quit date."""
    compare(case)


@examples(120)
@given(case=event_cases())
def test_what_hangs_on_doses_lapses_and_other_visits_is_where_it_belongs(case):
    """First and last dose, a lapse, repeats taken up again, bookings, another number that day."""
    compare(case)


@examples(80)
@given(case=news_cases())
def test_the_news_of_a_visit_is_told_where_the_documentation_says(case):
    """A booking, a move, a cancellation: announced or quiet, or older than the protocol's use."""
    compare(case)


@examples(80)
@given(case=closed_day_cases())
def test_closed_days_count_for_no_staffed_hour(case):
    """Public holidays, those on which a clinic works all the same, and closed days of its own."""
    compare(case)


@examples(80)
@given(case=late_cases())
def test_of_several_late_texts_the_documentation_lets_the_most_important_go(case):
    """Booked a few hours to days ahead: one text at once, the others at their own minute or not."""
    compare(case)
    at_once = [
        text
        for text in told(case)
        if text.skip_reason is None and text.moved_reason is MoveReason.SENT_LATE
    ]
    assert len(at_once) <= 1


@examples(50)
@given(case=lost_hour_cases())
def test_a_time_that_the_clocks_leave_out_means_the_first_instant_after_it(case):
    """Gaps at midnight, 01:00, 02:00 and of half an hour: the documented instant, minute by minute.

    In Apia in 2011 a whole day was left out.
    """
    compare(case)
