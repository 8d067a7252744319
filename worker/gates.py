"""The recheck at the claim: whether a due text may still go, judged under the sender's lock.

Pure: a due row, the clinic and the time go in, a verdict comes out. A safety reply passes
everything (care rule 9); an answer to a patient's own text passes all that limits what we start.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from records.patients import SUSPENDED, in_crisis
from records.sending import DueMessage, RecentText
from schedules.asking import ALWAYS_ASKED, ENOUGH
from schedules.caps import weekly_cap, within_week
from schedules.clinic import ClinicFile
from schedules.gates import NOT_NUMBERS, WELCOME, invites, rests
from schedules.reasons import CancelReason, SkipReason
from schedules.windows import (
    SendWindow,
    candidate_zones,
    is_open,
    narrowed,
    next_close,
    next_open,
)

# Started texts from this priority on count towards the caps; notices (10) do not (care rule 8).
COUNTED_FROM = 20
_BUSY_WAIT = timedelta(seconds=5)
# Answered even after a stop: the one confirmation of that stop.
_AFTER_A_STOP = frozenset(
    {"optout_confirm", "optout_confirm_words", "optout_confirm_visit", "wrong_number_ack"}
)
ABOUT_A_CANCELLED_VISIT = "visit_cancelled"
# Care rule 24: a discharged patient who writes is told once that nobody reads here any more.
_CLOSED_LINE = "closed_line"
# Care rule 8: never dropped for a cap.
_NEVER_CAPPED = frozenset({20, 30})
SAFETY, ANSWER = "safety", "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """The text may be sent now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The text will not be sent; the row ends with this status and reason."""

    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not now; the row is looked at again at `until`. No attempt is spent."""

    until: datetime
    reason: str


Verdict = Go | End | Wait
GO = Go()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else bears on a due row: what the patient got lately, whose welcome has yet to go.

    `texted` are the numbers that get a text in this very claim.
    """

    recent: Sequence[RecentText]
    unwelcomed: Collection[UUID]
    texted: Collection[bytes | None]


def zones_of(name: str | None, country: str = "US") -> tuple[ZoneInfo, ...]:
    """Return the patient's zone, or all the country's where it is unknown."""
    return (ZoneInfo(name),) if name else candidate_zones(country)


def judge_beside(due: DueMessage, clinic: ClinicFile, beside: Beside, *, now: datetime) -> Verdict:
    """Return what becomes of a due row."""
    verdict = judge(due, clinic, now=now)
    if verdict is not GO:
        return verdict
    busy = None
    if due.kind == "started" and due.patient_phone_blind in beside.texted:
        busy = Wait(until=now + _BUSY_WAIT, reason="recipient_busy")
    return (
        over_cap(due, [one.at for one in beside.recent], clinic, now=now)
        or before_welcome(due, beside.unwelcomed, now=now)
        or beside_another(due, beside.recent, now=now)
        or busy
        or GO
    )


def judge(due: DueMessage, clinic: ClinicFile, *, now: datetime) -> Verdict:
    """Return what becomes of a due row by itself."""
    if due.kind == SAFETY:
        return GO
    if due.latest_at <= now:
        return End(status="expired", reason=SkipReason.TOO_LATE)
    if due.patient_status == "closed" and due.template != _CLOSED_LINE:
        return End(status="cancelled", reason=SkipReason.PATIENT_CLOSED)
    if due.opt_out and due.template not in _AFTER_A_STOP:
        suspended = due.opt_out.startswith(SUSPENDED)
        return End(status="cancelled", reason="number_suspended" if suspended else "stopped")
    if due.kind == ANSWER:
        return GO
    return _not_wanted(due, now) or _not_now(due, clinic, now) or GO


def _not_wanted(due: DueMessage, now: datetime) -> End | None:
    if due.patient_status != "active":
        return End(status="cancelled", reason=SkipReason.PATIENT_HELD)
    if not _agreed_to(due):
        return End(status="skipped", reason=SkipReason.NO_CONSENT)
    if rests(
        due.purpose,
        now,
        paused_until=due.paused_until,
        conversation_since=due.conversation_since,
        in_crisis=in_crisis(due.paused_until, now),
        invites=invites(due.priority, due.appointment_status),
    ):
        return End(status="skipped", reason=SkipReason.PAUSED)
    if due.question_answered:
        return End(status="skipped", reason=SkipReason.ANSWERED)
    return _visit_changed(due)


def _agreed_to(due: DueMessage) -> bool:
    """Whether the patient wants such texts; the welcome begins whatever they agreed to."""
    purposes = due.purposes or ()
    if due.protocol == WELCOME:
        return bool(purposes)
    return due.purpose is None or due.purpose in purposes


def _visit_changed(due: DueMessage) -> End | None:
    if due.appointment_id is None or due.template == ABOUT_A_CANCELLED_VISIT:
        return None
    if due.appointment_status == "cancelled":
        return End(status="cancelled", reason=SkipReason.VISIT_CANCELLED)
    if due.revision is not None and due.revision != due.appointment_revision:
        return End(status="cancelled", reason=CancelReason.NOT_PLANNED)
    return None


def carrier_until(due: DueMessage, clinic: ClinicFile, *, now: datetime) -> datetime:
    """Return until when the carrier may hold what goes now: no queue of its delivers at night."""
    if due.kind != "started":
        return due.latest_at
    closes = next_close(_window(due, clinic), zones_of(due.patient_zone), now)
    return min(due.latest_at, closes) if closes else due.latest_at


def _window(due: DueMessage, clinic: ClinicFile) -> SendWindow:
    safe = None
    if due.safe_from is not None and due.safe_until is not None:
        safe = SendWindow(opens=due.safe_from, closes=due.safe_until)
    return narrowed(clinic.window(), safe)


def _not_now(due: DueMessage, clinic: ClinicFile, now: datetime) -> Verdict | None:
    window, zones = _window(due, clinic), zones_of(due.patient_zone)
    if not is_open(window, zones, now):
        opens = next_open(window, zones, now, until=due.latest_at)
        if opens is None:
            return End(status="expired", reason=SkipReason.NO_ALLOWED_MINUTE)
        return Wait(until=opens, reason="outside_window")
    if due.plan_asked:
        return Wait(until=now + _BUSY_WAIT, reason="plan_first")
    if due.busy:
        return Wait(until=now + _BUSY_WAIT, reason="recipient_busy")
    return None


def before_welcome(due: DueMessage, unwelcomed: Collection[UUID], *, now: datetime) -> Wait | None:
    """Hold back what we start until the welcome has gone: nothing comes before it."""
    if due.kind != "started" or due.protocol == WELCOME or due.patient_id not in unwelcomed:
        return None
    return Wait(until=now + _BUSY_WAIT, reason="welcome_first")


def over_cap(
    due: DueMessage, sent: Sequence[datetime], clinic: ClinicFile, *, now: datetime
) -> End | None:
    """Return the end of a text that would exceed the caps; the planner shares them out before."""
    if due.kind != "started" or due.priority < COUNTED_FROM or due.priority in _NEVER_CAPPED:
        return None
    zone = zones_of(due.patient_zone)[0]
    today = now.astimezone(zone).date()
    caps = clinic.caps
    days = [at.astimezone(zone).date() for at in sent]
    on_day = days.count(today)
    if on_day >= caps.per_day:
        return End(status="skipped", reason=SkipReason.CAP)
    weekly = weekly_cap(caps.per_week, due.purposes or ())
    # The week's days are the plan's: by the hour its first one would count in part.
    if weekly is not None and sum(within_week(day, today) for day in days) >= weekly:
        return End(status="skipped", reason=SkipReason.CAP)
    return None


def beside_another(
    due: DueMessage, recent: Sequence[RecentText], *, now: datetime
) -> End | Wait | None:
    """Hold back a question for a number while one that goes first is open (care rule 8).

    The planner shares out who may ask; this is for what became known since.
    """
    if due.priority <= ALWAYS_ASKED:
        return None
    first = [
        one.open_until
        for one in _open_beside(due, recent, now)
        if one.priority < due.priority or (one.priority == due.priority and now - one.at < ENOUGH)
    ]
    if not first:
        return None
    until = max(each for each in first if each is not None)
    if until < due.latest_at:
        return Wait(until=until, reason=SkipReason.OTHER_NUMBER)
    return End(status="skipped", reason=SkipReason.OTHER_NUMBER)


def ended_by(due: DueMessage, recent: Sequence[RecentText], *, now: datetime) -> list[UUID]:
    """Return the questions whose answers end as this one is asked: those long enough open.

    A later one stays open beside it, and a number that fits both is asked about again.
    """
    return [one.id for one in _open_beside(due, recent, now) if now - one.at >= ENOUGH]


def _open_beside(due: DueMessage, recent: Sequence[RecentText], now: datetime) -> list[RecentText]:
    """Return what else waits for a number; a nudge and its question are one."""
    if due.kind != "started" or due.expects is None or due.expects in NOT_NUMBERS:
        return []
    mine = due.enrollment_id, due.question, due.occurrence
    waiting = [
        one
        for one in recent
        if one.open_until is not None and one.open_until > now and _question_of(one) != mine
    ]
    asked: dict[object, datetime] = {}
    for one in waiting:
        asked[_question_of(one)] = min(one.at, asked.get(_question_of(one), one.at))
    # A question is as old as its first text, whenever it was repeated.
    return [one._replace(at=asked[_question_of(one)]) for one in waiting]


def _question_of(one: RecentText) -> tuple[UUID | None, str, str]:
    return one.enrollment_id, one.question, one.occurrence
