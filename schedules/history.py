"""What a step can depend on beyond its own visit: the patient's other visits, consents, substances.

A step for integration "not booked yet" looks at the visits that come after the dose; a booster
looks at the last dose. All is told by the facts, and nothing here knows a route or a number.
"""

from collections.abc import Callable, Iterator

from schedules.facts import AppointmentFacts, Dose, PatientFacts, VisitStatus
from schedules.moments import Frame
from schedules.protocol import Condition, HistoryKind, Purpose
from schedules.reasons import SkipReason

_GONE = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW})
_FOLLOWS_UP = frozenset({"integration", "followup"})


def unmet(condition: Condition, frame: Frame) -> SkipReason | None:
    """Say why a condition on the patient's history does not hold, None where it does."""
    if condition.kind is HistoryKind.NO_OTHER_NUMBER:
        return None  # Known only beside the other texts of the day: see `together`.
    holds = _HOLDS[HistoryKind(condition.kind)](frame, condition)
    if holds:
        return None
    return SkipReason.BOOKED if condition.kind in _ABOUT_BOOKING else SkipReason.NOT_MEANT


_ABOUT_BOOKING = frozenset(
    {
        HistoryKind.NO_INTEGRATION_BOOKED,
        HistoryKind.NO_DOSE_BOOKED,
        HistoryKind.NOT_BOOKED_AGAIN,
    }
)


def _no_integration_booked(frame: Frame, _: Condition) -> bool:
    """Whether no integration or follow-up visit is booked, or took place, after this dose."""
    visit = frame.visit
    since = frame.now if visit is None else visit.checked_out_at or visit.starts_at
    return not any(
        other.kind in _FOLLOWS_UP and other.starts_at >= since for other in _standing(frame)
    )


def _no_dose_booked(frame: Frame, _: Condition) -> bool:
    return not any(
        other.kind == "dosing"
        and other.status is VisitStatus.BOOKED
        and other.dose is not Dose.NOT_GIVEN
        and other.starts_at > frame.now
        for other in frame.appointments
    )


def _not_booked_again(frame: Frame, _: Condition) -> bool:
    """Whether no visit of the same kind stands after this one."""
    visit = frame.visit
    return visit is not None and not any(
        other.kind == visit.kind and other.id != visit.id and other.starts_at > visit.starts_at
        for other in _standing(frame)
    )


def _missed_before(frame: Frame, _: Condition) -> bool:
    before = frame.now if frame.visit is None else frame.visit.starts_at
    return any(
        other.status is VisitStatus.NO_SHOW and other.starts_at < before
        for other in frame.appointments
    )


def _has_yet_to_answer(patient: PatientFacts) -> bool:
    """Whether no reply came from a number that we text; where the welcome came back, none can."""
    return bool(patient.purposes) and not patient.proved and not patient.welcome_failed


def _standing(frame: Frame) -> Iterator[AppointmentFacts]:
    return (visit for visit in frame.appointments if visit.status not in _GONE)


_HOLDS: dict[HistoryKind, Callable[[Frame, Condition], bool]] = {
    HistoryKind.NO_INTEGRATION_BOOKED: _no_integration_booked,
    HistoryKind.NO_DOSE_BOOKED: _no_dose_booked,
    HistoryKind.NOT_BOOKED_AGAIN: _not_booked_again,
    HistoryKind.MISSED_BEFORE: _missed_before,
    HistoryKind.NUMBER_UNPROVED: lambda frame, _: _has_yet_to_answer(frame.patient),
    HistoryKind.OPTED_IN: lambda frame, _: Purpose.HEALTH_QUESTIONS in frame.patient.purposes,
    HistoryKind.SUBSTANCE: lambda frame, condition: bool(
        condition.substances & frame.patient.substances
    ),
}
