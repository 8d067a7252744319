"""What the texts of one patient do to each other, once each has its minute.

Late texts never come in a burst, and the news of a visit takes the place of a reminder that would
say the same at the same time. The caps are shared out after this (`caps`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.facts import (
    AppointmentFacts,
    AskedFacts,
    ClinicFacts,
    EnrollmentFacts,
    EnrollmentStatus,
    PatientFacts,
    PlannedText,
    SentText,
    VisitStatus,
)
from schedules.gates import NOT_NUMBERS, zone_of
from schedules.protocol import (
    Anchor,
    HistoryKind,
    Importance,
    Protocol,
    Step,
)
from schedules.reasons import MoveReason, SkipReason

_TOLD_OF_A_START = frozenset({Anchor.ANNOUNCED_BOOKING, Anchor.ANNOUNCED_MOVE})
_CONFIRMS = "appointment_reminder"
# What one visit's text can't say for another, also where its hour had passed before the visit:
# the evening check of a dose that ended at night has no minute left, and is a call.
_OF_EACH_VISIT = frozenset({Importance.NOTICE, Importance.AFTER_DOSE})
# A text that goes, or that it is too late for: who may not be texted is called for that anyway.
_WOULD_GO = frozenset(
    {None, SkipReason.LATE_BOOKING, SkipReason.TOO_LATE, SkipReason.NO_ALLOWED_MINUTE}
)
_DOES_NOT_TAKE_PLACE = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW})

# A dosing visit, and who follows a protocol for it: the id of the enrollment.
_Dose = tuple[AppointmentFacts, str]


def one_late_text(texts: list[PlannedText]) -> list[PlannedText]:
    """Let only the most important of several late texts go: a late booking is never a burst.

    One whose time is over has had its turn, so that none of the others comes after it.
    """
    late = [
        text
        for text in texts
        if text.moved_reason is MoveReason.SENT_LATE
        and text.skip_reason in (None, SkipReason.TOO_LATE)
    ]
    if len(late) < 2:
        return texts
    kept = min(late, key=lambda text: (text.importance.priority, text.latest_at))
    return [
        text._replace(skip_reason=SkipReason.LATE_BOOKING)
        if _is_late(text) and text is not kept
        else text
        for text in texts
    ]


def news_instead(
    texts: list[PlannedText], enrollments: Sequence[EnrollmentFacts]
) -> list[PlannedText]:
    """Drop late requests to confirm a visit of which the patient is just being told.

    Care rule 5: a visit booked too late for its reminders gets the booked text instead, which asks
    the same. Health news, food and ride go beside it.
    """
    visits = {each.id: each.appointment.id for each in enrollments if each.appointment is not None}
    told = set(_told(texts, enrollments, visits))
    if not told:
        return texts
    return [
        text._replace(skip_reason=SkipReason.LATE_BOOKING)
        if _is_late(text)
        and text.importance is Importance.VISIT
        and text.expects == _CONFIRMS
        and visits.get(text.enrollment_id) in told
        else text
        for text in texts
    ]


def one_dose_a_day(
    texts: list[PlannedText],
    enrollments: Sequence[EnrollmentFacts],
    patient: PatientFacts,
    clinic: ClinicFacts,
) -> list[PlannedText]:
    """Let one dosing visit of a day speak for all of them, in what goes ahead of it.

    A session booked in several slots is one morning to the patient, and two food texts would name
    two last meals. The first speaks, and of food the one whose last meal is the earliest. It keeps
    its place also when its text has gone, or can't go: the call is then about it. Where another's
    last drink is earlier still, no text says both, and a person calls. News goes for each visit,
    and sessions behind a gate are each cleared alone.
    """
    days = _doses_of_a_day(enrollments, patient, clinic)
    if not days:
        return texts
    first, food, thirsty = _speakers(days, clinic)
    not_meant = {
        (text.enrollment_id, text.step)
        for text in texts
        if text.skip_reason is SkipReason.NOT_MEANT
    }

    def spoken_for(text: PlannedText) -> PlannedText:
        is_food = text.importance is Importance.FOOD
        speaker = (food if is_food else first).get(text.enrollment_id)
        ahead = text.importance not in _OF_EACH_VISIT and text.due_at < text.anchor_at
        if speaker is None or not ahead:
            return text
        if not not_meant.isdisjoint({(text.enrollment_id, text.step), (speaker, text.step)}):
            return text
        called = is_food and text.enrollment_id in thirsty and text.skip_reason in _WOULD_GO
        return text._replace(skip_reason=SkipReason.TWO_FASTS if called else SkipReason.SAME_DAY)

    return [spoken_for(text) for text in texts]


def one_check_a_day(
    texts: list[PlannedText], sent: Sequence[SentText], zone: ZoneInfo
) -> list[PlannedText]:
    """Let the check after the last dose of a day speak for the others of that day.

    A session in several slots is followed by one "how are you tonight": the same text twice at the
    same minute would be two questions for one answer. What went already is never taken back.
    """
    found = [
        text
        for text in texts
        if text.importance is Importance.AFTER_DOSE
        and text.expects not in NOT_NUMBERS
        and text.skip_reason is None
        and text.nudge_for is None
    ]
    if len(found) < 2:
        return texts
    went = {(one.enrollment_id, one.step, one.occurrence) for one in sent}
    checks: dict[tuple[str, date], list[PlannedText]] = {}
    for text in found:
        if (text.enrollment_id, text.step, text.occurrence) not in went:
            day = text.due_at.astimezone(zone).date()
            checks.setdefault((text.template, day), []).append(text)
    spoken_for = {
        (text.enrollment_id, text.step, text.occurrence)
        for same in checks.values()
        if len(same) > 1
        for text in sorted(same, key=lambda one: (one.due_at, one.anchor_at, one.enrollment_id))[
            :-1
        ]
    }
    return _without(
        texts, lambda text: (text.enrollment_id, text.step, text.occurrence) in spoken_for
    )


def _without(
    texts: list[PlannedText], is_spoken_for: Callable[[PlannedText], bool]
) -> list[PlannedText]:
    """Leave out those for which another text of the day stands."""
    return [
        text._replace(skip_reason=SkipReason.SAME_DAY) if is_spoken_for(text) else text
        for text in texts
    ]


def one_evening_a_visit(
    texts: list[PlannedText],
    enrollments: Sequence[EnrollmentFacts],
    sent: Sequence[SentText],
    events: Sequence[AskedFacts],
    zone: ZoneInfo,
) -> list[PlannedText]:
    """Ask once in an evening how somebody is, whenever it is recorded how the visit ended.

    Asked since nobody had recorded it, they are not asked again when the desk does, nor the other
    way round, where a check-out is taken back. A text that came back asked nobody.
    """
    of = {each.id: each.protocol for each in enrollments if _counts_from_closing(each.protocol)}
    if not of:
        return texts
    asked = _asked_by_day(of, sent, events, zone)
    if not asked:
        return texts

    def is_asked(text: PlannedText) -> bool:
        if text.skip_reason is not None or text.nudge_for is not None:
            return False
        others = asked.get((text.enrollment_id, text.due_at.astimezone(zone).date()), ())
        return any(_asks_the_same(text, one, of[text.enrollment_id]) for one in others)

    return _without(texts, is_asked)


def one_question_a_day(
    texts: list[PlannedText],
    enrollments: Sequence[EnrollmentFacts],
    sent: Sequence[SentText],
    events: Sequence[AskedFacts],
    zone: ZoneInfo,
) -> list[PlannedText]:
    """Ask nobody the day's question again because the day that it counts from has moved.

    By a quit date of a day later this evening is day 2 where it was day 3, and neither is a new
    evening. Of a visit each start time is told, and a text that came back asked nobody.
    """
    of = {each.id: each.protocol for each in enrollments if each.appointment is None}
    asked = _asked_by_day(of, sent, events, zone) if of and sent else {}
    if not asked:
        return texts
    by = {enrollment_id for enrollment_id, _ in asked}

    def is_asked(text: PlannedText) -> bool:
        if text.skip_reason is not None or text.enrollment_id not in by:
            return False
        others = asked.get((text.enrollment_id, text.due_at.astimezone(zone).date()), ())
        return any(_asks_again(text, one, of[text.enrollment_id]) for one in others)

    return _without(texts, is_asked)


def _asks_again(text: PlannedText, one: SentText, protocol: Protocol) -> bool:
    """Whether a text repeats what went, for no more than another day that both count from."""
    if one.anchor_at == text.anchor_at:
        return False
    if one.step == text.step:
        return True
    mine, other = protocol.step(text.step), protocol.step(one.step)
    if mine is None or other is None:
        return False  # A nudge.
    return mine.template == other.template and mine.when.anchor is other.when.anchor


def _asked_by_day(
    of: Mapping[str, Protocol],
    sent: Sequence[SentText],
    events: Sequence[AskedFacts],
    zone: ZoneInfo,
) -> dict[tuple[str, date], list[SentText]]:
    """Give what went to these enrollments and is not known to have come back, by local day."""
    lost = {_question(one) for one in events if not one.reached}
    asked: dict[tuple[str, date], list[SentText]] = {}
    for one in sent:
        if one.enrollment_id in of and _question(one) not in lost:
            day = one.at.astimezone(zone).date()
            asked.setdefault((one.enrollment_id, day), []).append(one)
    return asked


def _counts_from_closing(protocol: Protocol) -> bool:
    return any(step.when.anchor is Anchor.UNRECORDED_CLOSING for step in protocol.steps)


def _asks_the_same(text: PlannedText, one: SentText, protocol: Protocol) -> bool:
    """Whether two steps ask one question, by whether or not the visit's end was recorded."""
    step, other = protocol.step(text.step), protocol.step(one.step)
    if step is None or other is None:
        return False
    anchors = {step.when.anchor, other.when.anchor}
    different = step.id != other.id and Anchor.UNRECORDED_CLOSING in anchors
    return different and step.template == other.template


def _question(one: SentText | AskedFacts) -> tuple[str, str, str]:
    return one.enrollment_id, one.step, one.occurrence


def _in_turn(text: PlannedText) -> tuple[datetime, datetime, str]:
    return text.due_at, text.anchor_at, text.enrollment_id


def _doses_of_a_day(
    enrollments: Sequence[EnrollmentFacts], patient: PatientFacts, clinic: ClinicFacts
) -> list[list[_Dose]]:
    """Give the dosing visits of each day with several, by start; those of each protocol apart."""
    days: dict[tuple[str, date], list[_Dose]] = {}
    for each in enrollments:
        visit = each.appointment
        if visit is not None and _is_dose_that_takes_place(each, visit):
            day = visit.starts_at.astimezone(zone_of(visit, patient, clinic)).date()
            days.setdefault((each.protocol.id, day), []).append((visit, each.id))
    return [
        sorted(doses, key=lambda one: (one[0].starts_at, one[1]))
        for doses in days.values()
        if len({visit.id for visit, _ in doses}) > 1
    ]


def _speakers(
    days: Sequence[Sequence[_Dose]], clinic: ClinicFacts
) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Give, for each other dosing visit of its day, which one speaks for it, and which of food.

    All as enrollments; and those whose last drink is earlier than what the food text will say.
    """
    first: dict[str, str] = {}
    food: dict[str, str] = {}
    thirsty: set[str] = set()
    for doses in days:
        # Of two that are alike the first, as they are in order.
        hungriest = min(doses, key=lambda one: _fast_begins(one[0], clinic))
        for speaker, of in ((doses[0], first), (hungriest, food)):
            of |= {by: speaker[1] for visit, by in doses if visit.id != speaker[0].id}
        _, drink = _fast_begins(hungriest[0], clinic)
        thirsty |= {by for visit, by in doses if _fast_begins(visit, clinic)[1] < drink}
    return first, food, thirsty


def _fast_begins(visit: AppointmentFacts, clinic: ClinicFacts) -> tuple[datetime, datetime]:
    """Give when food, and when drink, has to end before a visit by its route."""
    solids, fluids = clinic.fasting(visit.route)
    return visit.starts_at - timedelta(hours=solids), visit.starts_at - timedelta(hours=fluids)


def _is_dose_that_takes_place(enrollment: EnrollmentFacts, visit: AppointmentFacts) -> bool:
    return (
        visit.kind == "dosing"
        and enrollment.protocol.gate is None
        and enrollment.status is EnrollmentStatus.ACTIVE
        and visit.status not in _DOES_NOT_TAKE_PLACE
    )


def one_number(texts: list[PlannedText], protocol: Protocol, zone: ZoneInfo) -> list[PlannedText]:
    """Let steps that say so give way to the other numbers their protocol asks for that day."""
    giving_way = {step.id for step in protocol.steps if _gives_way(step)}
    if not giving_way:
        return texts
    taken = {
        text.due_at.astimezone(zone).date()
        for text in texts
        if text.step not in giving_way
        # What is over by now may well have gone.
        and text.skip_reason in (None, SkipReason.TOO_LATE)
        and text.expects not in NOT_NUMBERS
    }
    return [
        text._replace(skip_reason=SkipReason.OTHER_NUMBER)
        if text.step in giving_way
        and text.skip_reason is None
        and text.due_at.astimezone(zone).date() in taken
        else text
        for text in texts
    ]


def _gives_way(step: Step) -> bool:
    return any(one.kind is HistoryKind.NO_OTHER_NUMBER for one in step.only_if)


def _told(
    texts: Sequence[PlannedText],
    enrollments: Sequence[EnrollmentFacts],
    visits: Mapping[str, str],
) -> list[str]:
    """Give the visits of which a text tells the start."""
    steps = {
        (each.id, step.id)
        for each in enrollments
        for step in each.protocol.steps
        if step.when.anchor in _TOLD_OF_A_START
    }
    return [
        visits[text.enrollment_id]
        for text in texts
        if text.skip_reason is None and (text.enrollment_id, text.step) in steps
    ]


def _is_late(text: PlannedText) -> bool:
    return text.moved_reason is MoveReason.SENT_LATE and text.skip_reason is None
