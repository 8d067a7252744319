"""Shares out who may ask a patient for a number, and until when: never two at once (care rule 8).

The planner calls this over all enrollments of a patient, so that a preview shows it; at claim the
rule is only a guard (`worker.gates`). The most important question keeps its minute and its whole
answer window; of several check-ins the one whose answer may need a person soonest. What is less
important ends when the next number is asked, or waits until no other question is open, or is
skipped with that reason. The checks after a dose are asked in any case.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schedules.caps import share_caps, weekly_cap
from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    EnrollmentFacts,
    PatientFacts,
    PlannedText,
    SentText,
    VisitStatus,
)
from schedules.gates import NOT_NUMBERS
from schedules.moments import Frame, day_bounds, frame_of
from schedules.protocol import Anchor, Importance, Step
from schedules.reasons import MoveReason, SkipReason
from schedules.resolving import resolver
from schedules.staffing import Severity
from schedules.windows import next_open

#: A question may end early where it has been open this long: its nudge has gone, and there were
#: hours to answer that one too. What was open for less would count as silence that was not.
ENOUGH = timedelta(hours=6)
#: The same between two checks after doses, which nothing may take away.
LEAST = timedelta(minutes=30)
#: Up to this priority nothing is ever skipped for another question.
ALWAYS_ASKED = Importance.AFTER_DOSE.priority

_SEVERITIES = tuple(Severity)

_MAY_YET_BE_DOSED = frozenset(
    {VisitStatus.BOOKED, VisitStatus.ARRIVED, VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED}
)
#: Before anything was asked.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_Question = tuple[str, str, str]


class Standing(NamedTuple):
    """What all questions of a patient are placed by."""

    enrollments: Sequence[EnrollmentFacts]
    patient: PatientFacts
    clinic: ClinicFacts
    now: datetime
    appointments: Sequence[AppointmentFacts]


@dataclass(slots=True, kw_only=True)
class _Open:
    """A question from its sending to the end of its answers; `at` is its place among the texts."""

    question: _Question
    priority: int
    start: datetime
    until: datetime
    at: int | None = None
    moved: bool = False
    ended_early: bool = False


def share_out(
    texts: list[PlannedText], *, sent: Sequence[SentText], standing: Standing
) -> list[PlannedText]:
    """Share out the caps, and who may ask for a number; a place that one gives up is another's."""
    zone = standing.patient.zone or standing.clinic.zone
    caps = standing.clinic.caps
    capping = partial(
        share_caps,
        sent=sent,
        caps=replace(caps, per_week=weekly_cap(caps.per_week, standing.patient.purposes)),
        zone=zone,
        checks_to_come=frozenset(_checks_to_come(texts, standing, zone)),
    )
    capped = capping(texts)
    asked = one_at_a_time(capped, sent=sent, standing=standing)
    if asked is capped:
        return asked
    skipped = [one.skip_reason is SkipReason.OTHER_NUMBER for one in asked]
    freed = [
        after if gone else before for before, after, gone in zip(texts, asked, skipped, strict=True)
    ]
    if freed == texts:
        return asked
    capped = capping(freed)
    return one_at_a_time(capped, sent=sent, standing=standing)


def _checks_to_come(
    texts: Iterable[PlannedText], standing: Standing, zone: ZoneInfo
) -> Iterator[date]:
    """Give the days of booked doses that a check will follow, by protocols that are followed.

    One that is among the texts already, since nobody recorded the dose, has its own place.
    """
    patient, today = standing.patient, standing.now.astimezone(zone).date()
    there = {
        (text.enrollment_id, text.due_at.astimezone(zone).date())
        for text in texts
        if text.importance is Importance.AFTER_DOSE and text.skip_reason is None
    }
    for each in standing.enrollments:
        visit = each.appointment
        if (
            visit is not None
            and visit.kind == "dosing"
            and visit.dose is None
            and visit.status in _MAY_YET_BE_DOSED
            and any(_is_check(step, patient) for step in each.protocol.steps)
        ):
            day = visit.starts_at.astimezone(zone).date()
            # Nothing is to come of a day that is over, and its week would be short of a place.
            if day >= today and (each.id, day) not in there:
                yield day


def _is_check(step: Step, patient: PatientFacts) -> bool:
    """Whether a step asks this patient on the very day of a dose how they are."""
    return (
        step.importance is Importance.AFTER_DOSE
        and step.when.anchor is Anchor.DOSE_CHECK_OUT
        and not step.when.days
        and step.purpose in patient.purposes
    )


def one_at_a_time(
    texts: list[PlannedText], *, sent: Sequence[SentText], standing: Standing
) -> list[PlannedText]:
    """Give the texts so that no two questions for a number are open at the same instant.

    `sent` are the texts that went out; those among them that still wait for a number stand as they
    are. Order and other texts stay.
    """
    numbers = [
        at
        for at, text in enumerate(texts)
        if text.skip_reason is None and text.expects not in NOT_NUMBERS
    ]
    if not numbers:
        return texts
    went = {(one.enrollment_id, one.step, one.occurrence, one.anchor_at) for one in sent}
    repeats = [at for at in numbers if texts[at].nudge_for is not None]
    asking = [at for at in numbers if texts[at].nudge_for is None] if repeats else numbers
    if went:
        asking = [at for at in asking if _identity(texts[at]) not in went]
    placed = _open_now(sent)
    changes: dict[int, PlannedText] = {}
    if _meet(texts, asking, placed):
        sharing = _Sharing(standing, placed)
        for at in sorted(asking, key=lambda at: sharing.order(texts[at])):
            sharing.take(at, texts[at])
        changes = sharing.changes(texts)
        placed = sharing.placed
    changes |= _nudges(texts, repeats, placed)
    return [changes.get(at, text) for at, text in enumerate(texts)] if changes else texts


def _identity(text: PlannedText) -> tuple[object, ...]:
    return text.enrollment_id, text.step, text.occurrence, text.anchor_at


def _open_now(sent: Iterable[SentText]) -> list[_Open]:
    """Give the questions that went out and wait for a number, each with its repeats as one."""
    found: dict[_Question, _Open] = {}
    for one in sent:
        if one.open_until is None:
            continue
        question = one.enrollment_id, one.question or one.step, one.occurrence
        known = found.setdefault(
            question,
            _Open(question=question, priority=one.priority, start=one.at, until=one.open_until),
        )
        known.start = min(known.start, one.at)
        known.until = max(known.until, one.open_until)
    return list(found.values())


def _ends(text: PlannedText) -> datetime:
    return text.answer_until or text.latest_at


def _meet(texts: Sequence[PlannedText], asking: Sequence[int], placed: Sequence[_Open]) -> bool:
    """Whether any two windows overlap. For most patients none do, and nothing else is looked at."""
    asked = [texts[at] for at in asking]
    spans = [(text.due_at, text.answer_until or text.latest_at) for text in asked]
    spans += [(one.start, one.until) for one in placed]
    spans.sort()
    over = LONG_AGO
    for start, until in spans:
        if start < over:
            return True
        over = until
    return False


class _Sharing:
    """Places one patient's questions one after the other, the most important first."""

    def __init__(self, standing: Standing, placed: list[_Open]) -> None:
        self.placed = placed
        self._standing = standing
        self._steps: dict[tuple[str, str], tuple[EnrollmentFacts, Step]] = {
            (each.id, step.id): (each, step)
            for each in standing.enrollments
            for step in each.protocol.steps
        }
        self._frames: dict[str, Frame] = {}
        self._skipped: list[int] = []

    def order(self, text: PlannedText) -> tuple[object, ...]:
        """Give the caps' order; among equals first what may need a person soonest."""
        _, step = self._steps[text.enrollment_id, text.step]
        worst = min((_SEVERITIES.index(rule.severity) for rule in step.on_answer), default=9)
        return text.priority, worst, text.due_at, text.step, text.occurrence, text.enrollment_id

    def take(self, at: int, text: PlannedText) -> None:
        """Find the minute of a question among those that are placed, or note that it has none."""
        found = self._found(text, ENOUGH)
        if found is None and text.priority <= ALWAYS_ASKED:
            found = self._found(text, LEAST) or self._asked(text, self._own_minute(text))
        if found is None:
            self._skipped.append(at)
            return
        found.at = at
        for other in self._open_at(found.start):
            other.until, other.ended_early = found.start, True
        self.placed.append(found)

    def _found(self, text: PlannedText, enough: timedelta) -> _Open | None:
        """Try the question's own minute, then the ends of those that are open, on the same day."""
        for minute in self._minutes(text, enough):
            found = self._asked(text, minute)
            until = min([found.until, *(one.start for one in self.placed if one.start > minute)])
            short = until < found.until
            if short and until - minute < enough:
                continue
            if all(_may_end(one, minute, text, enough) for one in self._open_at(minute)):
                found.until, found.ended_early = until, short
                return found
        return None

    def _minutes(self, text: PlannedText, enough: timedelta) -> list[datetime]:
        frame = self._frame(text.enrollment_id)
        day = text.due_at.astimezone(frame.zone).date()
        latest = min(text.latest_at, day_bounds(day, frame.zone)[1])
        own = self._own_minute(text)
        later = {one.until for one in self.placed}
        if text.priority <= ALWAYS_ASKED:
            later |= {one.start + enough for one in self.placed}
        wanted = sorted(one for one in later if own < one < latest)
        allowed = (next_open(frame.window, frame.zones, one, until=latest) for one in wanted)
        return [own, *(one for one in allowed if one is not None)]

    def _own_minute(self, text: PlannedText) -> datetime:
        """Give when a text goes if nothing is in its way; what is due already goes now."""
        return max(text.due_at, self._standing.now)

    def _asked(self, text: PlannedText, minute: datetime) -> _Open:
        """Give the question as asked at that minute, with the answer window that follows."""
        until, moved = _ends(text), minute != self._own_minute(text)
        if moved:
            _, step = self._steps[text.enrollment_id, text.step]
            frame = self._frame(text.enrollment_id)
            resolve = resolver(frame, step, occurrence=text.occurrence, due_at=minute)
            until = (step.answer_until and resolve(step.answer_until)) or until
        return _Open(
            question=(text.enrollment_id, text.step, text.occurrence),
            priority=text.priority,
            start=minute,
            until=until,
            moved=moved,
        )

    def _open_at(self, minute: datetime) -> list[_Open]:
        return [one for one in self.placed if one.start <= minute < one.until]

    def _frame(self, enrollment_id: str) -> Frame:
        if enrollment_id not in self._frames:
            enrollments, patient, clinic, now, visits = self._standing
            [mine] = [each for each in enrollments if each.id == enrollment_id]
            self._frames[enrollment_id] = frame_of(mine, patient, clinic, now, visits)
        return self._frames[enrollment_id]

    def changes(self, texts: Sequence[PlannedText]) -> dict[int, PlannedText]:
        """Give the texts that are other than wanted, by their place."""
        skipped = SkipReason.OTHER_NUMBER
        changed = {at: texts[at]._replace(skip_reason=skipped) for at in self._skipped}
        for one in self.placed:
            if one.at is not None and (one.moved or one.ended_early):
                text = texts[one.at]
                changed[one.at] = text._replace(
                    due_at=one.start if one.moved else text.due_at,
                    answer_until=one.until,
                    moved_reason=MoveReason.AFTER_OTHER if one.moved else text.moved_reason,
                    ended_early=one.ended_early,
                )
        return changed


def _may_end(one: _Open, minute: datetime, text: PlannedText, enough: timedelta) -> bool:
    """Whether a question may end for another one that is asked at that minute.

    One that matters less was placed before this only if it has gone out already. The other is then
    asked all the same, and a digit that fits both is read as the more worrying.
    """
    if one.priority > text.priority:
        return True
    return one.priority == text.priority and minute - one.start >= enough


def _nudges(
    texts: Sequence[PlannedText], repeats: Sequence[int], placed: Iterable[_Open]
) -> dict[int, PlannedText]:
    """Let no nudge repeat a question after its end."""
    ends = {one.question: one.until for one in placed} if repeats else {}
    changed = {}
    for at in repeats:
        text = texts[at]
        end = ends.get((text.enrollment_id, text.nudge_for or text.step, text.occurrence))
        if end is None or end >= _ends(text):
            continue
        if end <= text.due_at:
            changed[at] = text._replace(skip_reason=SkipReason.OTHER_NUMBER)
        else:
            changed[at] = text._replace(latest_at=min(text.latest_at, end), answer_until=end)
    return changed
