"""Draws clinics, patients, visits and protocols for the oracle, mostly near a clock change."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    PatientStatus,
    VisitStatus,
)
from schedules.protocol import (
    Alternative,
    Anchor,
    Condition,
    ConditionKind,
    Importance,
    LateBooking,
    Moment,
    Phase,
    Protocol,
    Purpose,
    StaysOn,
    Step,
    VisitFilter,
)
from schedules.staffing import Span, StaffedHours
from schedules.windows import SendWindow, candidate_zones
from tests.schedules.drawing_history import (
    ASKS,
    OF_A_VISIT,
    OF_ANYONE,
    again,
    closed,
    histories,
    other_visits,
    phases,
)

ZONES = tuple(
    ZoneInfo(name)
    for name in (
        "America/New_York",
        "America/Phoenix",
        "America/Adak",
        "Pacific/Honolulu",
        "America/Anchorage",
        "America/Los_Angeles",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Pacific/Apia",
        "Africa/Cairo",
        "America/Sao_Paulo",
        "Europe/London",
        "Asia/Kolkata",
        "UTC",
    )
)
UNITED_STATES = candidate_zones("US")
NEAR_AND_FAR = (ZoneInfo("Europe/London"), ZoneInfo("Asia/Kolkata"))
HOUR = 60
DAY = timedelta(days=1)
CLOCKS = tuple(
    time(hour, minute)
    for hour, minute in (
        (0, 0), (0, 30), (1, 30), (2, 0), (2, 30), (3, 0), (6, 0), (8, 0), (9, 0),
        (10, 30), (13, 0), (16, 0), (17, 45), (19, 59), (20, 0), (21, 0), (23, 30),
    )
)  # fmt: skip
WINDOWS = (
    SendWindow(),
    SendWindow(opens=time(8), closes=time(21)),
    SendWindow(opens=time(0), closes=time(0)),
    SendWindow(opens=time(1), closes=time(3)),
    SendWindow(opens=time(2, 15), closes=time(2, 45)),
    SendWindow(opens=time(0), closes=time(0, 30)),
    SendWindow(opens=time(22), closes=time(0)),
    # What patients ask for: safe hours of the morning, or of the afternoon.
    SendWindow(opens=time(9), closes=time(12)),
    SendWindow(opens=time(14), closes=time(18)),
)
#: Public holidays of the United States on which an office is closed, in several years.
HOLIDAYS = (
    date(2019, 7, 4),
    date(2021, 11, 25),
    date(2023, 1, 2),
    date(2024, 5, 27),
    date(2025, 12, 25),
    date(2026, 7, 3),
)
#: Hours without food and drink of some routes, where a clinic has them.
FASTS = ({}, {"im": (3, 1)}, {"iv": (9, 4), "lozenge": (1.5, 0.5)})
WEEKDAYS = (Span.parse("08:00-12:00"), Span.parse("13:00-17:00"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the planner is asked."""

    enrollment: EnrollmentFacts
    patient: PatientFacts
    clinic: ClinicFacts
    now: datetime
    appointments: tuple[AppointmentFacts, ...] = ()


@cache
def changes(zone: ZoneInfo) -> tuple[date, ...]:
    """Give the UTC dates from 2010 to 2028 on which a zone changed its clocks."""
    found, day = [], datetime(2010, 1, 1, tzinfo=UTC)
    while day.year < 2028:
        if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
            found.append(day.date())
        day += DAY
    return tuple(found)


@cache
def lost_hours() -> tuple[tuple[ZoneInfo, date, time], ...]:
    """Give every day on which clocks sprang on, and a time of day that they left out."""
    found = []
    for zone in ZONES:
        # East of Greenwich the local day of a change is often the next one.
        for day in (day + near for day in changes(zone) for near in (DAY * 0, DAY)):
            for quarter in range(96):
                wall = datetime.combine(day, time(quarter // 4, quarter % 4 * 15), zone)
                if wall.astimezone(UTC).astimezone(zone).replace(fold=0) != wall.replace(fold=0):
                    found.append((zone, day, wall.time()))
    return tuple(found)


@st.composite
def days(draw, zone: ZoneInfo) -> date:
    """A day, mostly within a few days of a clock change."""
    near = changes(zone)
    if near and draw(st.integers(0, 4)):
        return draw(st.sampled_from(near)) + draw(st.integers(-2, 8)) * DAY
    return draw(st.dates(date(2010, 1, 10), date(2027, 12, 1)))


clocks = st.one_of(st.sampled_from(CLOCKS), st.times(timezones=st.none())).map(
    lambda clock: clock.replace(second=0, microsecond=0, fold=0)
)


@st.composite
def clinics(draw) -> ClinicFacts:
    zone = draw(st.sampled_from(ZONES))
    hours = dict.fromkeys(range(draw(st.sampled_from((5, 5, 7, 1)))), WEEKDAYS)
    return ClinicFacts(
        zone=zone,
        window=draw(st.sampled_from(WINDOWS)),
        staffed=StaffedHours(hours=hours, zone=zone) if draw(st.booleans()) else None,
        solids_hours=draw(st.sampled_from((6, 8, 2.5))),
        fluids_hours=2,
        fasting_by_route=draw(st.sampled_from(FASTS)),
        candidate_zones=draw(st.sampled_from(((), UNITED_STATES, UNITED_STATES, NEAR_AND_FAR))),
    )


@st.composite
def patients(draw, clinic: ClinicFacts) -> PatientFacts:
    zone = draw(st.one_of(st.just(clinic.zone), st.none(), st.sampled_from(ZONES)))
    return PatientFacts(
        id="p1",
        language="en",
        zone=zone,
        purposes=frozenset({"visits", "check_ins", "health_questions"}),
        window=draw(st.one_of(st.none(), st.sampled_from(WINDOWS))),
        check_in_time=draw(st.one_of(st.none(), clocks)),
    )


def neighbours():
    """Say in what another patient of the clinic differs: in nothing, or one thing."""
    return st.one_of(
        st.just({}),
        st.fixed_dictionaries({"zone": st.one_of(st.none(), st.sampled_from(ZONES))}),
        st.fixed_dictionaries({"window": st.one_of(st.none(), st.sampled_from(WINDOWS))}),
        st.fixed_dictionaries({"check_in_time": st.one_of(st.none(), clocks)}),
        st.just({"opted_out": True}),
    )


@st.composite
def states(draw, patient: PatientFacts, day: date) -> PatientFacts:
    """Now and then a patient who may not be texted, or not about everything."""
    if draw(st.integers(0, 3)):
        return patient
    changes_ = {
        "status": draw(st.sampled_from(PatientStatus)),
        "opted_out": draw(st.booleans()),
        "proved": draw(st.booleans()),
        "purposes": draw(st.frozensets(st.sampled_from([str(each) for each in Purpose]))),
        "paused_until": draw(
            st.one_of(st.none(), st.just(datetime.combine(day + 3 * DAY, time(12), UTC)))
        ),
    }
    name = draw(st.sampled_from(sorted(changes_)))
    return replace(patient, **{name: changes_[name]})


# --- visits


@st.composite
def visits(draw, clinic: ClinicFacts, id_: str = "v1") -> AppointmentFacts:
    start = datetime.combine(
        draw(days(clinic.zone)), draw(clocks), clinic.zone
    ).replace(fold=draw(st.integers(0, 1))).astimezone(UTC)  # fmt: skip
    booked = start - timedelta(
        minutes=draw(
            st.one_of(st.sampled_from((9 * 1440, 12 * 1440, 20 * 1440)), st.integers(20, 4 * 1440))
        )
    )
    facts = AppointmentFacts(
        id=id_,
        kind="dosing",
        route=draw(st.sampled_from(("iv", "im", "lozenge", None))),
        setting="clinic",
        modality=draw(st.sampled_from((None, "in_person", "virtual"))),
        starts_at=start,
        ends_at=start + timedelta(minutes=draw(st.sampled_from((60, 120, 150)))),
        booked_at=booked,
        dose_number=draw(st.sampled_from((1, 2, 5))),
    )
    return draw(happenings(facts))


@st.composite
def happenings(draw, visit: AppointmentFacts) -> AppointmentFacts:
    """Let a visit be moved, confirmed, doubted, cancelled, or come to its end; mostly none."""
    start, end = visit.starts_at, visit.ends_at or visit.starts_at
    ahead = int((start - visit.booked_at) / timedelta(minutes=1))
    out = {
        "status": VisitStatus.CHECKED_OUT,
        "checked_out_at": end + timedelta(minutes=draw(st.integers(-30, 600))),
        "dose": draw(st.sampled_from((Dose.GIVEN, Dose.PARTIAL, Dose.NOT_GIVEN, None))),
    }
    moved = {"moved_at": start - timedelta(minutes=draw(st.integers(1, ahead)))}
    if draw(st.booleans()):
        # The patient is told of it: a quiet import announces nothing.
        moved["announced_at"] = moved["moved_at"]
        visit = replace(visit, announced_at=visit.booked_at)
    gone = draw(st.sampled_from(({}, {"cancelled_at": start - DAY, "announced_at": start - DAY})))
    kinds = (
        *([{}] * 6),
        *([out] * 4),
        *([moved] * 2),
        {"confirmed_start": start},
        {"confirmed_start": start - DAY},
        {"change_requested": True},
        {"status": VisitStatus.CANCELLED, **gone},
        {"status": VisitStatus.NO_SHOW},
        {"status": VisitStatus.NO_SHOW, "no_show_at": start + timedelta(minutes=20)},
        *([{"status": VisitStatus.ARRIVED, "arrived_at": start}] * 2),
        {"status": VisitStatus.FULFILLED},
    )
    return replace(visit, **draw(st.sampled_from(kinds)))


# --- protocols


def elapsed(anchor: Anchor, minutes: int, **more) -> Moment:
    return Moment(anchor=anchor, minutes=minutes, **more)


def calendar(anchor: Anchor, days_: int, clock: time | None, **more) -> Moment:
    return Moment(anchor=anchor, days=days_, clock=clock, **more)


DAYS = (Anchor.ENROLLMENT, Anchor.QUIT_DATE)
#: After which a patient has left: "tonight" and "good morning" are said of these.
LEFT = (Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT, Anchor.UNRECORDED_CLOSING)
BEFORE = st.sampled_from((-20, -45, -60, -90, -120, -360, -1440, -2880, -4320, -10080))
AFTER = st.sampled_from((0, 15, 60, 120, 240, 600, 1440))
SPANS = st.sampled_from(((time(17), time(19, 45)), (time(1, 30), time(2, 30)), (time(9), time(12))))


def maybe(strategy):
    return st.one_of(st.none(), strategy)


@st.composite
def before_visit(draw) -> Moment:
    if draw(st.booleans()):
        return elapsed(Anchor.VISIT_START, draw(BEFORE))
    return calendar(Anchor.VISIT_START, -draw(st.integers(0, 7)), draw(maybe(clocks)))


@st.composite
def after_visit(draw) -> Moment:
    anchors = (
        *((Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT, Anchor.VISIT_END, Anchor.BOOKING) * 2),
        *((Anchor.UNRECORDED_CLOSING,) * 2),
        Anchor.NO_SHOW,
        Anchor.ANNOUNCED_BOOKING,
        Anchor.ANNOUNCED_MOVE,
        Anchor.ANNOUNCED_CANCELLATION,
        Anchor.FIRST_DOSE,
        Anchor.LAST_DOSE,
    )
    anchor = draw(st.sampled_from(anchors))
    if draw(st.booleans()):
        return elapsed(anchor, draw(AFTER), between=draw(maybe(SPANS)))
    return calendar(anchor, draw(st.integers(0, 3)), draw(maybe(clocks)))


@st.composite
def after_day(draw) -> Moment:
    anchor = draw(st.sampled_from((Anchor.ENROLLMENT, Anchor.QUIT_DATE)))
    return calendar(anchor, draw(st.integers(0, 6)), draw(clocks), own_hour=draw(st.booleans()))


@st.composite
def after_event(draw) -> Moment:
    """After a dose or a lapse of somebody who was enrolled by hand."""
    anchor = draw(st.sampled_from((Anchor.FIRST_DOSE, Anchor.LAST_DOSE, Anchor.LAPSE)))
    if draw(st.booleans()):
        return elapsed(anchor, draw(AFTER), between=draw(maybe(SPANS)))
    return calendar(anchor, draw(st.integers(0, 6)), draw(clocks), own_hour=draw(st.booleans()))


@st.composite
def after_step(draw, source: str) -> Moment:
    if draw(st.booleans()):
        return elapsed(Anchor.STEP, draw(AFTER), step=source)
    return calendar(Anchor.STEP, draw(st.integers(0, 2)), draw(maybe(clocks)), step=source)


@st.composite
def latests(draw, when: Moment) -> Moment:
    """An end that suits the beginning."""
    sending = st.one_of(
        st.sampled_from((30, 60, 180, 480, 1440)).map(lambda m: elapsed(Anchor.SENDING, m)),
        st.tuples(st.integers(0, 1), clocks).map(lambda dc: calendar(Anchor.SENDING, *dc)),
    )
    start = st.one_of(
        st.sampled_from((0, -20, -45, -180, -1560)).map(lambda m: elapsed(Anchor.VISIT_START, m)),
        st.sampled_from((0, -120)).map(lambda m: elapsed(Anchor.FOOD_CUT_OFF, m)),
        st.tuples(st.integers(-2, 0), clocks).map(lambda dc: calendar(Anchor.VISIT_START, *dc)),
    )
    if when.anchor is Anchor.VISIT_START:
        return draw(st.one_of(start, sending))
    if when.anchor in LEFT:
        evening = st.tuples(st.integers(0, 2), clocks).map(lambda dc: calendar(when.anchor, *dc))
        return draw(st.one_of(evening, sending))
    return draw(sending)


CONDITIONS = st.sampled_from(
    (
        Condition(kind=ConditionKind.CONFIRMED),
        Condition(kind=ConditionKind.NOT_CONFIRMED),
        Condition(kind=ConditionKind.FIRST_DOSE),
        Condition(kind=ConditionKind.LATER_DOSE),
        Condition(kind=ConditionKind.IN_PERSON),
        Condition(kind=ConditionKind.VIRTUAL),
        Condition(kind=ConditionKind.ROUTE, routes=frozenset({"iv", "im"})),
        Condition(kind=ConditionKind.ROUTE_NOT, routes=frozenset({"lozenge"})),
    )
)


@st.composite
def steps(draw, id_: str, when: Moment, *, of_visit: bool) -> Step:
    ahead = when.anchor is Anchor.VISIT_START
    elapsed_ = when.minutes is not None
    stays = None
    if ahead and not draw(st.integers(0, 1)):
        if when.days == 0 or -360 <= (when.minutes or -1440) < 0:
            stays = StaysOn.SAME_DAY
        elif when.days == -1 or when.minutes == -1440:
            stays = StaysOn.DAY_BEFORE
    if when.anchor in LEFT and draw(st.booleans()):
        if when.days == 1:
            stays = StaysOn.MORNING_AFTER
        elif elapsed_ and (when.minutes or 0) < 1440:
            stays = StaysOn.SAME_EVENING
    repeats = not elapsed_ and when.anchor in (*DAYS, Anchor.CHECK_OUT)
    repeat = draw(phases()) if repeats and draw(st.booleans()) else ()
    otherwise = None
    if ahead and not draw(st.integers(0, 2)):
        otherwise = Alternative(
            template=f"{id_}_eve",
            when=calendar(Anchor.VISIT_START, -1, draw(st.sampled_from((time(16), time(1, 30))))),
            stays_on=StaysOn.DAY_BEFORE,
        )
    conditions = ()
    if not draw(st.integers(0, 3)):
        known = st.just(Condition(kind=ConditionKind.NO_DOSE_THAT_DAY))
        plain = CONDITIONS if of_visit else known
        history = st.sampled_from(OF_A_VISIT if of_visit else OF_ANYONE)
        conditions = tuple(draw(st.lists(st.one_of(plain, known, history), min_size=1, max_size=2)))
    return Step(
        id=id_,
        template=id_,
        when=when,
        latest=draw(latests(when)),
        purpose=draw(st.sampled_from(Purpose)),
        importance=draw(st.sampled_from(Importance)),
        stays_on=stays,
        repeat=repeat,
        again=draw(again()) if repeat else None,
        otherwise=otherwise,
        expects=draw(ASKS),
        pause_after=draw(st.sampled_from((None, None, 2))),
        only_if=conditions,
        late_booking=draw(st.sampled_from(LateBooking)),
        needs_staffed_minutes=draw(st.sampled_from((0, 0, 60, 120, 240))) if ahead else 0,
    )


@st.composite
def protocols(draw, *, of_visit: bool) -> Protocol:
    found: list[Step] = []
    for at in range(draw(st.integers(1, 3))):
        sources = [step.id for step in found if not step.repeat]
        hanging = [after_day(), after_day(), after_event()]
        options = [before_visit(), before_visit(), after_visit()] if of_visit else hanging
        if sources:
            options.append(after_step(draw(st.sampled_from(sources))))
        when = draw(st.one_of(options))
        found.append(draw(steps(f"s{at}", when, of_visit=of_visit)))
    kinds = VisitFilter(kinds=frozenset({"dosing"}))
    in_file = draw(st.permutations(found))
    return Protocol(
        id="drawn", title="Drawn", visits=kinds if of_visit else None, steps=tuple(in_file)
    )


# --- the whole question


MISSES = st.sampled_from(({}, {}, {"s0": 2}, {"s1": 1}))


@st.composite
def visit_cases(draw) -> Case:
    clinic = draw(clinics())
    visit = draw(visits(clinic))
    day = visit.starts_at.date()
    clinic = draw(closed(clinic, day))
    patient = draw(histories(draw(states(draw(patients(clinic)), day)), day))
    protocol = draw(protocols(of_visit=True))
    enrollment = EnrollmentFacts(
        id="e1",
        protocol=protocol,
        enrolled_at=visit.booked_at,
        appointment=visit,
        misses=draw(MISSES),
    )
    since = max(visit.known_at, visit.checked_out_at or visit.known_at)
    later = timedelta(minutes=draw(st.sampled_from((0, 0, 0, 1, 600, 3000))))
    return Case(
        enrollment=enrollment,
        patient=patient,
        clinic=clinic,
        now=since + later,
        appointments=(visit, *draw(other_visits(visit.starts_at))),
    )


@st.composite
def lost_hour_cases(draw) -> Case:
    """A check-in every day at a time that one of the days does not have."""
    zone, day, clock = draw(st.sampled_from(lost_hours()))
    clinic = replace(draw(clinics()), zone=zone, window=WINDOWS[2], staffed=None)
    first = day - draw(st.integers(0, 3)) * DAY
    step = Step(
        id="s0",
        template="s0",
        when=calendar(Anchor.ENROLLMENT, 0, clock, own_hour=True),
        latest=draw(st.sampled_from((elapsed(Anchor.SENDING, 90), elapsed(Anchor.SENDING, 600)))),
        purpose=Purpose.CHECK_INS,
        importance=Importance.CHECK_IN,
        repeat=draw(st.sampled_from(((), (Phase(first_day=1, last_day=6, every_days=1),)))),
    )
    step = step if step.repeat else replace(step, when=replace(step.when, days=(day - first).days))
    since = datetime.combine(first - DAY, time(), UTC)
    return Case(
        enrollment=EnrollmentFacts(
            id="e1",
            protocol=Protocol(id="drawn", title="Drawn", visits=None, steps=(step,)),
            enrolled_at=since,
            anchor_day=first,
        ),
        patient=PatientFacts(id="p1", language="en", zone=zone, purposes=frozenset({"check_ins"})),
        clinic=clinic,
        now=since,
    )


@st.composite
def late_cases(draw) -> Case:
    """A visit booked late, with several texts that would all go at once."""
    case = draw(visit_cases())
    visit = case.enrollment.appointment
    assert visit is not None
    visit = replace(
        visit,
        booked_at=visit.starts_at - timedelta(hours=draw(st.integers(4, 60))),
        status=VisitStatus.BOOKED,
        moved_at=None,
        checked_out_at=None,
        change_requested=False,
    )
    found = [
        replace(
            draw(steps(f"s{at}", draw(before_visit()), of_visit=True)),
            latest=elapsed(Anchor.VISIT_START, draw(st.sampled_from((0, -20, -120, -600)))),
            late_booking=LateBooking.SEND_AT_ONCE,
            only_if=(),
        )
        for at in range(3)
    ]
    protocol = replace(case.enrollment.protocol, steps=tuple(found))
    enrollment = replace(
        case.enrollment, protocol=protocol, enrolled_at=visit.booked_at, appointment=visit
    )
    return replace(case, enrollment=enrollment, now=visit.booked_at, appointments=(visit,))


@st.composite
def check_in_cases(draw) -> Case:
    clinic = draw(clinics())
    patient = draw(patients(clinic))
    home = patient.zone or clinic.zone
    day = draw(days(home))
    clinic = draw(closed(clinic, day))
    patient = draw(histories(draw(states(patient, day)), day))
    if draw(st.booleans()):
        patient = replace(patient, quit_date=day + draw(st.integers(-3, 3)) * DAY)
    at = datetime.combine(day, draw(clocks), home).astimezone(UTC)
    enrollment = EnrollmentFacts(
        id="e1",
        protocol=draw(protocols(of_visit=False)),
        enrolled_at=at - draw(st.sampled_from((0, 0, 5))) * DAY,
        anchor_day=day,
        misses=draw(MISSES),
    )
    others = draw(other_visits(at))
    return Case(enrollment=enrollment, patient=patient, clinic=clinic, now=at, appointments=others)


@st.composite
def closed_day_cases(draw) -> Case:
    """A text that needs staffed hours, before a visit beside public holidays and closed days."""
    zone = draw(st.sampled_from(ZONES))
    day = draw(st.sampled_from(HOLIDAYS)) + draw(st.integers(0, 3)) * DAY
    start = datetime.combine(day, draw(st.sampled_from((time(8), time(13)))), zone).astimezone(UTC)
    near = st.integers(-3, 0).map(lambda days_: day + days_ * DAY)
    staffed = StaffedHours(
        hours=dict.fromkeys(range(draw(st.sampled_from((5, 7)))), WEEKDAYS),
        zone=zone,
        extra=frozenset(draw(st.lists(near, max_size=2))),
        country=draw(st.sampled_from((None, "US", "US"))),
        open_on=frozenset(draw(st.lists(near, max_size=2))),
    )
    clinic = ClinicFacts(zone=zone, window=WINDOWS[1], staffed=staffed)
    visit = AppointmentFacts(
        id="v1",
        kind="dosing",
        starts_at=start,
        ends_at=start + DAY / 12,
        booked_at=start - 20 * DAY,
    )
    step = Step(
        id="s0",
        template="s0",
        when=elapsed(Anchor.VISIT_START, draw(st.sampled_from((-360, -1440, -2880)))),
        latest=elapsed(Anchor.VISIT_START, -120),
        purpose=Purpose.VISITS,
        importance=Importance.VISIT,
        needs_staffed_minutes=draw(st.sampled_from((60, 240, 600))),
    )
    return Case(
        enrollment=EnrollmentFacts(
            id="e1",
            protocol=Protocol(
                id="drawn",
                title="Drawn",
                visits=VisitFilter(kinds=frozenset({"dosing"})),
                steps=(step,),
            ),
            enrolled_at=visit.booked_at,
            appointment=visit,
        ),
        patient=PatientFacts(id="p1", language="en", zone=zone, purposes=frozenset({"visits"})),
        clinic=clinic,
        now=start - 10 * DAY,
        appointments=(visit,),
    )


@st.composite
def event_cases(draw) -> Case:
    """What hangs on doses, lapses and other visits, with several of them to hang on."""
    case = draw(check_in_cases())
    now = case.now
    visits_ = tuple(
        AppointmentFacts(
            id=f"dose{number}",
            kind="dosing",
            starts_at=at,
            ends_at=at + DAY / 12,
            booked_at=now - 40 * DAY,
            **draw(
                st.sampled_from(
                    (
                        {},
                        *(
                            {
                                "status": VisitStatus.CHECKED_OUT,
                                "checked_out_at": at + DAY / 12,
                                "dose": dose,
                            }
                            for dose in (Dose.GIVEN, Dose.PARTIAL, Dose.NOT_GIVEN)
                        ),
                    )
                )
            ),
        )
        for number in range(draw(st.integers(1, 3)))
        for at in (now + timedelta(hours=draw(st.integers(-90, 60))),)
    )
    condition = st.sampled_from((*OF_ANYONE, Condition(kind=ConditionKind.NO_DOSE_THAT_DAY)))
    day = calendar(Anchor.ENROLLMENT, draw(st.integers(-2, 1)), draw(clocks))
    found = (
        draw(steps("s0", draw(after_event()), of_visit=False)),
        replace(
            draw(steps("s1", day, of_visit=False)),
            only_if=tuple(draw(st.lists(condition, max_size=2))),
        ),
        # Another number of that day, whose time may be over while the first waits for its own.
        replace(
            draw(steps("s2", day, of_visit=False)),
            repeat=(),
            again=None,
            only_if=(),
            expects="scale:0-7",
            latest=elapsed(Anchor.SENDING, 60),
        ),
    )
    everything = frozenset(map(str, Purpose))
    return replace(
        case,
        enrollment=replace(
            case.enrollment,
            protocol=replace(case.enrollment.protocol, steps=found),
            enrolled_at=now - 20 * DAY,
        ),
        patient=PatientFacts(
            id="p1",
            language="en",
            zone=case.patient.zone,
            purposes=everything,
            lapsed_at=draw(maybe(st.just(now - timedelta(hours=draw(st.integers(0, 90)))))),
            substances=frozenset({draw(st.sampled_from(("alcohol", "nicotine")))}),
        ),
        appointments=visits_,
    )


@st.composite
def news_cases(draw) -> Case:
    """A visit whose patient is told of a booking, a move or a cancellation, or is not."""
    case = draw(visit_cases())
    visit = case.enrollment.appointment
    assert visit is not None
    moved = visit.booked_at + (visit.starts_at - visit.booked_at) / 2
    happened = draw(
        st.sampled_from(
            (
                {},
                {"moved_at": moved},
                {"moved_at": visit.booked_at},
                {"status": VisitStatus.CANCELLED, "cancelled_at": moved},
            )
        )
    )
    visit = replace(
        visit,
        **{
            "status": VisitStatus.BOOKED,
            "moved_at": None,
            "cancelled_at": None,
            "checked_out_at": None,
            "arrived_at": None,
            "no_show_at": None,
            "dose": None,
            **happened,
        },
        announced_at=draw(st.sampled_from((None, visit.booked_at, moved))),
    )
    anchors = (Anchor.ANNOUNCED_BOOKING, Anchor.ANNOUNCED_MOVE, Anchor.ANNOUNCED_CANCELLATION)
    found = tuple(
        replace(
            draw(steps(f"s{at}", elapsed(anchor, draw(AFTER)), of_visit=True)),
            latest=elapsed(Anchor.VISIT_START, draw(st.sampled_from((0, -60)))),
        )
        for at, anchor in enumerate(anchors)
    )
    enrolled = visit.booked_at + draw(st.sampled_from((0, 0, 1))) * DAY
    enrollment = replace(
        case.enrollment,
        protocol=replace(case.enrollment.protocol, steps=found),
        appointment=visit,
        enrolled_at=enrolled,
    )
    return replace(case, enrollment=enrollment, now=max(moved, enrolled), appointments=(visit,))
