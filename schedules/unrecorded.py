"""The evening of a patient who came, and of whom nobody recorded how the visit ended.

Care rule 6: at closing the lead is asked, and the patient is asked how they are. Texts may count
from that closing (`unrecorded closing`), once it has come and as long as nothing is recorded.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from schedules.facts import AppointmentFacts, ClinicFacts, Dose, EnrollmentFacts, VisitStatus
from schedules.protocol import Anchor
from schedules.windows import first_instant

#: Care rule 6.
OUTCOME_ASKED_AFTER = timedelta(minutes=30)
CAME = frozenset({VisitStatus.ARRIVED, VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED})


def outcome_known(visit: AppointmentFacts) -> bool:
    """Whether it is recorded how a visit ended: when the patient left, and whether with a dose.

    That no dose was given is all there is to know of one.
    """
    if visit.dose is Dose.NOT_GIVEN:
        return True
    told = visit.dose is not None or visit.kind != "dosing"
    return told and visit.checked_out_at is not None


def unrecorded_closing(visit: AppointmentFacts, clinic: ClinicFacts) -> datetime | None:
    """Give the closing by which a visit's end should be recorded; None once it is.

    None too for a patient who did not come. Where the clinic closes before half an hour after the
    planned end, or works on no hour of that day, it is that half hour.
    """
    if visit.status not in CAME or outcome_known(visit):
        return None
    asked = (visit.ends_at or visit.starts_at) + OUTCOME_ASKED_AFTER
    closing = _closing(clinic, visit.starts_at.astimezone(clinic.zone).date())
    return asked if closing is None else max(asked, closing)


def next_closing(
    enrollment: EnrollmentFacts, clinic: ClinicFacts, *, now: datetime
) -> datetime | None:
    """Give the closing ahead at which something of an enrollment may begin: it is planned then."""
    visit = enrollment.appointment
    if visit is None or Anchor.UNRECORDED_CLOSING not in _anchors(enrollment):
        return None
    closing = unrecorded_closing(visit, clinic)
    return closing if closing is not None and closing > now else None


def _anchors(enrollment: EnrollmentFacts) -> Iterator[Anchor]:
    protocol = enrollment.protocol
    yield from (step.when.anchor for step in protocol.steps)
    yield from (duty.when.anchor for duty in protocol.duties)


def _closing(clinic: ClinicFacts, day: date) -> datetime | None:
    staffed = clinic.staffed
    if staffed is None or not staffed.is_staffed_day(day):
        return None
    return staffed.closing(first_instant(day, time(0), staffed.zone))
