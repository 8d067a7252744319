"""What will be texted, and what would be if things happen: check-outs, doses, unanswered questions.

The planner is asked as things stand; anew at the end of each coming visit, as if all before it took
place; and as if every question went unanswered. What only a later answer holds is conditional. Caps
are shared out by the planner each time, with what went before counted as sent. And it is asked, at
each closing, for the evening of whoever came while nobody recorded how the visit ended.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schedules.facts import (
    AppointmentFacts,
    AskedFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
    SentText,
    VisitStatus,
)
from schedules.planner import plan_patient
from schedules.protocol import EXPECTS_NOTHING, Anchor, Protocol
from schedules.reasons import MoveReason, SkipReason
from schedules.unrecorded import next_closing

#: How long a visit takes whose end nobody entered.
_USUAL_VISIT = timedelta(hours=2)
IF_UNANSWERED = "If the question arrives and stands unanswered."
IF_DOSED = "If this visit takes place and its dose is recorded."
IF_CHECKED_OUT = "If this visit takes place and its check-out is recorded."
IF_FORGOTTEN = "If the patient comes, and by closing nobody has recorded how the visit ended."
IF_THEN = "If the visits before it take place, and doses are recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """All that planning is told about one patient, real or imagined."""

    facts: PatientFacts
    clinic: ClinicFacts
    enrolled: Sequence[EnrollmentFacts]
    visits: Sequence[AppointmentFacts]
    asked: Sequence[AskedFacts] = ()
    sent: Sequence[SentText] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A text, and what must happen first; None for what goes as things stand.

    `enrollment` is what it was planned from: as things stand, or as they would.
    """

    text: PlannedText
    enrollment: EnrollmentFacts
    condition: str | None = None


_Key = tuple[str, str, str]


def foresee(person: Person, *, at: datetime, days: int) -> list[Foreseen]:
    """Return every text of the days that follow `at`, conditional ones too, by due time."""
    standing = _planned(person, at, days)
    found = {_key(one): _as(person, one, None) for one in standing}
    stages = _stages(person, standing, at, days)
    otherwise = []
    for stage in stages:
        for text in stage.texts:
            known = found.get(_key(text))
            if known is None and text.skip_reason not in _NEVER:
                found[_key(text)] = _as(stage.person, text, _condition(stage.person, text))
            elif known is not None and _gives_way(known.text, text):
                otherwise.append(_as(stage.person, text, IF_THEN))
    for stage, text in _nudges(stages, standing, person.asked):
        found.setdefault(_key(text), _as(stage.person, text, IF_UNANSWERED))
    for one in _forgotten(person, at, days):
        found.setdefault(_key(one.text), one)
    return sorted([*found.values(), *otherwise], key=lambda one: (one.text.due_at, one.text.step))


def _gives_way(standing: PlannedText, then: PlannedText) -> bool:
    """Whether a text goes as things stand, and gives way to the checks after a dose."""
    if standing.skip_reason is not None:
        return False
    moved = then.moved_reason is MoveReason.AFTER_OTHER
    if moved and then.due_at != standing.due_at:
        return True
    return then.skip_reason in (SkipReason.OTHER_NUMBER, SkipReason.CAP)


#: What a text is not worth mentioning for, where it is only thought of.
_NEVER = frozenset(
    {
        SkipReason.ARRIVED,
        SkipReason.NOT_MEANT,
        SkipReason.ENROLLMENT_ENDED,
        SkipReason.BOOKED,
        SkipReason.DOSE_DAY,
        SkipReason.SAME_DAY,
    }
)


def _planned(person: Person, at: datetime, days: int) -> list[PlannedText]:
    return _planned_until(person, at, at + timedelta(days=days))


def _planned_until(person: Person, at: datetime, end: datetime) -> list[PlannedText]:
    return plan_patient(
        person.enrolled,
        person.facts,
        person.clinic,
        now=at,
        horizon=end - at,
        appointments=person.visits,
        events=person.asked,
        sent=person.sent,
    )


def _key(text: PlannedText) -> _Key:
    return text.enrollment_id, text.step, text.occurrence


def _as(person: Person, text: PlannedText, condition: str | None) -> Foreseen:
    of = next(one for one in person.enrolled if one.id == text.enrollment_id)
    return Foreseen(text=text, enrollment=of, condition=condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """From one check-out to the next: who the patient is then, and what the plan of then has."""

    person: Person
    begins: datetime
    ends: datetime
    texts: Sequence[PlannedText]

    def of(self, texts: Sequence[PlannedText]) -> list[PlannedText]:
        """Return those of these texts that fall due in it."""
        return [one for one in texts if self.begins <= one.due_at < self.ends]


def _stages(
    person: Person, standing: Sequence[PlannedText], at: datetime, days: int
) -> list[_Stage]:
    """Let every coming visit take place as booked, with a dose where one is meant.

    One after the other: at each check-out the plan is drawn anew, as it will be. What went before
    has used up its share of the caps, and what lies ahead still gives way to a check after a dose.
    """
    end = at + timedelta(days=days)
    coming = {one.id: _ends(one) for one in person.visits if _is_coming(one, at)}
    moments = sorted({each for each in coming.values() if each < end})
    stages: list[_Stage] = []
    begins, texts = at, standing
    for until in [*moments, end + timedelta.resolution]:
        bare = _Stage(person=person, begins=begins, ends=until, texts=())
        stage = replace(bare, texts=bare.of(texts))
        stages.append(stage)
        if until > end:
            break
        over = {key for key, each in coming.items() if each <= until}
        went = [_as_sent(one) for one in stage.texts if one.skip_reason is None]
        person = _happened(replace(person, sent=[*person.sent, *went]), over)
        begins, texts = until, _planned_until(person, until, end)
    return stages


def _is_coming(visit: AppointmentFacts, at: datetime) -> bool:
    return visit.status in (VisitStatus.BOOKED, VisitStatus.ARRIVED) and _ends(visit) > at


def _ends(visit: AppointmentFacts) -> datetime:
    return visit.ends_at or visit.starts_at + _USUAL_VISIT


def _as_sent(text: PlannedText) -> SentText:
    return SentText(
        enrollment_id=text.enrollment_id,
        step=text.step,
        occurrence=text.occurrence,
        anchor_at=text.anchor_at,
        at=text.due_at,
    )


def _happened(person: Person, over: Collection[str]) -> Person:
    """Let these visits have taken place."""
    visits = {one.id: _taken_place(one) if one.id in over else one for one in person.visits}
    enrolled = [
        replace(one, appointment=visits.get(one.appointment.id, one.appointment))
        if one.appointment is not None
        else one
        for one in person.enrolled
    ]
    return replace(person, visits=list(visits.values()), enrolled=enrolled)


def _taken_place(visit: AppointmentFacts) -> AppointmentFacts:
    if visit.status is VisitStatus.CHECKED_OUT:
        return visit
    dose = Dose.GIVEN if visit.kind == "dosing" else visit.dose
    return replace(visit, status=VisitStatus.CHECKED_OUT, checked_out_at=_ends(visit), dose=dose)


def _forgotten(person: Person, at: datetime, days: int) -> Iterator[Foreseen]:
    """Give what goes if a coming visit's patient arrives and its end is not recorded that day."""
    until = at + timedelta(days=days)
    for each in person.enrolled:
        visit = each.appointment
        if visit is None or visit.status not in (VisitStatus.BOOKED, VisitStatus.ARRIVED):
            continue
        arrived_at = visit.arrived_at or visit.starts_at
        came = replace(visit, status=VisitStatus.ARRIVED, arrived_at=arrived_at)
        mine = replace(each, appointment=came)
        closing = next_closing(mine, person.clinic, now=at)
        if closing is None or closing > until:
            continue
        # Nothing else is asked of that day: whether there is room for it was planned with the rest.
        then = replace(person, enrolled=[mine], visits=[came], asked=(), sent=())
        for text in _planned(then, closing, 1):
            if text.skip_reason not in _NEVER and _counts_from_closing(mine.protocol, text.step):
                yield _as(then, text, IF_FORGOTTEN)


def _counts_from_closing(protocol: Protocol, name: str) -> bool:
    step = protocol.step(name)
    chain = (step, *protocol.sources(step)) if step is not None else ()
    return any(each.when.anchor is Anchor.UNRECORDED_CLOSING for each in chain)


def _condition(happened: Person, text: PlannedText) -> str:
    visit = _as(happened, text, None).enrollment.appointment
    if visit is None:
        return IF_THEN
    return IF_DOSED if visit.kind == "dosing" else IF_CHECKED_OUT


def _is_asked(text: PlannedText) -> bool:
    return text.skip_reason is None and text.expects != EXPECTS_NOTHING and text.nudge_for is None


def _nudges(
    stages: Sequence[_Stage], standing: Sequence[PlannedText], known: Sequence[AskedFacts]
) -> Iterator[tuple[_Stage, PlannedText]]:
    """Give what goes if every question stands unanswered."""
    then = [text for stage in stages for text in stage.texts]
    asked = _unanswered([one for one in [*standing, *then] if _is_asked(one)], known)
    for stage in stages:
        silent = replace(stage.person, asked=[*stage.person.asked, *asked])
        for text in stage.of(_planned_until(silent, stage.begins, stage.ends)):
            if text.nudge_for is not None:
                yield stage, text


def _unanswered(texts: Sequence[PlannedText], known: Sequence[AskedFacts]) -> list[AskedFacts]:
    """Give the questions as if they had gone out at their minutes and stood open."""
    already = {(one.enrollment_id, one.step, one.occurrence) for one in known}
    fresh: Mapping[_Key, PlannedText] = {_key(one): one for one in texts}
    return [
        AskedFacts(
            enrollment_id=one.enrollment_id,
            step=one.step,
            occurrence=one.occurrence,
            round=one.round,
            asked_at=one.due_at,
            until=one.answer_until,
        )
        for key, one in fresh.items()
        if key not in already
    ]
