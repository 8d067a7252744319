"""The run: puts a clinic and its people together, and jumps from one instant to the next."""

import gc
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from cli.embedded import EmbeddedPostgres
from cli.simulation.agenda import Agenda
from cli.simulation.audit import Audit
from cli.simulation.carrier import Network, QuickCarrier, QuickPager
from cli.simulation.clinic import FILE, START, phones
from cli.simulation.database import DrivenClock, OwnDatabase, throwaway
from cli.simulation.desk import ACTOR, Desk
from cli.simulation.engine import Engine, next_round
from cli.simulation.faults import Faults
from cli.simulation.people import Person, draw
from cli.simulation.phones import Phones
from cli.simulation.report import Report, gather
from cli.simulation.staff import StaffRoom
from cli.simulation.story import Diary
from cli.simulation.words import collected
from messages.gateways.fake import FakeGateway
from messages.lexicon import lexicon
from messages.templates import shipped
from records.base import Database
from records.keys import open_vault
from records.vault import new_key
from schedules.clinic import read_clinic
from schedules.ladder import Channel
from worker.paging.transports import Result, Sent, Transport, transports
from worker.services import Services
from worker.settings import Settings, load
from worker.steps import clinics, outcomes, staff
from worker.steps.followup_actions import Actor

#: What patients write and the carrier tells within so long comes together, as one group: the
#: larger the clinic, the more there is to each group anyway.
GRAIN, GRAIN_OF_A_LARGE_CLINIC = timedelta(minutes=5), timedelta(hours=1)
#: Nothing that a run makes in cycles is large, and looking through all it keeps is dear.
_COLLECT_AFTER = 100_000
_STAFF = "kim@clinic.test"


def _goes_on() -> None:
    """Let a run go on to its end."""


def _nothing(_: OwnDatabase) -> None:
    """Leave the database as it is."""


def _as_drawn(person: Person) -> Person:
    return person


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be simulated.

    `planted` is called with the database once the clinic is set up, `habits` with each patient
    drawn: tests plant bugs through them; `ended` with the database as the last day left it. What
    `goes_on` raises before a jump ends the run; with `until_broken` the first broken promise does.
    A large clinic has several sites, and this is one of them.
    """

    patients: int
    days: int
    seed: int
    faults: bool = False
    grain: timedelta = GRAIN
    clinic: str = FILE
    until_broken: bool = False
    site: int = 0
    sites: int = 1
    planted: Callable[[OwnDatabase], None] = _nothing
    habits: Callable[[Person], Person] = _as_drawn
    ended: Callable[[OwnDatabase], None] = _nothing
    goes_on: Callable[[], None] = _goes_on


def simulate(server: EmbeddedPostgres, plan: Plan) -> Report:
    """Live a clinic's days in a database of their own, which is dropped afterwards."""
    # Compiled before anything waits for it; the product does that at its first text.
    lexicon()
    with _few_collections(), throwaway(server) as own, collected() as failed:
        clock = DrivenClock(START, own.own)
        settings = _settings(own.url)
        database = Database.connect(own.url, application="simulation", ping=False)
        try:
            with database.transaction() as session:
                vault = open_vault(session, settings.keys)
            services = Services(
                settings=settings, database=database, vault=vault, clock=clock, catalog=shipped()
            )
            return _Run(services, own, clock, plan, failed).live()
        finally:
            database.close()


@contextmanager
def _few_collections() -> Iterator[None]:
    """Leave what is there already out of the search for cycles, and search rarely."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _settings(url: str) -> Settings:
    values: dict[str, Any] = {
        "DATABASE_URL": url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PUBLIC_URL": "http://127.0.0.1:9",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "simulated",
        "TWILIO_API_URL": "http://127.0.0.1:9",
        "AFTERCARE_ENCRYPTION_KEYS": new_key(),
        "AFTERCARE_SECRET_KEY": "no cookie is signed here",
        "AFTERCARE_CLOCK_OFFSET": 0,
        "AFTERCARE_MODE": "sandbox",
    }
    return load(_env_file=None, **values)


class _Run:
    """One run, from the first morning to the last night."""

    def __init__(
        self,
        services: Services,
        own: OwnDatabase,
        clock: DrivenClock,
        plan: Plan,
        failed: list[str],
    ) -> None:
        self._plan, self._own, self._clock, self._failed = plan, own, clock, failed
        self._end = START + timedelta(days=plan.days)
        faults = Faults(seed=plan.seed)
        if plan.faults:
            faults = Faults.drawn(plan.seed, START, plan.days, plan.site)
        self._faults = faults
        services = _mortal(services, faults)
        self._services, self._agenda, self._diary = services, Agenda(), Diary()
        file = read_clinic(plan.clinic, "clinic.yaml", sandbox=True)
        self._staffed = file.staffed()
        clinic_id = clinics.apply(services, file, actor=ACTOR).clinic_id
        self._clinic_id, self._sender_id = clinic_id, own.rows("SELECT id FROM sender")[0].id
        plan.planted(own)
        self._network = Network(clock=clock.now, faults=faults)
        self._phones = Phones(
            services=services,
            network=self._network,
            agenda=self._agenda,
            diary=self._diary,
            faults=faults,
            seed=plan.seed,
            grain=plan.grain,
            start=START,
        )
        self._desk = Desk(
            services,
            own,
            self._agenda,
            self._diary,
            self._staffed,
            seed=plan.seed,
            end=self._end,
            files_every=plan.grain,
        )
        self._room = self._staff_room()
        self._audit = Audit(
            own=own,
            network=self._network,
            phones=self._phones,
            desk=self._desk,
            diary=self._diary,
        )
        self._phones.on_stored = self._audit.stored

    def _staff_room(self) -> StaffRoom:
        password, role = new_key(), staff.Role.CLINICIAN
        staff_id = staff.add(
            self._services, self._clinic_id, email=_STAFF, role=role, password=password, actor=ACTOR
        )
        actor = Actor(
            label=f"staff:{staff_id}", staff_id=staff_id, clinic_id=self._clinic_id, role=role.value
        )
        return StaffRoom(
            services=self._services,
            own=self._own,
            agenda=self._agenda,
            diary=self._diary,
            desk=self._desk,
            staffed=self._staffed,
            seed=self._plan.seed,
            actor=actor,
        )

    def live(self) -> Report:
        """Live through all days, judge the end, and gather what there is to tell."""
        plan = self._plan
        everybody = enumerate(islice(phones(), plan.patients), 1)
        for number, phone in islice(everybody, plan.site, None, plan.sites):
            drawn = draw(plan.seed, number, phone, START, plan.days)
            person = plan.habits(drawn)
            self._phones.hand_out(person)
            self._desk.expect(person)
        with self._running() as engine:
            self._jump_through(engine)
        self._audit.end(self._services.now)
        for event in self._failed:
            self._audit.note("no step fails", None, self._services.now, event)
        plan.ended(self._own)
        return gather(plan, self._own, self._audit, self._phones, self._room, self._faults)

    @contextmanager
    def _running(self) -> Iterator[Engine]:
        services = self._services
        carrier = QuickCarrier(
            lambda: self._network,
            in_flight=256,
            write=lambda posted: outcomes.write(services, posted),
        )
        pager = QuickPager(services, _channels(services))
        try:
            yield Engine(
                services=services,
                own=self._own,
                carrier=carrier,
                pager=pager,
                sender_id=self._sender_id,
                pace=self._plan.grain / 2,
                pulls=self._plan.faults,
                after_pull=self._after_pull,
                failed=self._failed,
            )
        finally:
            pager.close()
            carrier.close()

    def _jump_through(self, engine: Engine) -> None:
        now, on_the_hour = START, START
        while now < self._end and not (self._plan.until_broken and self._audit.broken):
            self._plan.goes_on()
            self._clock.set(now)
            self._agenda.do(now)
            self._desk.write()
            self._phones.flush()
            if now >= on_the_hour:
                self._audit.items(now)
                engine.on_the_hour()
                on_the_hour = next_round(now)
            if self._phones.missing:
                engine.pull()
            due = engine.settle(self._look)
            self._room.look()
            found = (each for each in (due, self._agenda.next_at, on_the_hour) if each is not None)
            # What became due while others were run is done a second later.
            now = max(min(found), now + timedelta(seconds=1))
        if now >= self._end:
            # What fell due since the last instant of the pace still has its turn.
            self._clock.set(self._end)
            engine.settle(self._look)

    def _look(self) -> None:
        """See what the carrier has made."""
        fresh, self._network.fresh = self._network.fresh, []
        if fresh:
            self._audit.texts(fresh)
            self._phones.bring(fresh)

    def _after_pull(self) -> None:
        waiting, self._phones.missing = self._phones.waiting(), False
        if waiting:
            found = self._own.rows("SELECT sid FROM inbound WHERE sid = ANY(%(s)s)", s=waiting)
            self._phones.stored([row.sid for row in found])


def _mortal(services: Services, faults: Faults) -> Services:
    """Return services whose steps die where the faults say."""
    return replace(
        services,
        crashpoint=lambda name: faults.pass_by(name, services.now),
        host="simulated",
    )


def _channels(services: Services) -> dict[str, Transport]:
    """Return the shipped transports over a carrier in memory; letters always arrive."""
    line = FakeGateway(clock=services.clock.now, monotonic=lambda: 0.0)

    @asynccontextmanager
    async def gateway(_second: bool) -> Any:
        yield line

    real = transports(services.settings, gateway)
    return {
        Channel.SMS: real[Channel.SMS],
        Channel.VOICE: real[Channel.VOICE],
        Channel.EMAIL: lambda job: Sent(result=Result.ACCEPTED, reference=str(job.delivery_id)),
    }
