"""A second planner, written from the documentation alone: it looks at every minute, one by one.

It shares no code with the planner, only the values that go in. Where the documentation leaves the
answer open it says so with `None`, and the comparison asks for nothing there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

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
from schedules.protocol import (
    Anchor,
    Condition,
    ConditionKind,
    HistoryKind,
    Importance,
    LateBooking,
    Moment,
    Purpose,
    StaysOn,
    Step,
)
from schedules.reasons import SkipReason
from tests.schedules.oracle_history import (
    ABOUT_BOOKINGS,
    NAMED_BY_INSTANT,
    Around,
    Closings,
    at_work,
)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
HORIZON = timedelta(days=14)
#: A text is brought forward for staffed hours by this much at most.
FORWARD = timedelta(days=7)
#: Staffed hours are looked for this far back.
STAFFED_LOOKBACK = timedelta(days=14)
#: What may be named where no minute is left.
NO_PLACE = frozenset({SkipReason.NO_ALLOWED_MINUTE, SkipReason.TOO_LATE, SkipReason.LATE_BOOKING})
#: The windows of all candidate zones are known to meet, or never to, within this time.
WALK = timedelta(days=8)


_HAPPENINGS = frozenset(
    {
        Anchor.FIRST_DOSE,
        Anchor.LAST_DOSE,
        Anchor.LAPSE,
        Anchor.NO_SHOW,
        Anchor.ANNOUNCED_BOOKING,
        Anchor.ANNOUNCED_MOVE,
        Anchor.ANNOUNCED_CANCELLATION,
    }
)


def asks_number(step: Step) -> bool:
    """Whether a step waits for a number."""
    return step.expects in {"craving_scale", "side_effect_check"} or step.expects.startswith(
        "scale:"
    )


# --- the wall clock -------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def whole(instant: datetime) -> datetime:
    """Give the minute in which an instant lies."""
    return instant.replace(second=0, microsecond=0)


def sides(at: datetime, away: timedelta) -> tuple[datetime, ...]:
    """Give the minutes so far after and before an instant, or itself.

    News comes at any second, and what is moved goes at a whole minute.
    """
    before = at - away
    up = before if before == whole(before) else whole(before) + MINUTE
    return (whole(at + away), up) if away else (at,)


def first_minute(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Walk to the first minute at which the clocks of a zone show this time or a later one."""
    target = datetime.combine(day, clock)
    guess = target.replace(tzinfo=UTC)
    ahead = [(guess + h * timedelta(hours=6)).astimezone(zone).utcoffset() for h in range(-6, 7)]
    minute = guess - max(offset for offset in ahead if offset is not None) - timedelta(hours=2)
    while minute.astimezone(zone).replace(tzinfo=None, fold=0) < target:
        minute += MINUTE
    return minute


def on_wall(at: datetime, zone: ZoneInfo) -> datetime:
    """Read the wall clock and the calendar, without their zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


# --- one question about one enrollment --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What must become of one occurrence.

    `skip` holds the reasons that the documentation allows; empty means that it goes. `due` and
    `latest` are None where nothing is said about them.
    """

    due: datetime | None
    latest: datetime | None
    template: str | None = None
    skip: frozenset[SkipReason] = frozenset()
    moved: bool | None = None
    short_staffed: bool | None = None
    late: bool = False
    #: Goes, unless another one as important, sent at once too, goes in its place.
    rival: bool = False
    #: The protocol contradicts itself, or the documentation leaves the minute open.
    unsaid: bool = False


@dataclass(frozen=True, slots=True)
class _Form:
    """One wording, and the minute that its `when` gives."""

    when: Moment
    stays_on: StaysOn | None
    nominal: datetime
    template: str
    #: How many days on within a repeat.
    plus_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a text belongs (`at`), from when on it may go and until when it is useful."""

    at: datetime
    begin: datetime
    latest: datetime
    no_later: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Oracle(Around):
    """Answers for one enrollment and one instant of planning."""

    enrollment: EnrollmentFacts
    patient: PatientFacts
    clinic: ClinicFacts
    now: datetime
    appointments: Sequence[AppointmentFacts] = ()
    horizon: timedelta = HORIZON
    _found: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    _staffed: dict[tuple[datetime, int], datetime | None] = field(default_factory=dict)

    def verdicts(self) -> dict[tuple[str, str], Verdict]:
        """Give a verdict for every occurrence whose anchor exists, to a day past the horizon."""
        found = {
            (step.id, occurrence): verdict
            for step in self.enrollment.protocol.steps
            for occurrence, verdict in self._step(step).items()
        }
        found = self._one_number(self._one_at_once(found))
        return {
            key: each
            for key, each in found.items()
            if each.unsaid or each.due is None or each.due <= self.now + self.horizon + DAY
        }

    # --- places and calendars

    @property
    def home(self) -> ZoneInfo:
        """The patient's calendar; the clinic's when nobody knows the patient's."""
        return self.patient.zone or self.clinic.zone

    def calendar(self, anchor: Anchor) -> ZoneInfo:
        """In person: the clinic's calendar. Virtual, check-ins, quit dates: the patient's."""
        if self.visit is None or anchor is Anchor.QUIT_DATE:
            return self.home
        return self._calendar_of(self.visit)

    def _calendar_of(self, visit: AppointmentFacts) -> ZoneInfo:
        return self.home if visit.modality == "virtual" else self.clinic.zone

    def allowed(self, minute: datetime) -> bool:
        """Whether a text may start in this minute, wherever the patient may be."""
        window = self.patient.window or self.clinic.window
        if self.patient.zone is not None:
            zones: tuple[ZoneInfo, ...] = (self.patient.zone,)
        else:
            zones = self.clinic.candidate_zones or (self.clinic.zone,)
        closes = window.closes.hour * 60 + window.closes.minute or 24 * 60
        opens = window.opens.hour * 60 + window.opens.minute
        for zone in zones:
            wall = minute.astimezone(zone)
            if not opens <= wall.hour * 60 + wall.minute < closes:
                return False
        return True

    @property
    def known(self) -> datetime:
        """When the visit's present start, or the enrollment, became known."""
        if self.visit is None:
            return self.enrollment.enrolled_at
        return max(self.visit.known_at, self.enrollment.enrolled_at)

    # --- moments

    def anchor(  # noqa: PLR0911 - One answer for each kind of anchor.
        self, moment: Moment, sending: datetime | None
    ) -> datetime | date | None:
        """Give the instant or the day from which a moment counts, None when there is none yet."""
        visit = self.visit
        match moment.anchor:
            case Anchor.ENROLLMENT:
                return self.enrollment.anchor_day
            case Anchor.QUIT_DATE:
                return self.patient.quit_date
            case Anchor.SENDING:
                return sending
            case Anchor.STEP:
                source = self.enrollment.protocol.step(moment.step or "")
                verdict = self._only(source) if source is not None else None
                return verdict.due if verdict is not None else None
        if moment.anchor in _HAPPENINGS:
            return self.happened(moment.anchor)
        if visit is None:
            return None
        dosed = visit.dose in (Dose.GIVEN, Dose.PARTIAL)
        return {
            Anchor.VISIT_START: visit.starts_at,
            Anchor.VISIT_END: visit.ends_at,
            Anchor.BOOKING: visit.booked_at,
            Anchor.CHECK_OUT: visit.checked_out_at,
            Anchor.DOSE_CHECK_OUT: visit.checked_out_at if dosed else None,
            Anchor.UNRECORDED_CLOSING: self._unrecorded(visit),
            Anchor.FOOD_CUT_OFF: visit.starts_at - self._fast(visit, 0),
            Anchor.DRINK_CUT_OFF: visit.starts_at - self._fast(visit, 1),
        }[moment.anchor]

    def _unrecorded(self, visit: AppointmentFacts) -> datetime | None:
        """Give the closing of a visit's day, once it has come and nobody recorded the visit's end.

        Half an hour after the planned end where that is later, or nobody works that day.
        """
        here = visit.status in (
            VisitStatus.ARRIVED, VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED
        )  # fmt: skip
        said = visit.dose is not None or visit.kind != "dosing"
        recorded = (said and visit.checked_out_at is not None) or visit.dose is Dose.NOT_GIVEN
        if not here or recorded:
            return None
        at = (visit.ends_at or visit.starts_at) + 30 * MINUTE
        if self.clinic.staffed is not None:
            day = on_wall(visit.starts_at, self.clinic.zone).date()
            closes = Closings(self.clinic.staffed).of(day)
            at = at if closes is None else max(at, closes)
        zone = self.calendar(Anchor.UNRECORDED_CLOSING)
        that_day = on_wall(self.known, zone).date() <= on_wall(at, zone).date()
        return at if at <= self.now and that_day else None

    def _fast(self, visit: AppointmentFacts, which: int) -> timedelta:
        """Give how long before a visit food (0) or drink (1) ends; the longest for no route."""
        usual = (self.clinic.solids_hours, self.clinic.fluids_hours)
        own = self.clinic.fasting_by_route
        if visit.route is None:
            return timedelta(hours=max(fast[which] for fast in [usual, *own.values()]))
        return timedelta(hours=own.get(visit.route, usual)[which])

    def instant(
        self, moment: Moment, sending: datetime | None = None, *, plus_days: int = 0
    ) -> datetime | None:
        """Give the minute of a moment."""
        origin, zone = self.anchor(moment, sending), self.calendar(moment.anchor)
        if origin is None:
            return None
        if moment.minutes is not None:
            assert isinstance(origin, datetime)
            return self._held(origin, origin + moment.minutes * MINUTE, moment, zone)
        days = (moment.days or 0) + plus_days
        if isinstance(origin, datetime) and not (days or moment.clock or moment.own_hour):
            # Of an hour that the clocks show twice it is the anchor's own.
            return origin
        if isinstance(origin, datetime):
            wall = on_wall(origin, zone)
            day, clock = wall.date(), wall.time()
        else:
            day, clock = origin, time()
        if moment.clock is not None:
            clock = moment.clock
        day += timedelta(days=days)
        if moment.own_hour:
            clock = self.patient.check_in_time or self._before_closing(day, zone) or clock
        return first_minute(day, clock, zone)

    def _before_closing(self, day: date, zone: ZoneInfo) -> time | None:
        """With nobody there after hours: so long before the clinic closes that day."""
        staffed, lead = self.clinic.staffed, self.clinic.before_closing
        if staffed is None or lead is None:
            return None
        closing = Closings(staffed).of(day)
        return None if closing is None else on_wall(closing - lead, zone).time()

    def _held(self, origin: datetime, at: datetime, moment: Moment, zone: ZoneInfo) -> datetime:
        """Hold an instant between two times of its anchor's day."""
        if moment.between is None:
            return at
        day = on_wall(origin, zone).date()
        low, high = (first_minute(day, clock, zone) for clock in moment.between)
        return min(max(at, low), high)

    def not_before(self, moment: Moment, nominal: datetime, plus_days: int) -> datetime:
        """Give the instant before which a text can't go.

        What it follows must have happened; and what counts so many days on belongs to that day, by
        the calendar it counts in and by the patient's own.
        """
        origin = self.anchor(moment, None)
        begin = datetime.min.replace(tzinfo=UTC)
        if origin is None:
            return begin
        if moment.days is not None and moment.days >= 0:
            for zone in {self.calendar(moment.anchor), self.home}:
                day = on_wall(origin, zone).date() if isinstance(origin, datetime) else origin
                day += (moment.days + plus_days) * DAY
                begin = max(begin, first_minute(day, time(), zone))
        follows = moment.minutes is not None and moment.minutes >= 0
        if isinstance(origin, datetime) and (follows or nominal >= origin):
            begin = max(begin, origin)
        return begin

    def true_span(self, moment: Moment, stays_on: StaysOn | None) -> tuple[datetime, datetime]:
        """Give the span in which "tomorrow" or "today" is true, there and where the patient is.

        Evening begins at four by the visit's calendar; the morning ends at the patient's noon.
        """
        begin, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        if stays_on is None:
            return begin, end
        origin = self.anchor(moment, None)
        assert isinstance(origin, datetime)
        for zone in {self.calendar(moment.anchor), self.home}:
            day = on_wall(origin, zone).date() - DAY * (stays_on is StaysOn.DAY_BEFORE)
            day += DAY * (stays_on is StaysOn.MORNING_AFTER)
            since, until = self.whole_day(day, zone)
            if stays_on is StaysOn.SAME_EVENING and zone == self.calendar(moment.anchor):
                since = first_minute(day, time(16), zone)
            if stays_on is StaysOn.MORNING_AFTER and zone == self.home:
                until = first_minute(day, time(12), zone)
            begin, end = max(begin, since), min(end, until)
        return begin, end

    def whole_day(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Give the first minute of a local day, and of the one that follows it."""
        return first_minute(day, time(), zone), first_minute(day + DAY, time(), zone)

    # --- steps

    def _step(self, step: Step) -> dict[str, Verdict]:
        if step.id not in self._found:
            self._found[step.id] = self._occurrences(step)
        return self._found[step.id]

    def _occurrences(self, step: Step) -> dict[str, Verdict]:
        if not step.repeat:
            one = self._one(step, 0)
            return {} if one is None else {self._name(step): one}
        at = self.instant(step.when)
        if at is None:
            return {}
        zone = self.calendar(step.when.anchor)
        numbers = self.day_numbers(
            step, on_wall(at, zone).date(), lambda event: on_wall(event, zone).date()
        )
        # The days that the horizon, and a day before now, can have anything to do with.
        soon = [number for number in numbers if self._is_near(step, number - 1)]
        each = {f"day-{number}": self._one(step, number - 1) for number in soon}
        return {key: one for key, one in each.items() if one is not None}

    def _is_near(self, step: Step, plus_days: int) -> bool:
        at = self.instant(step.when, plus_days=plus_days)
        return at is not None and self.now - 9 * DAY < at < self.now + self.horizon + 3 * DAY

    def _name(self, step: Step) -> str:
        """What comes again is told apart by its instant."""
        if step.when.anchor not in NAMED_BY_INSTANT:
            return "1"
        since = self.anchor(step.when, None)
        assert isinstance(since, datetime)
        return since.astimezone(UTC).strftime("%Y%m%dT%H%M%S")

    def _only(self, step: Step) -> Verdict | None:
        """Give the one occurrence of a step that does not repeat."""
        return next(iter(self._step(step).values()), None)

    def _one(self, step: Step, plus_days: int) -> Verdict | None:
        source = self.enrollment.protocol.step(step.when.step or "")
        before = self._only(source) if source is not None else None
        if source is not None and before is None:
            return None
        at = self.instant(step.when, plus_days=plus_days)
        if at is None and before is None:
            return None
        placed = Verdict(due=None, latest=None) if at is None else self._placed(step, at, plus_days)
        # What a confirmation makes needless takes nothing else along (care rule 1).
        ends = before is not None and bool(before.skip - {SkipReason.CONFIRMED})
        skipped = before is not None and ends and not before.unsaid
        reason = self.gates(step, placed.due or at, source_skipped=skipped)
        if not skipped and before is not None and (before.unsaid or before.due is None):
            return replace(placed, unsaid=True)
        if reason is None:
            return placed
        return replace(placed, skip=frozenset({reason}) | (placed.skip & NO_PLACE))

    # --- where a text goes

    def _placed(self, step: Step, at: datetime, plus_days: int) -> Verdict:
        """Try the first form at its minute or before, then the other form, then any minute."""
        latest = self.instant(step.latest, at)
        assert latest is not None
        first = _Form(step.when, step.stays_on, at, step.template, plus_days)
        if step.otherwise is None:
            return self._form(step, first, latest)
        other = step.otherwise
        other_at = self.instant(other.when)
        assert other_at is not None
        punctual = self._form(step, first, latest, no_later=True)
        if punctual.due is not None or punctual.unsaid:
            return punctual
        second = _Form(other.when, other.stays_on, other_at, other.template)
        placed = self._form(step, second, latest)
        if placed.due is not None or placed.unsaid:
            return replace(placed, moved=True)
        return self._form(step, first, latest)

    def _form(
        self, step: Step, form: "_Form", latest: datetime, *, no_later: bool = False
    ) -> Verdict:
        begin, end = self.true_span(form.when, form.stays_on)
        if step.repeat:
            zone = self.calendar(form.when.anchor)
            begin, end = self.whole_day(on_wall(form.nominal, zone).date(), zone)
        latest = min(latest, end - MINUTE)
        at = min(max(form.nominal, begin), end - MINUTE)
        begin = max(begin, self.not_before(form.when, form.nominal, form.plus_days))
        at = at if form.when.between is None else max(at, begin)
        odd = latest <= max(form.nominal, at)
        span = Span(at=at, begin=begin, latest=latest, no_later=form.nominal if no_later else None)
        due, short = self._settle(step, span)
        if due is None or due < self.known:
            if at < self.known:
                late = None if no_later else self._at_once(step, span)
                skip = NO_PLACE if late is None else frozenset()
                return Verdict(
                    due=late, latest=latest, template=form.template, moved=True, skip=skip,
                    late=True, unsaid=odd,
                )  # fmt: skip
            span = replace(span, begin=max(begin, self.known))
            due, short = self._settle(step, span)
        return Verdict(
            due=due,
            latest=latest,
            template=form.template,
            skip=NO_PLACE if due is None else frozenset(),
            moved=due != form.nominal,
            short_staffed=short,
            unsaid=odd or short is None,
        )

    def _settle(self, step: Step, span: "Span") -> tuple[datetime | None, bool | None]:
        """Give the minute, and whether fewer staffed hours follow than asked; None: unsaid."""
        due = self._nearest(span)
        limit = self._staffed_limit(step)
        if limit is None or due is None or due <= limit:
            return due, False
        soon = self._back(min(span.at, limit), max(span.begin, span.at - FORWARD), span.latest)
        return (due, None) if soon is None else (soon, False)

    def _at_once(self, step: Step, span: "Span") -> datetime | None:
        """Give the first allowed minute since the visit is known, where the step wants that."""
        if step.late_booking is LateBooking.SKIP:
            return None
        minute = begin = max(self.known, span.begin)
        while minute < span.latest and minute < begin + WALK:
            if self.allowed(minute):
                return minute
            minute = whole(minute) + MINUTE
        return None

    def _nearest(self, span: "Span") -> datetime | None:
        """Look one minute further away each time, first on the later side."""
        away = timedelta()
        while away <= WALK:
            for minute in sides(span.at, away):
                if (
                    minute < span.begin
                    or minute < span.at - FORWARD
                    or not (minute < span.latest or minute == span.at)
                ):
                    continue
                if self.allowed(minute) and (span.no_later is None or minute <= span.no_later):
                    return minute
            if span.at + away >= span.latest and span.at - away < span.begin:
                return None
            away += MINUTE
        return None

    def _back(self, at: datetime, begin: datetime, until: datetime) -> datetime | None:
        minute = at
        while minute >= begin:
            if minute < until and self.allowed(minute):
                return minute
            minute -= MINUTE
        return None

    # --- staffed hours

    def _staffed_limit(self, step: Step) -> datetime | None:
        """Walk back from the visit until enough staffed minutes lie between."""
        staffed, visit = self.clinic.staffed, self.visit
        if staffed is None or visit is None or not step.needs_staffed_minutes:
            return None
        key = (visit.starts_at, step.needs_staffed_minutes)
        if key not in self._staffed:
            minute, have = visit.starts_at.astimezone(UTC), 0
            while have < key[1] and minute > visit.starts_at - STAFFED_LOOKBACK:
                minute -= MINUTE
                have += at_work(staffed, minute)
            self._staffed[key] = minute if have >= key[1] else None
        return self._staffed[key]

    # --- who may be texted at all

    def gates(self, step: Step, due: datetime | None, *, source_skipped: bool) -> SkipReason | None:
        """Give the first reason that holds, in the order of `SkipReason`; None when none does."""
        tests = [
            (SkipReason.STEP_SKIPPED, lambda: source_skipped),
            *self._tests(step, due or self.known),
        ]
        tests.sort(key=lambda test: list(SkipReason).index(test[0]))
        return next((reason for reason, holds in tests if holds()), None)

    def _tests(self, step: Step, due: datetime) -> list[tuple[SkipReason, Callable[[], bool]]]:
        patient, visit = self.patient, self.visit
        asks = step.purpose is not Purpose.VISITS
        return [
            (
                SkipReason.VISIT_CANCELLED,
                lambda: (
                    self._is(VisitStatus.CANCELLED)
                    and step.when.anchor is not Anchor.ANNOUNCED_CANCELLATION
                ),
            ),
            (
                SkipReason.NO_SHOW,
                lambda: self._is(VisitStatus.NO_SHOW) and self._before_visit(step),
            ),
            (
                SkipReason.ENROLLMENT_ENDED,
                lambda: self.enrollment.status is not EnrollmentStatus.ACTIVE,
            ),
            (SkipReason.PATIENT_CLOSED, lambda: patient.status is PatientStatus.CLOSED),
            (SkipReason.PATIENT_HELD, lambda: patient.status is PatientStatus.HELD),
            (SkipReason.OPTED_OUT, lambda: patient.opted_out),
            (SkipReason.NUMBER_TAKEN, lambda: patient.number_taken),
            (SkipReason.CALLS_ONLY, lambda: patient.calls_only),
            (SkipReason.WELCOME_FAILED, lambda: patient.welcome_failed),
            (SkipReason.STEP_OFF, lambda: self._off(step)),
            (SkipReason.PHONE_SHARED, lambda: patient.phone_shared and self._private(step)),
            (SkipReason.SILENT, lambda: self._silent(step)),
            (SkipReason.NO_CONSENT, lambda: step.purpose not in patient.purposes),
            (SkipReason.NUMBER_UNPROVED, lambda: asks and not patient.proved),
            (SkipReason.PAUSED, lambda: self._paused(step, due)),
            (SkipReason.ARRIVED, lambda: self._arrived(step)),
            (SkipReason.CHANGE_REQUESTED, lambda: visit is not None and self._in_doubt(step)),
            (SkipReason.CONFIRMED, lambda: self._confirmed_ends(step)),
            (SkipReason.NOT_MEANT, lambda: not all(map(self._meets, self._told(step, "meant")))),
            (SkipReason.BOOKED, lambda: not all(map(self._meets, self._told(step, "booked")))),
            (SkipReason.DOSE_DAY, lambda: self._dose_day(step, due)),
        ]

    def _told(self, step: Step, how: str) -> list[Condition]:
        """Give the conditions whose failing is told in this way."""
        booked = [each for each in step.only_if if each.kind in ABOUT_BOOKINGS]
        return booked if how == "booked" else [one for one in step.only_if if one not in booked]

    def _off(self, step: Step) -> bool:
        names = (step.id, f"{self.enrollment.protocol.id}/{step.id}")
        return any(name in self.patient.steps_off for name in names)

    def _private(self, step: Step) -> bool:
        return step.purpose is Purpose.HEALTH_QUESTIONS or asks_number(step)

    def _silent(self, step: Step) -> bool:
        missed = self.enrollment.misses.get(step.id, 0)
        return step.pause_after is not None and missed >= step.pause_after

    def _is(self, status: VisitStatus) -> bool:
        return self.visit is not None and self.visit.status is status

    def _paused(self, step: Step, due: datetime) -> bool:
        asks = step.purpose is not Purpose.VISITS
        invites = step.importance in (Importance.UNBOOKED, Importance.BOOSTER)
        if self.patient.in_crisis and (asks or invites or self._is(VisitStatus.NO_SHOW)):
            return True
        until, staff = self.patient.paused_until, self.patient.conversation_since
        rests = (until is not None and due < until) or (staff is not None and due >= staff)
        return step.purpose is Purpose.CHECK_INS and rests

    def _before_visit(self, step: Step) -> bool:
        """Whether a step leads up to the visit, rather than following it."""
        when = self._first(step)
        if when.anchor in (Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT):
            return False
        return when.anchor in (
            Anchor.VISIT_START,
            Anchor.VISIT_END,
            Anchor.BOOKING,
            Anchor.ANNOUNCED_BOOKING,
            Anchor.ANNOUNCED_MOVE,
        )

    def _first(self, step: Step) -> Moment:
        """Give what the first step of a chain counts from."""
        when = step.when
        while when.anchor is Anchor.STEP:
            source = self.enrollment.protocol.step(when.step or "")
            assert source is not None
            when = source.when
        return when

    def _arrived(self, step: Step) -> bool:
        visit = self.visit
        come = (VisitStatus.ARRIVED, VisitStatus.CHECKED_OUT, VisitStatus.FULFILLED)
        here = visit is not None and (visit.arrived_at is not None or visit.status in come)
        return here and self._before_visit(step) and not self._after_the_hour(step)

    def _after_the_hour(self, step: Step) -> bool:
        """Whether a step comes by the clock after the visit, which an arrival does not end."""
        when = self._first(step)
        late = (when.minutes or 0) > 0 or (when.days or 0) > 0
        early = (when.minutes or 0) < 0 or (when.days or 0) < 0
        if when.anchor is Anchor.VISIT_END:
            return not early
        return when.anchor is Anchor.VISIT_START and late

    def _in_doubt(self, step: Step) -> bool:
        assert self.visit is not None
        return self.visit.change_requested and self._before_visit(step)

    def _confirmed(self) -> bool:
        visit = self.visit
        return visit is not None and visit.confirmed_start == visit.starts_at

    def _confirmed_ends(self, step: Step) -> bool:
        kinds = {condition.kind for condition in step.only_if}
        return ConditionKind.NOT_CONFIRMED in kinds and self._confirmed()

    def _meets(self, condition: Condition) -> bool:
        """Tell whether a condition holds; two of them have reasons of their own elsewhere."""
        if condition.kind in (ConditionKind.NOT_CONFIRMED, ConditionKind.NO_DOSE_THAT_DAY):
            return True
        if isinstance(condition.kind, HistoryKind):
            return self.meets_history(condition)
        visit = self.visit
        assert visit is not None
        return {
            ConditionKind.CONFIRMED: self._confirmed(),
            ConditionKind.FIRST_DOSE: visit.dose_number == 1,
            ConditionKind.LATER_DOSE: (visit.dose_number or 0) > 1,
            ConditionKind.VIRTUAL: visit.modality == "virtual",
            ConditionKind.IN_PERSON: visit.modality != "virtual",
            ConditionKind.ROUTE: visit.route in condition.routes,
            ConditionKind.ROUTE_NOT: visit.route is None or visit.route not in condition.routes,
        }[condition.kind]

    def _dose_day(self, step: Step, due: datetime) -> bool:
        if ConditionKind.NO_DOSE_THAT_DAY not in {each.kind for each in step.only_if}:
            return False
        day = on_wall(due, self.calendar(step.when.anchor)).date()
        off = (VisitStatus.CANCELLED, VisitStatus.NO_SHOW)
        return any(
            visit.kind == "dosing"
            and visit.status not in off
            and visit.dose is not Dose.NOT_GIVEN
            and on_wall(visit.starts_at, self._calendar_of(visit)).date() == day
            for visit in self.appointments
        )

    # --- several late ones

    def _one_at_once(self, found: dict[tuple[str, str], Verdict]) -> dict[tuple[str, str], Verdict]:
        """Of several that would go at once only the most important goes."""
        at_once = [key for key, each in found.items() if each.late and not each.skip]
        unsaid = any(one.unsaid for one in found.values())
        if not at_once or (len(at_once) < 2 and not unsaid):
            return found

        def importance(key: tuple[str, str]) -> int:
            step = self.enrollment.protocol.step(key[0])
            assert step is not None
            return step.importance.priority

        best = min(map(importance, at_once))
        kept = [key for key in at_once if importance(key) == best]
        for key in at_once:
            each = found[key]
            if key in kept:
                found[key] = replace(each, rival=unsaid or len(kept) > 1)
            else:
                # The planner may say of one that is over by now that it is too late.
                skip = frozenset({SkipReason.LATE_BOOKING, SkipReason.TOO_LATE})
                found[key] = Verdict(due=each.due, latest=each.latest, skip=skip, late=True)
        return found

    # --- one number a day

    def _one_number(self, found: dict[tuple[str, str], Verdict]) -> dict[tuple[str, str], Verdict]:
        """Skip what says "no other number that day" on the days of the others' numbers."""
        steps = {step.id: step for step in self.enrollment.protocol.steps}
        gives_way = {
            name
            for name, step in steps.items()
            if HistoryKind.NO_OTHER_NUMBER in {each.kind for each in step.only_if}
        }
        asked, doubtful = set(), False
        for (name, _), each in found.items():
            if name in gives_way or not asks_number(steps[name]):
                continue
            doubtful = doubtful or each.unsaid or each.rival
            if each.due is not None and not each.skip:
                asked.add(self._home_day(each.due))
        for key, each in found.items():
            if key[0] not in gives_way or each.due is None or each.skip:
                continue
            if doubtful:
                found[key] = replace(each, unsaid=True)
            elif self._home_day(each.due) in asked:
                skip = frozenset({SkipReason.OTHER_NUMBER, SkipReason.TOO_LATE})
                found[key] = replace(each, skip=skip)
        return found

    def _home_day(self, at: datetime) -> date:
        zone = self.home if self.visit is None else self._calendar_of(self.visit)
        return on_wall(at, zone).date()
