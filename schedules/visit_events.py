"""Asks staff for what nobody recorded of a visit: did the patient come, was a dose given.

Texts after a dose hang on these events and never on the planned time (care rule 6), so that a
missing event must reach a person the same day.
"""

from datetime import UTC, datetime, timedelta

from schedules.facts import AppointmentFacts, VisitStatus
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity, StaffedHours
from schedules.unrecorded import OUTCOME_ASKED_AFTER, outcome_known

LEAD = "lead"

#: Care rule 6.
ARRIVAL_ASKED_AFTER = timedelta(minutes=15)
OUTCOME_ASKED_BEFORE_CLOSING = timedelta(minutes=30)
#: Staff have gone home by then, so that the lead's item does not wait for staffed hours.
LEAD_ANSWERS_WITHIN = timedelta(hours=1)
#: An older visit without events is a matter of the records, and an import brings thousands.
VISIT_EVENTS_WANTED_FOR = timedelta(days=7)


def missing_events(
    visit: AppointmentFacts, now: datetime, staffed: StaffedHours
) -> tuple[WantedFollowUp, ...]:
    """Ask staff for what nobody recorded of a visit (care rule 6).

    Every kind: whether the patient came, 15 min after the start. Dosing: whether a dose was given
    and the patient checked out, 30 min after the planned end and 30 min before closing; at closing
    the lead is asked. Each is wanted on every call while it holds: open what was never opened. The
    patient is asked how they are by a protocol, from the `unrecorded closing` on.
    """
    end = visit.ends_at or visit.starts_at
    if (
        visit.status in (VisitStatus.CANCELLED, VisitStatus.NO_SHOW)
        or now > end + VISIT_EVENTS_WANTED_FOR
    ):
        return ()
    asked = [*_missing_arrival(visit), *_missing_outcome(visit, end, staffed)]
    return tuple(
        WantedFollowUp(
            reason=FollowUpReason.VISIT_EVENT_MISSING,
            severity=Severity.CALL_TODAY,
            due_at=_due(what, at, staffed),
            cause=_cause(visit, what),
            for_lead=what == LEAD,
        )
        for what, at in asked
        if now >= at
    )


def _cause(visit: AppointmentFacts, what: str) -> str:
    # With the start time, since a visit that moved and was missed again is asked about again.
    start = visit.starts_at.astimezone(UTC)
    return f"{FollowUpReason.VISIT_EVENT_MISSING}:{visit.id}@{start:%Y%m%dT%H%M}:{what}"


def _due(what: str, at: datetime, staffed: StaffedHours) -> datetime:
    return at + LEAD_ANSWERS_WITHIN if what == LEAD else staffed.due(Severity.CALL_TODAY, at)


def _missing_arrival(visit: AppointmentFacts) -> list[tuple[str, datetime]]:
    came = (
        visit.arrived_at is not None
        or visit.checked_out_at is not None
        or visit.status is not VisitStatus.BOOKED
    )
    return [] if came else [("arrival", visit.starts_at + ARRIVAL_ASKED_AFTER)]


def _missing_outcome(
    visit: AppointmentFacts, end: datetime, staffed: StaffedHours
) -> list[tuple[str, datetime]]:
    if visit.kind != "dosing" or outcome_known(visit):
        return []
    closing = staffed.closing(visit.starts_at)
    return [
        ("outcome", end + OUTCOME_ASKED_AFTER),
        ("outcome_before_closing", max(end, closing - OUTCOME_ASKED_BEFORE_CLOSING)),
        (LEAD, max(end + OUTCOME_ASKED_AFTER, closing)),
    ]
