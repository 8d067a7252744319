"""Whether a text may go at all: the state of patient and visit, consent, the step's conditions.

Each gate answers with the reason a coordinator will read, or None. The first that closes is named.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from schedules import history
from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    EnrollmentStatus,
    PatientFacts,
    PatientStatus,
    VisitStatus,
)
from schedules.moments import Frame
from schedules.protocol import (
    DEADLINE_ANCHORS,
    EXPECTS_FORM,
    NEWS_ANCHORS,
    Anchor,
    Condition,
    ConditionKind,
    HistoryKind,
    Importance,
    Purpose,
    Step,
)
from schedules.reasons import SkipReason
from schedules.unrecorded import CAME

#: Answers that tell others nothing.
NOT_NUMBERS = frozenset({"none", "appointment_reminder", "yes_no", EXPECTS_FORM})
#: What counts from these goes whether or not the patient came.
WHATEVER_CAME_OF_IT = frozenset(
    {
        Anchor.CHECK_OUT,
        Anchor.DOSE_CHECK_OUT,
        Anchor.UNRECORDED_CLOSING,
        Anchor.FIRST_DOSE,
        Anchor.LAST_DOSE,
        Anchor.LAPSE,
        Anchor.NO_SHOW,
        Anchor.ANNOUNCED_CANCELLATION,
    }
)

#: What staff record of a visit, or fail to, and texts wait for: without it there are none.
RECORDED = frozenset(
    {Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT, Anchor.UNRECORDED_CLOSING, Anchor.NO_SHOW}
)

_IN_ORDER = tuple(SkipReason)
_ASKING = frozenset({Purpose.CHECK_INS, Purpose.HEALTH_QUESTIONS})
#: The protocol of the first text to anybody: nothing that we start goes before it.
WELCOME = "welcome"
#: What invites to book, by its priority in the outbox.
_INVITES = frozenset({Importance.UNBOOKED.priority, Importance.BOOSTER.priority})


def closed_to_all(enrollment: EnrollmentFacts, patient: PatientFacts) -> SkipReason | None:
    """Name what stops every text of this enrollment."""
    visit = enrollment.appointment
    if visit is not None and visit.status is VisitStatus.CANCELLED:
        return SkipReason.VISIT_CANCELLED
    return closed_to_person(enrollment, patient)


def closed_to_person(enrollment: EnrollmentFacts, patient: PatientFacts) -> SkipReason | None:
    """Name what stops every text to this person, whatever became of the visit."""
    if enrollment.status is not EnrollmentStatus.ACTIVE:
        return SkipReason.ENROLLMENT_ENDED
    if patient.status is PatientStatus.CLOSED:
        return SkipReason.PATIENT_CLOSED
    if patient.status is PatientStatus.HELD:
        return SkipReason.PATIENT_HELD
    if patient.opted_out:
        return SkipReason.OPTED_OUT
    if patient.calls_only:
        return SkipReason.CALLS_ONLY
    return SkipReason.NUMBER_TAKEN if patient.number_taken else None


def closed_to_step(frame: Frame, step: Step) -> SkipReason | None:
    """Name what stops this step for this patient and visit, whatever its hour."""
    if (reason := _closed_by_patient(frame, step)) is not None:
        return reason
    if frame.visit is not None and (reason := _closed_by_visit(frame, frame.visit, step)):
        return reason
    unmet = [reason for each in step.only_if if (reason := condition_unmet(each, frame))]
    if unmet:
        return min(unmet, key=_IN_ORDER.index)
    silent = step.pause_after is not None and misses_of(frame, step) >= step.pause_after
    return SkipReason.SILENT if silent else None


def condition_unmet(condition: Condition, frame: Frame) -> SkipReason | None:
    """Say why a condition does not hold, None where it does or where its hour must be known."""
    if isinstance(condition.kind, HistoryKind):
        return history.unmet(condition, frame)
    if _holds(condition, condition.kind, frame.visit):
        return None
    confirmed = condition.kind is ConditionKind.NOT_CONFIRMED
    return SkipReason.CONFIRMED if confirmed else SkipReason.NOT_MEANT


def _closed_by_patient(frame: Frame, step: Step) -> SkipReason | None:
    """Name what this patient does not want, has not agreed to, or could not read alone."""
    patient = frame.patient
    if patient.welcome_failed and step.when.anchor is not Anchor.CONSENT:
        return SkipReason.WELCOME_FAILED
    if frame.enrollment.protocol.id == WELCOME and step.purpose is Purpose.VISITS:
        # Whatever somebody agreed to begins with it, and nobody is tailored out of it.
        return None if patient.purposes else SkipReason.NO_CONSENT
    return _not_for(frame, patient, step)


def _not_for(frame: Frame, patient: PatientFacts, step: Step) -> SkipReason | None:
    """Name what keeps a step other than the welcome from this patient."""
    off = patient.steps_off
    if off and {step.id, f"{frame.enrollment.protocol.id}/{step.id}"} & off:
        return SkipReason.STEP_OFF
    if step.purpose not in patient.purposes:
        return SkipReason.NO_CONSENT
    if patient.phone_shared and _is_private(step):
        return SkipReason.PHONE_SHARED
    if not patient.proved and step.purpose is not Purpose.VISITS:
        return SkipReason.NUMBER_UNPROVED
    return None


def misses_of(frame: Frame, step: Step) -> int:
    """Count the step's questions in a row that the patient left unanswered."""
    return frame.enrollment.misses.get(step.id, 0)


def _is_private(step: Step) -> bool:
    """Whether a step asks what only the patient should read: a number, or anything on health."""
    return step.purpose is Purpose.HEALTH_QUESTIONS or step.expects not in NOT_NUMBERS


def closed_at(
    frame: Frame, step: Step, due: datetime, dose_days: frozenset[date]
) -> SkipReason | None:
    """Name what stops a text at this hour: a pause, an open crisis, or a dose that day."""
    patient = frame.patient
    resting = patient.in_crisis or patient.paused_until or patient.conversation_since
    if resting and rests(
        step.purpose,
        due,
        paused_until=patient.paused_until,
        conversation_since=patient.conversation_since,
        in_crisis=patient.in_crisis,
        invites=invites(step.importance.priority, frame.visit.status if frame.visit else None),
    ):
        return SkipReason.PAUSED
    if dose_days and due.astimezone(frame.zone).date() in dose_days and asks_no_dose(step):
        return SkipReason.DOSE_DAY
    return None


def rests(
    purpose: str | None,
    at: datetime,
    *,
    paused_until: datetime | None,
    conversation_since: datetime | None,
    in_crisis: bool,
    invites: bool = False,
) -> bool:
    """Whether a text of this purpose rests at `at`; the planner and the claim both ask here.

    A pause, and staff who write, concern check-ins only: the check after a dose is for safety, and
    visits can't wait (care rule 20). While a crisis is open nothing asks on its own, and nothing
    `invites` to book as if nothing had happened: a person speaks with the patient, and the calls
    about a missed or unbooked visit stand. What is booked goes on, its food and ride with it.
    """
    if in_crisis and (invites or purpose in _ASKING):
        return True
    if purpose != Purpose.CHECK_INS:
        return False
    paused = paused_until is not None and at < paused_until
    return paused or (conversation_since is not None and at >= conversation_since)


def invites(priority: int, visit_status: str | None) -> bool:
    """Whether a text asks to book: after a dose, for the next one, or after a missed visit.

    `priority` is its importance in the outbox. Once a visit was missed, nothing else goes about it.
    """
    return priority in _INVITES or visit_status == VisitStatus.NO_SHOW


def asks_no_dose(step: Step) -> bool:
    """Whether a step gives way to the evening text of a dose day (care rule 8)."""
    return any(one.kind is ConditionKind.NO_DOSE_THAT_DAY for one in step.only_if)


def dose_days(
    appointments: Iterable[AppointmentFacts], patient: PatientFacts, clinic: ClinicFacts
) -> frozenset[date]:
    """Give the local days on which a dose is booked or was given."""
    days = set()
    for visit in appointments:
        gone = visit.status in {VisitStatus.CANCELLED, VisitStatus.NO_SHOW}
        if visit.kind == "dosing" and not gone and visit.dose is not Dose.NOT_GIVEN:
            days.add(visit.starts_at.astimezone(zone_of(visit, patient, clinic)).date())
    return frozenset(days)


def zone_of(visit: AppointmentFacts, patient: PatientFacts, clinic: ClinicFacts) -> ZoneInfo:
    """Give where a visit's day is counted: at the clinic, unless the patient stays at home."""
    return patient.zone if visit.modality == "virtual" and patient.zone else clinic.zone


def told_anew_since(frame: Frame, step: Step) -> datetime | None:
    """Give from when on an instruction ahead of a visit must have gone to be told, None where any.

    "It will not take place, ignore earlier instructions": booked again at the very same time, the
    patient has to hear anew what to do. A request to confirm needs no repeat, for the news asks it.
    """
    visit = frame.visit
    if visit is None or visit.told_off_at is None or step.if_not_delivered is None:
        return None
    first = (step, *frame.enrollment.protocol.sources(step))[-1]
    is_instruction = first.when.anchor not in WHATEVER_CAME_OF_IT | NEWS_ANCHORS
    return visit.told_off_at if is_instruction else None


def _closed_by_visit(frame: Frame, visit: AppointmentFacts, step: Step) -> SkipReason | None:
    # A step that counts from another one belongs where that one does, before or after the visit.
    first = (step, *frame.enrollment.protocol.sources(step))[-1]
    if first.when.anchor in WHATEVER_CAME_OF_IT or first.when.anchor in DEADLINE_ANCHORS:
        return None
    if visit.status is VisitStatus.NO_SHOW:
        return SkipReason.NO_SHOW
    if (visit.status in CAME or visit.arrived_at is not None) and not _follows(first):
        return SkipReason.ARRIVED
    return SkipReason.CHANGE_REQUESTED if visit.change_requested else None


def _follows(step: Step) -> bool:
    """Whether a step comes after the visit by the clock, so that an arrival is no end of it."""
    when = step.when
    if when.anchor is Anchor.VISIT_END:
        return (when.minutes or 0) >= 0 and (when.days or 0) >= 0
    return when.anchor is Anchor.VISIT_START and ((when.minutes or 0) > 0 or (when.days or 0) > 0)


def _holds(condition: Condition, kind: ConditionKind, visit: AppointmentFacts | None) -> bool:
    if kind is ConditionKind.NO_DOSE_THAT_DAY:
        return True  # Known only with the hour: see `closed_at`.
    return visit is not None and _VISIT_CONDITIONS[kind](visit, condition)


_VISIT_CONDITIONS: dict[ConditionKind, Callable[[AppointmentFacts, Condition], bool]] = {
    ConditionKind.CONFIRMED: lambda visit, _: visit.confirmed_start == visit.starts_at,
    ConditionKind.NOT_CONFIRMED: lambda visit, _: visit.confirmed_start != visit.starts_at,
    ConditionKind.FIRST_DOSE: lambda visit, _: visit.dose_number == 1,
    ConditionKind.LATER_DOSE: lambda visit, _: (visit.dose_number or 0) > 1,
    ConditionKind.ROUTE: lambda visit, condition: visit.route in condition.routes,
    ConditionKind.ROUTE_NOT: lambda visit, condition: visit.route not in condition.routes,
    ConditionKind.IN_PERSON: lambda visit, _: visit.modality != "virtual",
    ConditionKind.VIRTUAL: lambda visit, _: visit.modality == "virtual",
}
