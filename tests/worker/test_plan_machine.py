"""The real plan step, told of a patient's life in any order: the same texts, and twice is once.

Two patients are told the same. One hears it as it comes, and is planned in between; the other hears
of each visit and each setting in the same turn, but shuffled among themselves, and is planned last.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import time, timedelta
from itertools import count
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import text

from records import appointments
from schedules.facts import Dose, VisitStatus
from tests.support.world import World, make_visits
from tests.worker.desk import HEADER, NEW_YORK, Desk
from worker.refusal import RefusedError
from worker.steps import events, people, tailoring, visits
from worker.steps.people import Reason

#: The coming visits of each patient, by kind; what is told of one never bears on another.
COMING = {"dose": "dosing", "later": "dosing", "talk": "integration"}
STARTS = ("2026-12-10T09:00", "2026-12-10T13:00", "2026-12-11T10:00", "2026-12-15T08:00")
SETTINGS = {
    "zone": ({"timezone": "Pacific/Honolulu"}, {"timezone": "America/New_York"}),
    "hour": ({"check_in_time": "11:15"}, {"check_in_time": "19:00"}, {"check_in_time": ""}),
    "rhythm": ({"cadence": "daily_0_10: every 3 days"}, {"cadence": ""}),
    "steps": ({"steps_off": "visit_7d"}, {"steps_off": "after_morning;visit_48h"}),
}
ENDS = (
    (VisitStatus.CHECKED_OUT, Dose.GIVEN),
    (VisitStatus.CHECKED_OUT, Dose.NOT_GIVEN),
    (VisitStatus.CHECKED_OUT, Dose.PARTIAL),
    (VisitStatus.ARRIVED, None),
    (VisitStatus.NO_SHOW, None),
    (VisitStatus.FULFILLED, None),
)


@dataclass(frozen=True, slots=True)
class Person:
    """One of the two who are told the same."""

    id: UUID
    name: str
    # Names of this person's visits in the file, by what they are called here.
    files: dict[str, str]
    past: UUID


#: What is told, of which subject.
Told = tuple[str, Callable[[Desk, Person], None]]
_numbers = count(1)


def _admit(desk: Desk) -> Person:
    """Admit somebody who is asked daily, and had a visit this morning."""
    world = desk.world
    who = world.enroll_by_hand()
    [row] = world.execute("SELECT count(*) AS number FROM patient WHERE id < :who", who=who)
    number = next(_numbers)
    with world.database.transaction() as session:
        start = world.now - timedelta(hours=3)
        made = (session, world.vault, world.clinic_id, [who], start)
        [past] = make_visits(*made, label=f"M{number}-")
    events.enroll_matching(world.services, past)
    files = {name: f"{name}{number}" for name in COMING}
    return Person(who, f"P{row.number}", files, past)


def _import(desk: Desk, rows: list[str]) -> None:
    content = "\n".join([HEADER, *rows]).encode()
    report = visits.import_appointments(desk.world.services, content, actor="desk")
    assert report.bad == 0, report.faults


def _row(person: Person, visit: str, start: str, status: str) -> str:
    end = f"{start[:11]}{int(start[11:13]) + 2:02}:00"
    kind = COMING[visit]
    route = "iv" if kind == "dosing" else ""
    return f"{person.files[visit]},{person.name},{kind},{route},{start},{end},{status},Suite 4"


def _file(visit: str, start: str, status: str) -> Callable[[Desk, Person], None]:
    if visit == "later":
        # Of two visits at one minute the one that was told of first leads: the order would count.
        start = start.replace(":00", ":30")
    return lambda desk, person: _import(desk, [_row(person, visit, start, status)])


def _event(kind: VisitStatus, dose: Dose | None) -> Callable[[Desk, Person], None]:
    return lambda desk, person: _record(desk, person, kind, dose)


def _record(desk: Desk, person: Person, kind: VisitStatus, dose: Dose | None) -> None:
    ended = desk.world.now - timedelta(hours=1)
    # Who went home did not stay away: that is refused, in whatever order the rest is told.
    with suppress(RefusedError):
        events.record_event(
            desk.world.services, person.past, kind, actor="desk", at=ended, dose=dose
        )


def _confirm(visit: str) -> Callable[[Desk, Person], None]:
    return lambda desk, person: _answer(desk, person, visit, "confirmed_start = starts_at")


def _doubt(visit: str) -> Callable[[Desk, Person], None]:
    return lambda desk, person: _answer(desk, person, visit, "change_requested_at = :now")


def _answer(desk: Desk, person: Person, visit: str, change: str) -> None:
    """Write what a patient's C or R leaves on a visit."""
    with desk.world.database.transaction() as session:
        for one in appointments.find(session, person.files[visit]):
            values = {"id": one.id, "now": desk.world.now}
            session.execute(text(f"UPDATE appointment SET {change} WHERE id = :id"), values)
            session.execute(
                text("UPDATE enrollment SET plan_requested_at = now() WHERE patient_id = :who"),
                {"who": person.id},
            )


def _hold(desk: Desk, person: Person) -> None:
    people.hold(desk.world.services, person.id, reason=Reason.HOSPITAL, actor="desk")


def _resume(desk: Desk, person: Person) -> None:
    people.resume(desk.world.services, person.id, actor="desk")


def _tailor(said: dict[str, str]) -> Callable[[Desk, Person], None]:
    return lambda desk, person: tailoring.tailor(desk.world.services, person.id, said, actor="desk")


def _rows(desk: Desk, person: Person) -> set[tuple[object, ...]]:
    """Give a person's texts that will go, told apart by what their visit is called here."""
    found = desk.world.execute(
        "SELECT m.protocol, m.step, m.occurrence, m.round, m.status, m.due_at, m.latest_at,"
        " m.answer_until, m.anchor_at, m.prove_by, m.template, m.priority, m.expects, a.kind,"
        " a.starts_at FROM message m LEFT JOIN appointment a ON a.id = m.appointment_id"
        " WHERE m.patient_id = :who AND m.status IN ('planned', 'claimed')",
        who=person.id,
    )
    return {tuple(row) for row in found}


def _machine(desk: Desk) -> type[RuleBasedStateMachine]:  # noqa: C901 - A rule each.
    class Life(RuleBasedStateMachine):
        """What is told of a patient; each example has two of them, in one clinic."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = _admit(desk), _admit(desk)
            self.told: list[Told] = []

        def _tell(self, subject: str, happening: Callable[[Desk, Person], None]) -> None:
            happening(desk, self.first)
            self.told.append((subject, happening))

        @rule(
            visit=st.sampled_from(sorted(COMING)),
            start=st.sampled_from(STARTS),
            status=st.sampled_from(("booked", "booked", "booked", "cancelled")),
        )
        def file(self, visit: str, start: str, status: str) -> None:
            """A file books a visit, moves it, cancels it, or books it again."""
            self._tell(visit, _file(visit, start, status))

        @rule(visit=st.sampled_from(sorted(COMING)), answer=st.sampled_from((_confirm, _doubt)))
        def answers(self, visit: str, answer: Callable[[str], Callable]) -> None:
            """C or R about a coming visit, where it is known."""
            self._tell(visit, answer(visit))

        @rule(end=st.sampled_from(ENDS))
        def ends(self, end: tuple[VisitStatus, Dose | None]) -> None:
            """What came of this morning's visit: a dose, none, a completion, a no-show."""
            self._tell("past", _event(*end))

        @rule(change=st.sampled_from([(k, v) for k, each in SETTINGS.items() for v in each]))
        def tailored(self, change: tuple[str, dict[str, str]]) -> None:
            """Zone, own hour, a rhythm, steps off: each its own subject."""
            subject, said = change
            self._tell(subject, _tailor(said))

        @rule(held=st.booleans())
        def status(self, held: bool) -> None:
            """A hold, or its end."""
            self._tell("status", _hold if held else _resume)

        @rule()
        def plans(self) -> None:
            """The tick comes by."""
            desk.world.plan()

        def teardown(self) -> None:
            desk.world.plan()
            for happening in _shuffled(self.told):
                happening(desk, self.second)
            desk.world.plan()
            assert _rows(desk, self.first) == _rows(desk, self.second)
            before = desk.world.execute("SELECT count(*) FROM message_history")
            desk.world.execute("UPDATE enrollment SET plan_requested_at = clock_timestamp()")
            desk.world.plan()
            assert desk.world.execute("SELECT count(*) FROM message_history") == before

    return Life


def _shuffled(told: list[Told]) -> Iterator[Callable[[Desk, Person], None]]:
    """Give what was told subject by subject, the subject that was told of last first."""
    subjects = list(dict.fromkeys(subject for subject, _ in reversed(told)))
    for subject in subjects:
        yield from (happening for of, happening in told if of == subject)


def test_a_life_told_in_any_order_leads_to_the_same_texts(world: World) -> None:
    """Bookings, moves, cancellations, doses, no-shows, holds, tailoring and answers."""
    desk = Desk(world)
    desk.has_imported_before()
    assert world.now.astimezone(NEW_YORK).time() == time(10), "this morning's visit is over"
    run_state_machine_as_test(
        _machine(desk),
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            # A life made shorter costs minutes on a real database; the one found says enough.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
