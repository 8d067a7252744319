"""`plan`: from a protocol and the facts to the texts wanted. The only place where texts begin.

A booking, a move, a cancellation, a confirmation, a protocol edit, a time-zone change and a late
booking are all the same call with other facts; `reconcile` then compares the answer with the rows
that exist. Nothing here reads a clock or a database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from schedules import gates, repeats
from schedules.asking import Standing, share_out
from schedules.facts import (
    AppointmentFacts,
    AskedFacts,
    ClinicFacts,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
    SentText,
)
from schedules.moments import Frame, frame_of
from schedules.over import is_over, sources
from schedules.placement import Placement, nudge_due, place
from schedules.protocol import COMES_AGAIN, Anchor, Moment, Nudge, Step
from schedules.reasons import SkipReason
from schedules.together import (
    news_instead,
    one_check_a_day,
    one_dose_a_day,
    one_evening_a_visit,
    one_late_text,
    one_number,
    one_question_a_day,
)
from schedules.windows import is_open

HORIZON = timedelta(days=14)
#: Before anything could become known: nothing is late then.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

#: Occurrences that ended longer ago than this are history, and their rows are left alone.
LOOKBACK = timedelta(days=1)

#: A nudge later than this after its minute would land beside the next question.
NUDGE_USEFUL = timedelta(hours=4)
NUDGE_SUFFIX = ".nudge"

#: A step that a confirmation made needless, or whose time is over, may well have gone: what
#: follows it still follows. So it does where only the day's cap took the first one's place.
_LETS_FOLLOW = frozenset({None, SkipReason.CONFIRMED, SkipReason.TOO_LATE, SkipReason.ANSWERED})

#: The occurrence of a step that does not repeat. One whose anchor comes again bears its instant.
ONCE = "1"
#: The occurrences of a step that does: this and the number of the day, counted from 1.
DAY = "day-"


def plan(
    enrollment: EnrollmentFacts,
    patient: PatientFacts,
    clinic: ClinicFacts,
    *,
    now: datetime,
    horizon: timedelta = HORIZON,
    appointments: Sequence[AppointmentFacts] = (),
    events: Sequence[AskedFacts] = (),
) -> list[PlannedText]:
    """Give every occurrence of one enrollment that falls due up to `now + horizon`.

    Occurrences that will not be sent are included with their reason. `appointments` are all visits
    of the patient (dose days stop check-ins); `events` are the questions that went out (nudges hang
    on them). Caps are not shared out here: see `plan_patient`.
    """
    visit, enrolled_at = enrollment.appointment, enrollment.enrolled_at
    if visit is not None and is_over(visit, enrollment.protocol, enrolled_at=enrolled_at, now=now):
        return []
    frame = frame_of(enrollment, patient, clinic, now, appointments)
    work = _Work(
        frame=frame,
        closed=gates.closed_to_all(enrollment, patient),
        closed_to_news=gates.closed_to_person(enrollment, patient),
        dose_days=_dose_days(enrollment, patient, clinic, appointments),
        oldest=now - LOOKBACK,
        newest=now + horizon,
        placed={},
        sources=sources(enrollment.protocol.steps),
    )
    texts = one_late_text(_texts(work, chained=False))
    if any(step.when.anchor is Anchor.STEP for step in enrollment.protocol.steps):
        for text in texts:
            if text.step in work.placed:
                work.placed[text.step] = (text.due_at, text.skip_reason)
        texts = one_late_text(texts + _texts(work, chained=True))
    texts = one_number(texts, enrollment.protocol, frame.zone)
    return texts + [nudge for asked in events for nudge in _nudges(work, asked)]


def plan_patient(
    enrollments: Sequence[EnrollmentFacts],
    patient: PatientFacts,
    clinic: ClinicFacts,
    *,
    now: datetime,
    horizon: timedelta = HORIZON,
    appointments: Sequence[AppointmentFacts] = (),
    events: Sequence[AskedFacts] = (),
    sent: Sequence[SentText] = (),
) -> list[PlannedText]:
    """Plan all enrollments of a patient; share out the caps, and who may ask when (care rule 8).

    `sent` are the texts an attempt was made for in the last eight days: they use up the caps, may
    still wait for a number, and are not counted again as wanted.
    """
    texts: list[PlannedText] = []
    for enrollment in enrollments:
        mine = [asked for asked in events if asked.enrollment_id == enrollment.id]
        texts += plan(
            enrollment,
            patient,
            clinic,
            now=now,
            horizon=horizon,
            appointments=appointments,
            events=mine,
        )
    texts = news_instead(texts, enrollments)
    texts = one_dose_a_day(texts, enrollments, patient, clinic)
    zone = patient.zone or clinic.zone
    texts = one_evening_a_visit(texts, enrollments, sent, events, zone)
    texts = one_question_a_day(texts, enrollments, sent, events, zone)
    texts = one_check_a_day(texts, sent, zone)
    standing = Standing(enrollments, patient, clinic, now, appointments)
    return share_out(texts, sent=sent, standing=standing)


@dataclass(slots=True, kw_only=True, eq=False)
class _Work:
    """What the steps of one enrollment share while they are planned."""

    frame: Frame
    closed: SkipReason | None
    #: The same for the news that a visit was cancelled.
    closed_to_news: SkipReason | None
    dose_days: frozenset[date]
    oldest: datetime
    newest: datetime
    #: The first occurrence of each step, for steps that count from it.
    placed: dict[str, tuple[datetime, SkipReason | None]]
    #: The steps that others count from.
    sources: frozenset[str | None]


def _dose_days(
    enrollment: EnrollmentFacts,
    patient: PatientFacts,
    clinic: ClinicFacts,
    appointments: Sequence[AppointmentFacts],
) -> frozenset[date]:
    """Look for dose days only where a step asks for them."""
    if not appointments or not any(map(gates.asks_no_dose, enrollment.protocol.steps)):
        return frozenset()
    return gates.dose_days(appointments, patient, clinic)


def _texts(work: _Work, *, chained: bool) -> list[PlannedText]:
    """Plan the steps that count from another one, or those that don't; sources come first."""
    protocol = work.frame.enrollment.protocol
    steps = [step for step in protocol.steps if (step.when.anchor is Anchor.STEP) is chained]
    if chained:
        steps.sort(key=lambda step: len(protocol.sources(step)))
    return [text for step in steps for text in _step(work, step)]


def _step(work: _Work, step: Step) -> Iterator[PlannedText]:
    base, before = _base(work, step)
    if base is None or _is_history(work, step, base):
        return
    gone = step.when.anchor is Anchor.ANNOUNCED_CANCELLATION
    closed = work.closed_to_news if gone else work.closed
    closed = closed or before or gates.closed_to_step(work.frame, step)
    if not step.repeat:
        text = _occurrence(work, step, base, None, closed)
        work.placed[step.id] = (text.due_at, text.skip_reason)
        if text.due_at <= work.newest and _recent(work, text):
            yield text
        return
    yield from _repeats(work, step, base, closed)


def _repeats(
    work: _Work, step: Step, base: datetime | date, closed: SkipReason | None
) -> Iterator[PlannedText]:
    """Plan the days of a repeat, each at the minute that it shares with other patients'."""
    frame = work.frame
    known = _shared_days(frame, step, base)
    anchor_at = _anchor_at(frame, step)
    for number in _days_of_repeat(work, step, base):
        text = None
        if known is not None and not isinstance(base, datetime):
            text = _shared(known, frame, step, base, number - 1)
        if text is None:
            text = _with_its_minute(frame, step, base, number - 1)
        else:
            text = text._replace(
                enrollment_id=frame.enrollment.id,
                occurrence=f"{DAY}{number}",
                anchor_at=anchor_at,
            )
        yield _judged(work, step, text, closed)


def _shared_days(frame: Frame, step: Step, base: datetime | date) -> dict[date, PlannedText] | None:
    """Give what patients of the same zone and hours share; None where more decides the minute.

    A text about a visit, or one that counts elapsed hours from a day, is each patient's own; so is
    one whose moments count from different days, such as enrollment and quit date.
    """
    moments = (step.when, step.latest, step.answer_until or step.latest)
    by_calendar = all(
        moment.anchor is Anchor.SENDING
        or (moment.anchor is step.when.anchor and moment.days is not None)
        for moment in moments
    )
    own = frame.visit is not None or isinstance(base, datetime)
    if own or not by_calendar or step.stays_on is not None or step.otherwise is not None:
        return None
    alike = (step, frame.zone, frame.zones, frame.window, frame.patient.check_in_time)
    return frame.clinic.shared.of(alike)


def _shared(
    known: dict[date, PlannedText], frame: Frame, step: Step, base: date, day_offset: int
) -> PlannedText | None:
    """Give the text of that day if this patient's is no other: placed, and not for being late."""
    day = base + timedelta(days=day_offset)
    text = known.get(day)
    if text is None:
        anyone = replace(frame, known_at=LONG_AGO)
        text = known[day] = _with_its_minute(anyone, step, base, day_offset)
    return text if text.skip_reason is None and text.due_at >= frame.known_at else None


def _base(work: _Work, step: Step) -> tuple[datetime | date | None, SkipReason | None]:
    """Give what the step counts from; a step whose source is skipped is skipped with it."""
    if step.when.anchor is not Anchor.STEP:
        return work.frame.base(step.when.anchor), None
    source = work.placed.get(step.when.step or "")
    if source is None:
        return None, None
    return source[0], None if source[1] in _LETS_FOLLOW else SkipReason.STEP_SKIPPED


def _is_history(work: _Work, step: Step, base: datetime | date) -> bool:
    """Whether a step ended too long ago to be told of, known without looking for its minute.

    Wherever that lies, a text is useful no longer than its step says. Most of a patient's visits
    are past, and only what other steps count from is still placed for them.
    """
    frame = work.frame
    if step.repeat or step.id in work.sources or frame.known_at >= work.oldest:
        return False
    ideal = frame.resolve(step.when, base)
    latest = _related(frame, step, step.latest, base, ideal, None) or ideal
    return max(ideal, latest) < work.oldest


def _recent(work: _Work, text: PlannedText) -> bool:
    """Leave out what ended long ago, but not what was over when its visit became known."""
    return max(text.latest_at, work.frame.known_at) >= work.oldest


def _days_of_repeat(work: _Work, step: Step, base: datetime | date) -> Iterator[int]:
    """Give the day numbers (the first is 1) whose texts fall between yesterday and the horizon."""
    frame = work.frame
    ideal = frame.resolve(step.when, base)
    latest = _related(frame, step, step.latest, base, ideal, 0) or ideal
    # A text that stays useful for days is still planned on each of them.
    oldest = max(work.oldest - (latest - ideal), frame.known_at).astimezone(frame.zone).date()
    newest = work.newest.astimezone(frame.zone).date()
    first_day = frame.day_of(ideal)
    low, high = (oldest - first_day).days + 1, (newest - first_day).days + 1
    return repeats.days(frame, step, first_day, low, high)


def _occurrence(
    work: _Work,
    step: Step,
    base: datetime | date,
    day_offset: int | None,
    closed: SkipReason | None,
) -> PlannedText:
    text = _with_its_minute(work.frame, step, base, day_offset)
    return _judged(work, step, text, closed)


def _judged(work: _Work, step: Step, text: PlannedText, closed: SkipReason | None) -> PlannedText:
    """Say of a text that has its minute, or found none, why it will not go."""
    reason = closed or text.skip_reason
    if reason is None:
        frame = work.frame
        reason = gates.closed_at(frame, step, text.due_at, work.dose_days)
        if reason is None and text.latest_at <= frame.now:
            late = text.latest_at <= frame.known_at
            reason = SkipReason.LATE_BOOKING if late else SkipReason.TOO_LATE
    return text if reason is text.skip_reason else text._replace(skip_reason=reason)


def _with_its_minute(
    frame: Frame, step: Step, base: datetime | date, day_offset: int | None
) -> PlannedText:
    """Give one occurrence at the minute found for it, or with the reason why there is none."""
    ideal = frame.resolve(step.when, base, day_offset or 0)
    latest = _related(frame, step, step.latest, base, ideal, day_offset) or ideal
    found = place(frame, step, base, (ideal, latest), day_offset)
    reason = None
    if isinstance(found, Placement):
        placed = found
    else:
        placed = Placement(due=ideal, latest=max(latest, ideal), template=step.template)
        reason = found
    return PlannedText(
        enrollment_id=frame.enrollment.id,
        step=step.id,
        occurrence=_name(step, base, day_offset),
        due_at=placed.due,
        latest_at=placed.latest,
        anchor_at=_anchor_at(frame, step),
        template=placed.template,
        importance=step.importance,
        purpose=step.purpose,
        expects=step.expects,
        answer_until=_answer_until(frame, step, base, placed.due, day_offset),
        skip_reason=reason,
        moved_reason=placed.moved,
        unknown_policy=step.unknown,
        anew_since=gates.told_anew_since(frame, step),
        short_staffed=placed.short_staffed,
    )


def _name(step: Step, base: datetime | date, day_offset: int | None) -> str:
    """Name an occurrence within its step; what its anchor brings again is one of its own."""
    if day_offset is not None:
        return f"{DAY}{day_offset + 1}"
    if step.when.anchor in COMES_AGAIN and isinstance(base, datetime):
        return f"{base.astimezone(UTC):%Y%m%dT%H%M%S}"
    return ONCE


def _answer_until(
    frame: Frame, step: Step, base: datetime | date, due: datetime, day_offset: int | None
) -> datetime | None:
    if step.answer_until is None:
        return None
    return _related(frame, step, step.answer_until, base, due, day_offset)


def _related(
    frame: Frame,
    step: Step,
    moment: Moment,
    base: datetime | date,
    sending: datetime,
    day_offset: int | None,
) -> datetime | None:
    """Resolve a step's other moments: from its own anchor, from its sending, or from the visit."""
    anchor = moment.anchor
    if anchor is Anchor.SENDING:
        return frame.resolve(moment, sending)
    if anchor is step.when.anchor:
        return frame.resolve(moment, base, day_offset or 0)
    other = frame.base(anchor)
    return None if other is None else frame.resolve(moment, other)


def _anchor_at(frame: Frame, step: Step) -> datetime:
    """Give the start time a text speaks of; for steps without a visit, its anchor day (UTC)."""
    if frame.visit is not None:
        return frame.visit.starts_at
    quit_date = step.when.anchor is Anchor.QUIT_DATE
    day = frame.patient.quit_date if quit_date else frame.enrollment.anchor_day
    if day is None:
        return frame.enrollment.enrolled_at
    # In UTC, so that a patient who moves to another zone is not asked the same day again.
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _nudges(work: _Work, asked: AskedFacts) -> Iterator[PlannedText]:
    """Plan the repeats of a question that went out, or say that they are not needed."""
    step = work.frame.enrollment.protocol.step(asked.step)
    base = None if step is None else _base(work, step)[0]
    if step is None or base is None:
        return
    for number, nudge in enumerate(step.nudges, start=1):
        text = _nudge(work, asked, step, base, nudge)
        if text.latest_at >= work.oldest:
            name = f"{step.id}{NUDGE_SUFFIX}"
            yield text if number == 1 else text._replace(step=f"{name}{number}")


def _nudge(
    work: _Work, asked: AskedFacts, step: Step, base: datetime | date, nudge: Nudge
) -> PlannedText:
    frame = work.frame
    until = asked.until
    if until is None:
        until = _answer_until(frame, step, base, asked.asked_at, _day_offset(asked.occurrence))
    due = nudge_due(frame, asked.asked_at + timedelta(minutes=nudge.after_minutes))
    latest = due + NUDGE_USEFUL if until is None else min(until, due + NUDGE_USEFUL)
    closed = work.closed or gates.closed_to_step(frame, step)
    # A dose on the day the nudge falls on is no matter: the question itself has gone.
    closed = closed or gates.closed_at(frame, step, due, frozenset())
    return PlannedText(
        enrollment_id=frame.enrollment.id,
        step=step.id + NUDGE_SUFFIX,
        occurrence=asked.occurrence,
        due_at=due,
        latest_at=latest,
        anchor_at=_anchor_at(frame, step),
        template=nudge.template,
        importance=step.importance,
        purpose=step.purpose,
        expects=step.expects,
        answer_until=until,
        skip_reason=_nudge_closed(asked, due, latest, frame) or closed,
        unknown_policy=step.unknown,
        nudge_for=step.id,
    )


def _nudge_closed(
    asked: AskedFacts, due: datetime, latest: datetime, frame: Frame
) -> SkipReason | None:
    if asked.answered:
        return SkipReason.ANSWERED
    if not asked.reached:
        return SkipReason.NOT_REACHED
    if not is_open(frame.window, frame.zones, due):
        return SkipReason.NO_ALLOWED_MINUTE
    return SkipReason.TOO_LATE if latest <= max(due, frame.now) else None


def _day_offset(occurrence: str) -> int | None:
    """Give the days since the first of a repeat's occurrence such as `day-3`."""
    return int(occurrence.removeprefix(DAY)) - 1 if occurrence.startswith(DAY) else None
