"""What the planner is told, and what it answers: plain values, filled from rows by the plan step.

Every datetime is aware. `known_at` rules lateness: a text that was due before its visit or
enrollment became known is late, whatever the clock says when the planner happens to run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schedules.clinic_parts import UnknownPolicy, fasting_hours
from schedules.protocol import Importance, Phase, Protocol, Purpose
from schedules.reasons import MoveReason, SkipReason
from schedules.sharing import SharedDays
from schedules.staffing import StaffedHours
from schedules.windows import SendWindow

#: How far back a step's staffed hours are looked for; the longest usual closure is shorter.
STAFFED_LOOKBACK_DAYS = 14


class PatientStatus(StrEnum):
    """Whether texts may be started to a person at all (care rule 24)."""

    ACTIVE = "active"
    HELD = "held"
    CLOSED = "closed"


class EnrollmentStatus(StrEnum):
    """Whether an enrollment still asks for texts."""

    ACTIVE = "active"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"


class VisitStatus(StrEnum):
    """An appointment's status, in the words of `appointments.csv`."""

    BOOKED = "booked"
    ARRIVED = "arrived"
    CHECKED_OUT = "checked_out"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


class Dose(StrEnum):
    """What staff recorded about the dose of a visit."""

    GIVEN = "given"
    PARTIAL = "partial"
    NOT_GIVEN = "not_given"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientFacts:
    """One patient. `zone` None means unknown: texts go only when all candidate zones allow it.

    `window` None means the clinic's; safe hours narrow it. `paused_until` is the patient's own
    PAUSE and concerns check-ins only (care rule 20). `proved` is whether the number is known to be
    theirs: questions about health and check-ins wait for it (care rule 26). `lapsed_at` is when
    they last told of use, or gave a number that needed a person the same day.
    """

    id: str
    language: str
    zone: ZoneInfo | None
    purposes: frozenset[str]
    status: PatientStatus = PatientStatus.ACTIVE
    window: SendWindow | None = None
    check_in_time: time | None = None
    quit_date: date | None = None
    paused_until: datetime | None = None
    #: Staff write with the patient from then on, and nobody has said that it is over.
    conversation_since: datetime | None = None
    #: A crisis is open: nothing asks until a clinician ends it (care rule 10).
    in_crisis: bool = False
    opted_out: bool = False
    proved: bool = True
    #: Steps switched off for this patient: `step`, or `protocol/step`.
    steps_off: frozenset[str] = frozenset()
    #: An earlier patient has the same number, and staff have not decided how to reach this one.
    number_taken: bool = False
    #: Others read this phone, and the patient has not agreed to numbers and questions about mood.
    phone_shared: bool = False
    #: Staff reach this one by phone only (care rule 22).
    calls_only: bool = False
    #: The welcome came back: nothing else goes to this number (care rule 21).
    welcome_failed: bool = False
    #: Another rhythm for a repeated step (`step` or `protocol/step`): every so many days within its
    #: span, or phases of its own.
    cadences: Mapping[str, int | tuple[Phase, ...]] = field(default_factory=dict)
    substances: frozenset[str] = frozenset()
    lapsed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentFacts:
    """One visit.

    `booked_at` is when we first knew of the visit, `moved_at` when we learned of its present start
    (None: never moved), `cancelled_at` that it will not take place. `announced_at` is the one of
    these that the patient is to be texted about (care rule 5), None after a quiet import.
    `told_start` is the start that a text named last, if it is no longer true. `told_off_at` is when
    the last news of a move or a cancellation was due that went, or may have: what had been told
    before it, the patient was to ignore. `confirmed_start` is
    the start time that the patient confirmed: a confirmation of another start counts for nothing
    (care rule 1). `change_requested` stays True
    until staff say kept, moved or cancelled.
    """

    id: str
    kind: str
    starts_at: datetime
    booked_at: datetime
    route: str | None = None
    setting: str | None = None
    modality: str | None = None
    ends_at: datetime | None = None
    status: VisitStatus = VisitStatus.BOOKED
    moved_at: datetime | None = None
    cancelled_at: datetime | None = None
    announced_at: datetime | None = None
    told_start: datetime | None = None
    told_off_at: datetime | None = None
    confirmed_start: datetime | None = None
    change_requested: bool = False
    arrived_at: datetime | None = None
    checked_out_at: datetime | None = None
    no_show_at: datetime | None = None
    dose: Dose | None = None
    dose_number: int | None = None

    @property
    def known_at(self) -> datetime:
        """Give the instant at which the present start time became known."""
        return self.booked_at if self.moved_at is None else max(self.booked_at, self.moved_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentFacts:
    """A patient on a protocol: for one visit (`appointment`) or from one day on (`anchor_day`).

    `misses` counts, by step, the questions in a row that were missed and that no person has acted
    upon since.
    """

    id: str
    protocol: Protocol
    enrolled_at: datetime
    status: EnrollmentStatus = EnrollmentStatus.ACTIVE
    appointment: AppointmentFacts | None = None
    anchor_day: date | None = None
    misses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many started texts a patient may get (care rule 8); None means no such cap.

    `per_week` is of those who did not agree to check-ins (`schedules.caps.weekly_cap`).
    """

    per_day: int | None = 2
    per_week: int | None = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicFacts:
    """What of a clinic's settings bears on planning.

    `candidate_zones` are the zones a patient of unknown zone may be in; empty means the clinic's.
    `staffed` None leaves the staffed hours that steps ask for unchecked.
    """

    zone: ZoneInfo
    window: SendWindow
    staffed: StaffedHours | None = None
    #: Fasting before a dosing visit: of every route that has no hours of its own.
    solids_hours: float = 6
    fluids_hours: float = 2
    fasting_by_route: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    caps: Caps = Caps()
    #: Where nobody can be reached after hours: how long before closing check-ins go, for patients
    #: who chose no hour of their own (care rule 4).
    before_closing: timedelta | None = None
    candidate_zones: tuple[ZoneInfo, ...] = ()
    #: What its patients share. Facts with other settings begin with nothing remembered.
    shared: SharedDays["PlannedText"] = field(
        default_factory=SharedDays, init=False, repr=False, compare=False
    )
    _limits: dict[tuple[datetime, int], datetime | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def fasting(self, route: str | None) -> tuple[float, float]:
        """Give the hours without food and without fluids before a visit by this route."""
        return fasting_hours(route, (self.solids_hours, self.fluids_hours), self.fasting_by_route)

    def staffed_limit(self, start: datetime, minutes: int) -> datetime | None:
        """Give the last minute (UTC) that so many staffed minutes follow before `start`.

        None when two weeks before are not enough, or no staffed hours are known. Remembered, since
        the visits of a day share their start times.
        """
        if self.staffed is None:
            return None
        key = (start, minutes)
        if key not in self._limits:
            self._limits[key] = _staffed_limit(self.staffed, start, minutes)
        return self._limits[key]


def _staffed_limit(staffed: StaffedHours, start: datetime, minutes: int) -> datetime | None:
    """Walk back a day at a time, then halve within the day that holds the minute."""
    end, left = start.astimezone(UTC), float(minutes)
    for _ in range(STAFFED_LOOKBACK_DAYS):
        begin = end - timedelta(days=1)
        have = staffed.staffed_between(begin, end)
        if have >= left:
            break
        end, left = begin, left - have
    else:
        return None
    enough, short = 0, 24 * 60
    while short - enough > 1:
        middle = (enough + short) // 2
        if staffed.staffed_between(begin + timedelta(minutes=middle), end) >= left:
            enough = middle
        else:
            short = middle
    return begin + timedelta(minutes=enough)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFacts:
    """A question that went out: what a nudge hangs on.

    `reached` is False once a receipt says undelivered or failed: a nudge is for silence, and
    silence must be the patient's (care rule 19). `until` is when its answers end, as it went out;
    None leaves that to the step.
    """

    enrollment_id: str
    step: str
    occurrence: str
    round: int
    asked_at: datetime
    until: datetime | None = None
    answered: bool = False
    reached: bool = True


class PlannedText(NamedTuple):
    """One text as it is wanted. Its identity is (enrollment, step, occurrence, round).

    `anchor_at` is the start time the text speaks of (for a check-in, its anchor day): it decides
    whether a text that went out has to be repeated. With `skip_reason` the row is kept and not
    sent. `anew_since`: what went of it before that does not count, since news took it back.
    `short_staffed`: fewer staffed hours follow than the step asks for. `ended_early`: its
    answers end when the next number is asked (care rule 8). A tuple, since two weeks of a clinic
    are hundreds of thousands of them.
    """

    enrollment_id: str
    step: str
    occurrence: str
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime
    template: str
    importance: Importance
    purpose: Purpose
    expects: str
    answer_until: datetime | None
    round: int = 1
    skip_reason: SkipReason | None = None
    moved_reason: MoveReason | None = None
    unknown_policy: UnknownPolicy | None = None
    nudge_for: str | None = None
    anew_since: datetime | None = None
    short_staffed: bool = False
    ended_early: bool = False

    @property
    def priority(self) -> int:
        """Give the outbox priority, 0 most urgent (and left to safety replies)."""
        return self.importance.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class SentText:
    """A text that an attempt was made for, as the caps count it.

    `open_until` is set while it waits for a number: unanswered, and not known to be undelivered. A
    nudge then names the step whose `question` it repeats.
    """

    enrollment_id: str
    step: str
    occurrence: str
    anchor_at: datetime | None
    at: datetime
    open_until: datetime | None = None
    question: str | None = None
    priority: int = Importance.CHECK_IN.priority
