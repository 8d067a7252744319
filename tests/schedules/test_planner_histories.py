"""Drawn histories: visits move, patients answer, workers plan and send, in any order.

AFTERCARE_ORACLE_EXAMPLES=20000 runs the long form.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schedules.facts import AppointmentFacts, PatientFacts, PatientStatus, VisitStatus
from schedules.loader import shipped
from schedules.reconcile import Changes
from tests.schedules.drawing import WINDOWS, ZONES, Case, check_in_cases, visit_cases
from tests.schedules.oracle import Oracle
from tests.schedules.planning import Outbox
from tests.schedules.test_planner_oracle import examples, told

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class World:
    """One enrollment, its rows, and the facts as they stand."""

    case: Case
    patient: PatientFacts
    visit: AppointmentFacts
    box: Outbox = field(default_factory=Outbox)
    #: (step, occurrence, start it spoke of, template) of every text that went.
    went: list[tuple[str, str, datetime | None, str]] = field(default_factory=list)

    def plan(self, now: datetime) -> Changes:
        enrollment = replace(self.case.enrollment, appointment=self.visit)
        return self.box.plan(
            enrollment, self.patient, self.case.clinic, now, appointments=[self.visit]
        )

    def send(self, now: datetime) -> None:
        before = {key: row.attempts for key, row in self.box.rows.items()}
        self.box.send_due(now)
        self.went += [
            (row.step, row.occurrence, row.anchor_at, row.template)
            for key, row in self.box.rows.items()
            if row.attempts > before[key]
        ]

    def open_rows(self) -> set[tuple]:
        return {
            (row.step, row.occurrence, row.round, row.due_at, row.latest_at, row.template)
            for row in self.box.rows.values()
            if row.may_go
        }


def world(case: Case) -> World:
    visit = case.enrollment.appointment
    assert visit is not None
    still = replace(
        visit, status=VisitStatus.BOOKED, moved_at=None, arrived_at=None, checked_out_at=None,
        dose=None, confirmed_start=None, change_requested=False,
    )  # fmt: skip
    return World(case=case, patient=case.patient, visit=still)


Event = Callable[[World, datetime], None]


def of_visit(**changes) -> Event:
    def happen(world_: World, now: datetime) -> None:
        world_.visit = replace(world_.visit, **changes)

    return happen


def of_patient(**changes) -> Event:
    def happen(world_: World, now: datetime) -> None:
        world_.patient = replace(world_.patient, **changes)

    return happen


def moved(by: timedelta) -> Event:
    """Move to a start told from the first one, so that a visit can move back too."""

    def happen(world_: World, now: datetime) -> None:
        booked = world_.case.enrollment.appointment
        assert booked is not None
        assert booked.ends_at is not None
        world_.visit = replace(
            world_.visit, starts_at=booked.starts_at + by, ends_at=booked.ends_at + by, moved_at=now
        )

    return happen


MOVES = st.sampled_from((0, 1, 60, 1440, 2880, -1440, 10080)).map(lambda m: moved(m * MINUTE))
ANY = st.one_of(
    MOVES,
    st.sampled_from((VisitStatus.BOOKED, VisitStatus.CANCELLED)).map(lambda s: of_visit(status=s)),
    st.booleans().map(lambda yes: of_visit(change_requested=yes)),
    st.sampled_from(PatientStatus).map(lambda status: of_patient(status=status)),
    st.booleans().map(lambda yes: of_patient(opted_out=yes)),
    st.sampled_from(ZONES).map(lambda zone: of_patient(zone=zone)),
    st.sampled_from(WINDOWS).map(lambda window: of_patient(window=window)),
)


@st.composite
def histories(draw) -> tuple[Case, list[tuple[datetime, list[Event]]]]:
    case = draw(visit_cases())
    if draw(st.booleans()):
        protocol = shipped()[draw(st.sampled_from(("dosing-visit", "integration")))]
        case = replace(case, enrollment=replace(case.enrollment, protocol=protocol))
    visit = case.enrollment.appointment
    assert visit is not None
    span = visit.starts_at + 3 * DAY - visit.booked_at
    shares = sorted(draw(st.lists(st.integers(0, 100), min_size=1, max_size=6)))
    return case, [
        (visit.booked_at + share * span / 100, draw(st.lists(ANY, max_size=2))) for share in shares
    ]


def live(case: Case, history: Sequence[tuple[datetime, list[Event]]]) -> World:
    """Let a history happen: what is due goes, then the facts change, then all is planned anew."""
    here = world(case)
    assert here.case.enrollment.appointment is not None
    here.plan(here.case.enrollment.appointment.booked_at)
    for now, events in history:
        here.send(now)
        for event in events:
            event(here, now)
        here.plan(now)
    return here


@examples(40)
@given(told_=histories())
def test_planning_twice_adds_nothing(told_):
    """Whatever has happened, the second look at the same minute finds every row in its place."""
    case, history = told_
    here = live(case, history)
    now = history[-1][0]
    assert not here.plan(now)
    here.send(now)
    assert not here.plan(now)


@examples(40)
@given(told_=histories())
def test_a_round_rises_only_for_another_start_than_the_one_that_went(told_):
    """Round 2 exists because round 1 went and spoke of another start; nothing goes twice for one.

    No text goes twice with the same words about the same start, however often a visit moves.
    """
    here = live(*told_)
    rows: dict[tuple[str, str], list] = {}
    for row in here.box.rows.values():
        rows.setdefault((row.step, row.occurrence), []).append(row)
    for mine in rows.values():
        mine.sort(key=lambda row: row.round)
        assert [row.round for row in mine] == list(range(1, len(mine) + 1))
        for earlier, later in pairwise(mine):
            # What expired never went: a row for the same start may follow, for the record only.
            assert earlier.attempts or earlier.status == "expired"
            assert not earlier.attempts or earlier.anchor_at != later.anchor_at
    told_of = [(step, occurrence, start) for step, occurrence, start, _ in here.went]
    assert len(told_of) == len(set(told_of))


@st.composite
def simultaneous(draw) -> tuple:
    """A history, and events that arrive in the same minute after it, each about a fact of its own.

    They are given in two orders.
    """
    case, history = draw(histories())
    at_once = [
        draw(MOVES),
        of_visit(change_requested=draw(st.booleans())),
        of_patient(status=draw(st.sampled_from(PatientStatus))),
        of_patient(zone=draw(st.sampled_from(ZONES))),
        of_patient(purposes=frozenset({"visits"})),
        of_visit(status=draw(st.sampled_from((VisitStatus.BOOKED, VisitStatus.CANCELLED)))),
    ]
    some = draw(st.lists(st.sampled_from(at_once), unique=True, min_size=2, max_size=4))
    return case, history, some, draw(st.permutations(some))


@examples(40)
@given(told_=simultaneous())
def test_the_outcome_does_not_depend_on_the_order_in_which_events_arrived(told_):
    """A move, a hold, a changed zone, a cancellation in one minute: the same texts go after."""
    case, history, one_way, other_way = told_
    now = history[-1][0]
    ends = []
    for events in (one_way, other_way):
        here = live(case, history)
        for event in events:
            event(here, now)
            here.plan(now)
        open_rows = here.open_rows()
        for hours in (6, 24, 72):
            here.send(now + timedelta(hours=hours))
            here.plan(now + timedelta(hours=hours))
        ends.append((open_rows, here.went, here.open_rows()))
    assert ends[0] == ends[1]


@examples(50)
@given(case=st.one_of(visit_cases(), check_in_cases()))
def test_nothing_is_due_outside_the_window_or_after_its_latest_time(case):
    """A wall clock where the patient is, and in every zone they may be in, allows each minute."""
    oracle = Oracle(
        enrollment=case.enrollment, patient=case.patient, clinic=case.clinic, now=case.now
    )
    for text in told(case):
        if text.skip_reason is None:
            assert oracle.allowed(text.due_at)
            assert text.due_at <= text.latest_at
            assert text.due_at >= oracle.known


@examples(40)
@given(case=st.one_of(visit_cases(), check_in_cases()), later=st.integers(0, 5 * 1440))
def test_planning_later_moves_nothing(case, later):
    """When the planner runs is no fact: a text still ahead has the minute that it had before."""
    soon = {(text.step, text.occurrence): text for text in told(case)}
    now = case.now + later * MINUTE
    for text in told(replace(case, now=now)):
        before = soon.get((text.step, text.occurrence))
        if text.skip_reason is None and before is not None:
            assert before.skip_reason is None
            assert (before.due_at, before.latest_at) == (text.due_at, text.latest_at)
