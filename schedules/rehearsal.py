"""What of a protocol can never happen: the planner is asked, in a world made to fit each step.

For every step a visit or day is imagined at which its conditions hold, at each hour of a day,
booked years or hours ahead, and what it waits for has happened. A text, a nudge, a rule or a task
that comes about in none of these worlds comes about for nobody. A clinic's hours are not asked
here: texts may go from 08:00 to 21:00, the widest that a clinic may choose (see `coverage`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from schedules.duties import duties_of
from schedules.facts import (
    AppointmentFacts,
    AskedFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
    VisitStatus,
)
from schedules.moments import frame_of
from schedules.planner import LONG_AGO, NUDGE_SUFFIX, plan
from schedules.protocol import (
    Anchor,
    Condition,
    ConditionKind,
    Duty,
    HistoryKind,
    Phase,
    Protocol,
    Purpose,
    Step,
)
from schedules.reasons import MoveReason, SkipReason
from schedules.resolving import resolver
from schedules.unrecorded import OUTCOME_ASKED_AFTER
from schedules.windows import SendWindow

_ZONE = ZoneInfo("America/New_York")
#: The widest that a clinic may choose: see `clinic_parts.QUIET_HOURS_START`.
_PLACE = ClinicFacts(
    zone=_ZONE,
    window=SendWindow(opens=time(8), closes=time(21)),
    # Cut-offs end a time; without fasting hours they leave the most of it.
    solids_hours=0,
    fluids_hours=0,
)
_DAY = date(2026, 6, 3)
_HOUR = timedelta(hours=1)
#: The usual hours first: most protocols need no second look.
_CLOCKS = (
    time(11),
    time(16),
    time(8),
    *(time(at // 4, at % 4 * 15) for at in range(96)),
    time(23, 59),
)
#: How long before its start a visit is known, and how long after it the patient leaves.
_LEADS = tuple(timedelta(hours=hours) for hours in (24 * 800, 24 * 13, 24, 3))
_STAYS = tuple(timedelta(minutes=minutes) for minutes in (120, 20, 600))
#: When the quit date lies, seen from the enrollment.
_QUITS = tuple(timedelta(days=days) for days in (30, 0, 400))
#: How long before its day somebody is enrolled.
_AHEAD = (timedelta(), timedelta(days=800))
_FAR = timedelta(days=2000)


@dataclass(slots=True, kw_only=True)
class Rehearsed:
    """What came about for one step in any world."""

    #: The reasons for which its texts would not go.
    reasons: set[SkipReason] = field(default_factory=set)
    templates: set[str] = field(default_factory=set)
    #: The keys of the step whose moment was ahead: `answer_until`, `nudge.0`, `on_answer.1.by`.
    ahead: set[str] = field(default_factory=set)
    #: The same of texts that went at another minute than their own. It counts where all did: a
    #: rule that is of use only to texts that were moved was meant otherwise.
    ahead_if_moved: set[str] = field(default_factory=set)
    punctual: bool = False
    #: Why they went at another minute.
    moved: set[MoveReason] = field(default_factory=set)

    @property
    def always_early(self) -> bool:
        """Whether it is over, or not yet true, at its own minute, whatever the visit."""
        allowed = self.punctual or MoveReason.WINDOW in self.moved
        return MoveReason.STILL_TRUE in self.moved and not allowed

    def proves(self, step: Step) -> bool:
        """Whether nothing of the step is left to be seen."""
        texts = {step.template} | ({step.otherwise.template} if step.otherwise else set())
        return texts <= self.templates and not self.never(step)

    def never(self, step: Step) -> list[str]:
        """Name the keys of the step whose time never comes while it matters."""
        ahead = self.ahead if self.punctual else self.ahead_if_moved
        return [key for key in _keys(step) if key not in ahead]


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    enrollment: EnrollmentFacts
    patient: PatientFacts
    now: datetime
    appointments: tuple[AppointmentFacts, ...]


def rehearse(protocol: Protocol, step: Step) -> Rehearsed:
    """Play one step through, until all of it came about or no world is left."""
    found = Rehearsed()
    chain = (*reversed(protocol.sources(step)), step)
    alone = replace(protocol, steps=tuple(map(_shortened, chain)))
    conditions = [condition for each in reversed(chain) for condition in each.only_if]
    for world in _worlds(alone, chain[0].when.anchor, conditions):
        _play(found, alone.steps[-1], world)
        if found.proves(step):
            break
    return found


def comes_about(protocol: Protocol, duty: Duty) -> bool:
    """Whether a person would ever be asked to do this."""
    alone = replace(protocol, duties=(duty,))
    return any(
        planned.wanted
        for world in _worlds(alone, duty.when.anchor, list(duty.only_if))
        for planned in duties_of(
            world.enrollment,
            world.patient,
            _PLACE,
            now=world.now,
            appointments=world.appointments,
        )
    )


def gives_way_always(protocol: Protocol, step: Step) -> bool:
    """Whether other steps ask for a number on every day on which this one would."""
    asks = any(one.kind is HistoryKind.NO_OTHER_NUMBER for one in step.only_if)
    if not asks or not step.repeat or step.again is not None:
        return False
    world = next(_worlds(protocol, step.when.anchor, list(step.only_if)))
    texts = plan(
        world.enrollment,
        world.patient,
        _PLACE,
        now=world.now,
        horizon=_FAR,
        appointments=world.appointments,
    )
    return not any(text.step == step.id and text.skip_reason is None for text in texts)


def _shortened(step: Step) -> Step:
    """Leave a repeat one day: what can be on one day can be on the others."""
    if not step.repeat:
        return step
    first = min(phase.first_day for phase in step.repeat)
    return replace(step, repeat=(Phase(first_day=first, last_day=first, every_days=1),), again=None)


def _play(found: Rehearsed, step: Step, world: _World) -> None:
    texts = plan(
        world.enrollment,
        world.patient,
        _PLACE,
        now=world.now,
        horizon=_FAR,
        appointments=world.appointments,
    )
    for text in texts:
        if text.step == step.id:
            if text.skip_reason is not None:
                found.reasons.add(text.skip_reason)
            else:
                found.templates.add(text.template)
                punctual = text.moved_reason in (None, MoveReason.OTHER_FORM)
                found.punctual |= punctual
                found.moved |= {text.moved_reason} if text.moved_reason else set()
                ahead = found.ahead if punctual else found.ahead_if_moved
                ahead.update(_ahead(step, text, world))


def _keys(step: Step) -> Iterator[str]:
    """Give what of a step has a time of its own beside its text's."""
    if step.answer_until is not None:
        yield "answer_until"
    for at, _ in enumerate(step.nudges):
        yield f"nudge.{at}"
    for at, answer in enumerate(step.on_answer):
        if answer.due is not None:
            yield f"on_answer.{at}.by"
    for at, silence in enumerate(step.unanswered):
        if silence.at is not None:
            yield f"unanswered.{at}.at"
    if step.if_not_delivered is not None:
        yield "if_not_delivered.call_by"


def _ahead(step: Step, text: PlannedText, world: _World) -> Iterator[str]:
    """Give the keys whose time comes after the text, and before its answer stops counting."""
    frame = frame_of(world.enrollment, world.patient, _PLACE, world.now, world.appointments)
    resolve = resolver(frame, step, occurrence=text.occurrence, due_at=text.due_at)
    due, until = text.due_at, text.answer_until
    if until is not None and until > due:
        yield "answer_until"
    for at, answer in enumerate(step.on_answer):
        by = None if answer.due is None else resolve(answer.due)
        if by is not None and by > due:
            yield f"on_answer.{at}.by"
    for at, silence in enumerate(step.unanswered):
        counts = None if silence.at is None else resolve(silence.at)
        if counts is not None and due < counts and (until is None or counts <= until):
            yield f"unanswered.{at}.at"
    if step.if_not_delivered is not None:
        call_by = resolve(step.if_not_delivered.call_by)
        if call_by is not None and call_by > due:
            yield "if_not_delivered.call_by"
    yield from _nudges(step, text, world)


def _nudges(step: Step, text: PlannedText, world: _World) -> Iterator[str]:
    if not step.nudges:
        return
    asked = AskedFacts(
        enrollment_id=text.enrollment_id,
        step=step.id,
        occurrence=text.occurrence,
        round=1,
        asked_at=text.due_at,
    )
    again = plan(
        world.enrollment,
        world.patient,
        _PLACE,
        now=max(text.due_at, world.now),
        horizon=_FAR,
        appointments=world.appointments,
        events=[asked],
    )
    going = {one.step for one in again if one.nudge_for and one.skip_reason is None}
    for at, _ in enumerate(step.nudges):
        if f"{step.id}{NUDGE_SUFFIX}{at + 1 if at else ''}" in going:
            yield f"nudge.{at}"


def _worlds(protocol: Protocol, anchor: Anchor, conditions: list[Condition]) -> Iterator[_World]:
    """Imagine people, and visits where the protocol is for them, with what `anchor` stands for."""
    patient = _somebody(conditions)
    if protocol.visits is None:
        yield from _days(protocol, patient, conditions)
        return
    for clock in _CLOCKS:
        start = datetime.combine(_DAY, clock, _ZONE).astimezone(UTC)
        for lead in _LEADS:
            for visit in _visits(protocol, conditions, start, lead):
                yield from _happenings(protocol, anchor, patient, visit, conditions)


def _somebody(conditions: list[Condition]) -> PatientFacts:
    """Give a patient who agreed to everything, with the substance and the proof asked for."""
    unproved = any(one.kind is HistoryKind.NUMBER_UNPROVED for one in conditions)
    asked = [one.substances for one in conditions if one.kind is HistoryKind.SUBSTANCE]
    return PatientFacts(
        id="somebody",
        language="en",
        zone=_ZONE,
        purposes=frozenset(Purpose),
        substances=frozenset().union(*asked),
        lapsed_at=datetime.combine(_DAY, time(12), _ZONE),
        proved=not unproved,
    )


def _days(
    protocol: Protocol, patient: PatientFacts, conditions: list[Condition]
) -> Iterator[_World]:
    """Imagine people who follow it from a day on, who had a dose, a lapse, or quit that day."""
    for clock in _CLOCKS:
        at = datetime.combine(_DAY, clock, _ZONE).astimezone(UTC)
        dose = _dosed(at - 2 * _HOUR, timedelta(days=9))
        for quits, ahead in product(_QUITS, _AHEAD):
            yield _World(
                enrollment=EnrollmentFacts(
                    id="any",
                    protocol=protocol,
                    enrolled_at=at if protocol.with_consent else LONG_AGO,
                    anchor_day=_DAY,
                ),
                patient=replace(patient, quit_date=_DAY + quits, lapsed_at=at),
                now=at - ahead,
                appointments=(dose, *_others(conditions, at)),
            )


def _dosed(start: datetime, lead: timedelta) -> AppointmentFacts:
    return AppointmentFacts(
        id="dose",
        kind="dosing",
        starts_at=start,
        ends_at=start + 2 * _HOUR,
        booked_at=start - lead,
        status=VisitStatus.CHECKED_OUT,
        checked_out_at=start + 2 * _HOUR,
        dose=Dose.GIVEN,
    )


def _others(conditions: list[Condition], at: datetime) -> Iterator[AppointmentFacts]:
    """Give the visit that the patient missed before, where a condition wants one."""
    if any(one.kind is HistoryKind.MISSED_BEFORE for one in conditions):
        before = at - timedelta(days=30)
        yield AppointmentFacts(
            id="missed",
            kind="assessment",
            starts_at=before,
            booked_at=before - timedelta(days=9),
            status=VisitStatus.NO_SHOW,
            no_show_at=before,
        )


def _visits(
    protocol: Protocol, conditions: list[Condition], start: datetime, lead: timedelta
) -> Iterator[AppointmentFacts]:
    """Imagine a booked visit of each kind that the protocol is for and its conditions allow."""
    if protocol.visits is None:
        return
    kinds = {condition.kind for condition in conditions}
    for kind in sorted(protocol.visits.kinds):
        yield AppointmentFacts(
            id="any",
            kind=kind,
            route=_route(protocol, conditions),
            setting=min(protocol.visits.settings, default="clinic"),
            modality="virtual" if ConditionKind.VIRTUAL in kinds else "in_person",
            starts_at=start,
            ends_at=start + 2 * _HOUR,
            booked_at=start - lead,
            confirmed_start=start if ConditionKind.CONFIRMED in kinds else None,
            dose_number=1 if ConditionKind.FIRST_DOSE in kinds else 2,
        )


def _route(protocol: Protocol, conditions: list[Condition]) -> str | None:
    """Choose a route that every condition and the protocol itself allow; None: not entered."""
    sets = [one.routes for one in conditions if one.kind is ConditionKind.ROUTE]
    if not sets:
        return None
    allowed = protocol.visits.routes if protocol.visits is not None else frozenset()
    found = frozenset.intersection(*sets, *([allowed] if allowed else []))
    found -= {
        route for one in conditions if one.kind is ConditionKind.ROUTE_NOT for route in one.routes
    }
    return min(found, default=None)


_LEFT = frozenset({Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT, Anchor.FIRST_DOSE, Anchor.LAST_DOSE})


def _happenings(
    protocol: Protocol,
    anchor: Anchor,
    patient: PatientFacts,
    visit: AppointmentFacts,
    conditions: list[Condition],
) -> Iterator[_World]:
    """Let happen to a visit what `anchor` waits for."""
    for happened, now in _events(anchor, visit):
        enrolled = EnrollmentFacts(
            id="any", protocol=protocol, enrolled_at=visit.booked_at, appointment=happened
        )
        yield _World(
            enrollment=enrolled,
            patient=replace(patient, quit_date=visit.starts_at.date(), lapsed_at=visit.starts_at),
            now=now,
            appointments=(happened, *_others(conditions, visit.starts_at)),
        )


def _events(anchor: Anchor, visit: AppointmentFacts) -> Iterator[tuple[AppointmentFacts, datetime]]:
    """Give the visit with the event, and the instant at which the event became known."""
    start, booked = visit.starts_at, visit.booked_at
    if anchor in _LEFT:
        dose = Dose.GIVEN if visit.kind == "dosing" else None
        for stay in _STAYS:
            out = start + stay
            left = replace(visit, status=VisitStatus.CHECKED_OUT, checked_out_at=out, dose=dose)
            yield left, out
    elif anchor is Anchor.UNRECORDED_CLOSING:
        came = replace(visit, status=VisitStatus.ARRIVED, arrived_at=start)
        for stay in _STAYS:
            # Nobody's staffed hours are known here: the day closes half an hour after the end.
            end = start + stay
            yield replace(came, ends_at=end), end + OUTCOME_ASKED_AFTER
    elif anchor is Anchor.NO_SHOW:
        for late in _STAYS:
            gone = start + late
            yield replace(visit, status=VisitStatus.NO_SHOW, no_show_at=gone), gone
    elif anchor is Anchor.ANNOUNCED_BOOKING:
        yield replace(visit, announced_at=booked), booked
    elif anchor is Anchor.ANNOUNCED_MOVE:
        moved = booked + (start - booked) / 2
        told = start + timedelta(days=2)
        yield replace(visit, moved_at=moved, announced_at=moved, told_start=told), moved
    elif anchor is Anchor.ANNOUNCED_CANCELLATION:
        gone = booked + (start - booked) / 2
        yield (
            replace(
                visit,
                status=VisitStatus.CANCELLED,
                cancelled_at=gone,
                announced_at=gone,
                told_start=start,
            ),
            gone,
        )
    else:
        yield visit, booked
