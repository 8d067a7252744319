"""Follow-ups from what did not happen: texts that did not arrive, events that nobody recorded.

An instruction that did not arrive becomes a call before its deadline (care rule 2); a visit whose
texts all ended unsent opens "not reminded"; a visit without its events asks staff (care rule 6).

A text or a visit whose record can't be read is put before a person by itself and holds up no other.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from messages.errorcodes import classify
from records import appointments, clinics, endings, followups, patients
from records.appointments import Appointment
from records.base import Session
from records.clinics import Clinic
from records.outbox import Message
from records.patients import Patient
from schedules.clinic import ClinicFile
from schedules.facts import EnrollmentFacts
from schedules.followup_rules import (
    FollowUpReason,
    Resolve,
    WantedFollowUp,
    for_undelivered,
    for_visit_texts,
    missing_events,
    wanted,
)
from schedules.followups import one_a_cause
from schedules.moments import frame_of
from schedules.protocol import Step
from schedules.resolving import resolver
from worker import facts, protocols, unplanned
from worker.facts import ClinicContext, PatientContext
from worker.logs import get_logger
from worker.opening import open_follow_ups
from worker.services import Services
from worker.unreachable import says_something

log = get_logger(__name__)

BATCH = 200
_OUTCOME_UNKNOWN = "outcome_unknown"
# Care rule 6 asks at the planned end and at closing; a week later nobody remembers.
_EVENTS_SINCE = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruction:
    """A text that a person makes good, with its step and moments as they stand now."""

    message: Message
    step: Step
    resolve: Resolve
    starts_at: datetime | None

    @property
    def prove_by(self) -> datetime | None:
        """From when it is a call while it is under way; None where it is one at once, or never."""
        rule, due_at = self.step.if_not_delivered, self.message.due_at
        deadline = self.resolve(rule.call_by) if rule else None
        if rule is None or deadline is None or due_at > deadline:
            return None
        return rule.prove_by(deadline, due_at)

    def not_arrived(self, file: ClinicFile, *, now: datetime) -> Sequence[WantedFollowUp]:
        """Want the call, if it has come to that."""
        message, rule = self.message, self.step.if_not_delivered
        # A number that can't be reached is one matter, whatever told us of it.
        of_number = rule is not None and rule.reason == FollowUpReason.CANNOT_REACH
        about = message.patient_id if of_number else message.appointment_id or message.enrollment_id
        return for_undelivered(
            self.step,
            message.status,
            message.reason,
            now=now,
            staffed=file.staffed(),
            resolve=self.resolve,
            text_due_at=message.due_at,
            starts_at=self.starts_at,
            answered=message.answered_at is not None,
            about=str(about),
        )


def run(services: Services, *, limit: int = BATCH) -> Counter[str]:
    """Look at texts that ended unsent or are not proved in time; open what a person must do."""
    counts: Counter[str] = Counter()
    now = services.now
    with services.database.transaction() as session:
        ended = endings.take_ended(session, limit=limit)
        unproved = endings.take_unproved(session, now=now, limit=limit)
        done = []
        # In the order of patients: whoever else opens items of several goes by it too.
        texts = sorted((*ended, *unproved), key=lambda text: text.patient_id or text.id)
        known = _read(session, services, texts, now=now)
        for message in texts:
            opened = _review(session, message, known, now=now)
            if opened is None:
                continue
            counts["opened"] += opened
            done.append(message.id)
        endings.reviewed(session, done, now=now)
        counts["reviewed"] = len(done)
    return +counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What was read for all texts at once: their patients and visits, and the facts of some.

    `failed` says why a patient's facts could not be read, `texts` how those of a visit stand.
    """

    visits: Mapping[UUID, Appointment]
    texts: Mapping[UUID, Sequence[str]]
    people: Mapping[UUID, Patient] = field(repr=False)
    facts: Mapping[UUID, tuple[ClinicContext, PatientContext]] = field(repr=False)
    failed: Mapping[UUID, Exception] = field(repr=False)


def _read(
    session: Session, services: Services, texts: Sequence[Message], *, now: datetime
) -> _Known:
    """Read what texts are reviewed by; facts of those patients alone whose text has a rule."""
    asked = [each for each in texts if each.patient_id and each.status != "delivered"]
    people = patients.with_ids(session, {each.patient_id for each in asked if each.patient_id})
    timed = {
        each.patient_id
        for each in asked
        if each.patient_id and _has_rule(each) and people[each.patient_id].status != "closed"
    }
    known, failed = _facts(session, services, timed, now=now)
    visits = appointments.with_ids(
        session, {each.appointment_id for each in asked if each.appointment_id}
    )
    ahead = [each.id for each in visits.values() if each.status == "booked"]
    stand = endings.statuses_of_visits(session, ahead)
    return _Known(people=people, visits=visits, texts=stand, facts=known, failed=failed)


def _facts(
    session: Session, services: Services, patient_ids: Collection[UUID], *, now: datetime
) -> tuple[dict[UUID, tuple[ClinicContext, PatientContext]], dict[UUID, Exception]]:
    """Return these patients' facts, and why those of others can't be read."""
    failed: dict[UUID, Exception] = {}
    try:
        known = facts.of_patients(
            session, services, patient_ids, now=now, on_fault=failed.__setitem__
        )
    except Exception as error:
        # What ails one clinic, such as a file that can't be read, is not told of the others.
        if len(patient_ids) == 1:
            return {}, dict.fromkeys(patient_ids, error)
        log.warning("facts_not_read_together", patients=len(patient_ids), exc_info=True)
        each_alone = [_facts(session, services, [each], now=now) for each in patient_ids]
        known = {key: one for found, _ in each_alone for key, one in found.items()}
        failed = {key: why for _, without in each_alone for key, why in without.items()}
    return known, failed


def _review(session: Session, message: Message, known: _Known, *, now: datetime) -> int | None:
    """Open what one text asks for, and count it; None where it is looked at again later.

    A text under way whose row was written by other rules, or before its visit moved, may have
    longer to arrive than the row says.
    """
    patient_id = message.patient_id
    if patient_id is None or message.status == "delivered":
        return 0
    if known.people[patient_id].status == "closed":
        return 0
    try:
        told = _instruction(session, message, patient_id, known, now=now)
        prove_by = told.prove_by if told is not None and message.final_at is None else None
        if prove_by is not None and prove_by > now:
            message.prove_by = prove_by
            return None
        items = _wanted(session, message, patient_id, told, known, now=now)
    except Exception:
        # A fault of the database itself ends the transaction, and so the next statement.
        log.exception("text_not_reviewed", message_id=str(message.id), patient_id=str(patient_id))
        items = _unreadable(session, message, patient_id, now=now)
    opened = open_follow_ups(
        session,
        message.clinic_id,
        patient_id,
        items,
        source_kind="message",
        source_id=message.id,
        now=now,
    )
    return len(opened)


def _wanted(
    session: Session,
    message: Message,
    patient_id: UUID,
    told: _Instruction | None,
    known: _Known,
    *,
    now: datetime,
) -> list[WantedFollowUp]:
    file = clinics.by_id(session, message.clinic_id).file
    items: list[WantedFollowUp] = []
    if message.status == "failed" and message.reason == _OUTCOME_UNKNOWN:
        unknown = FollowUpReason.OUTCOME_UNKNOWN
        items.append(wanted(unknown, now=now, staffed=file.staffed(), about=str(message.id)))
    if says_something(classify(message.error_code)) and _is_news(session, message):
        # The number may be somebody else's by now, or the patient has blocked us at the carrier.
        unreachable = FollowUpReason.CANNOT_REACH
        items.append(wanted(unreachable, now=now, staffed=file.staffed(), about=str(patient_id)))
    if told is not None:
        items += told.not_arrived(file, now=now)
    return [*one_a_cause(items), *_not_reminded(message, file, known, now=now)]


def _is_news(session: Session, message: Message) -> bool:
    """Whether staff do not know that the number a text went to can't be texted.

    The confirmation of a stop may be refused for that very stop.
    """
    if message.kind == "started" or message.recipient_blind is None:
        return True
    stop = patients.opted_out(session, clinic_id=message.clinic_id, blind=message.recipient_blind)
    return stop is not None and stop.reason.startswith(patients.NOBODYS_WORD)


def _unreadable(
    session: Session, message: Message, patient_id: UUID, *, now: datetime
) -> list[WantedFollowUp]:
    """Want a person where a text's rules or its patient's record can't be read.

    An instruction that is not known to have arrived is called at once: its deadline is not known.
    """
    clinic = clinics.by_id(session, message.clinic_id)
    file = clinic.file if clinic.can_be_read else None
    items = [unplanned.item(file, patient_id, now=now)]
    if message.prove_by is not None:
        about = str(message.appointment_id or message.enrollment_id)
        call = FollowUpReason.INSTRUCTION_NOT_DELIVERED
        items.append(
            wanted(call, now=now, staffed=file.staffed(), about=about, before=now)
            if file is not None
            else unplanned.at_once(call, now=now, about=about)
        )
    return items


def _has_rule(message: Message) -> bool:
    return message.prove_by is not None and message.enrollment_id is not None


def _instruction(
    session: Session, message: Message, patient_id: UUID, known: _Known, *, now: datetime
) -> _Instruction | None:
    if not _has_rule(message):
        return None
    if patient_id in known.failed:
        raise known.failed[patient_id]
    if patient_id not in known.facts:
        return None
    clinic, context = known.facts[patient_id]
    # A text that went is made good as its own version says, whatever a later one leaves out.
    step = protocols.step_of(session, message)
    if step is None:
        return None
    for row, enrollment in context.enrollments:
        if row.id != message.enrollment_id:
            continue
        frame = frame_of(enrollment, context.facts, clinic.facts, now, context.appointments)
        return _Instruction(
            message=message,
            step=step,
            resolve=resolver(frame, step, occurrence=message.occurrence, due_at=message.due_at),
            starts_at=_start_of(enrollment),
        )
    return None


def _start_of(enrollment: EnrollmentFacts) -> datetime | None:
    return enrollment.appointment.starts_at if enrollment.appointment else None


def _not_reminded(
    message: Message, file: ClinicFile, known: _Known, *, now: datetime
) -> Sequence[WantedFollowUp]:
    visit = known.visits.get(message.appointment_id) if message.appointment_id else None
    if visit is None or visit.id not in known.texts:
        return ()
    return for_visit_texts(
        known.texts[visit.id],
        starts_at=visit.starts_at,
        now=now,
        staffed=file.staffed(),
        about=str(visit.id),
    )


def ask_about_visits(services: Services) -> Counter[str]:
    """Ask staff for the events that nobody recorded of lately ended visits (care rule 6)."""
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        everyone = clinics.all_clinics(session)
    for clinic in everyone:
        try:
            counts["asked"] += _ask(services, clinic)
        except Exception:
            # One clinic's trouble keeps no other's visits from being asked about.
            log.exception("visits_not_asked_about", clinic_id=str(clinic.id))
            counts["failed"] += 1
    return +counts


def _ask(services: Services, clinic: Clinic) -> int:
    with services.database.transaction() as session:
        asked = 0
        for visit, items in _missing(session, clinic, now=services.now):
            asked += len(
                open_follow_ups(
                    session,
                    clinic.id,
                    visit.patient_id,
                    items,
                    source_kind="appointment",
                    source_id=visit.id,
                    now=services.now,
                )
            )
        return asked


def _missing(
    session: Session, clinic: Clinic, *, now: datetime
) -> list[tuple[Appointment, list[WantedFollowUp]]]:
    """Return the visits of which something is missing that nobody was asked for yet."""
    file = clinic.file
    found = [
        (visit, _missing_of(visit, file, now=now))
        for visit in appointments.unrecorded(session, clinic.id, now - _EVENTS_SINCE, now)
    ]
    causes = [item.cause for _, items in found for item in items]
    seen = followups.causes_seen(session, clinic.id, causes) if causes else set()
    fresh = [(visit, [item for item in items if item.cause not in seen]) for visit, items in found]
    return [(visit, items) for visit, items in fresh if items]


def _missing_of(visit: Appointment, file: ClinicFile, *, now: datetime) -> list[WantedFollowUp]:
    try:
        return list(missing_events(facts.visit_facts(visit), now, file.staffed()))
    except Exception:
        log.exception("visit_not_read", appointment_id=str(visit.id))
        return [unplanned.item(file, visit.patient_id, now=now)]
