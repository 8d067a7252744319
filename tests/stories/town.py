"""A clinic in a town of its own: the real webhook, steps and carrier, on the one clock of a story.

    phone -> sandbox -> signed webhook (uvicorn) -> steps -> gateway -> sandbox -> phone

Everything between a thumb and the rows is the product's own and goes over real sockets on this
machine; only who asks the steps to run is the simulator's engine, which jumps from one instant at
which something is due to the next.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg.rows import namedtuple_row

from cli.simulation import database as driven
from cli.simulation.engine import Engine, next_round
from messages import replies
from messages.gateway import Gateway
from messages.gateways.twilio import TwilioGateway
from records.clinics import Staff
from sandbox.config import DEFAULT_ACCOUNT, DEFAULT_TOKEN, Delays
from schedules.facts import Dose, VisitStatus
from tests.sandbox.conftest import Lab, Loop, Product, opened_lab
from tests.support.databases import OwnDatabase
from tests.support.mail import MailServer
from tests.support.world import NUMBER, World
from tests.web.house import _HASH as HASH_OF_PASSWORD
from tests.web.served import Client, served
from tests.worker.desk import NEW_YORK, Desk, at
from tests.worker.duty import KIM, SAM, Duty
from tests.worker.talk import Talk
from worker.paging.pager import Pager
from worker.steps import rounds
from worker.steps import staff as staff_step

PAT = "+12125550195"
#: A round of what is due may ask for another, never for so many.
_ROUNDS = 500


class Town(World):
    """A world that texts through the sandbox, in a database that keeps the story's time."""

    def __init__(self, own: OwnDatabase, lab: Lab, box: MailServer, *, at: datetime) -> None:
        driven.drive(own.owner_dsn, own.name)
        self._connection = psycopg.connect(
            own.owner_dsn, autocommit=True, row_factory=namedtuple_row
        )
        self.own = driven.OwnDatabase(url=own.url, own=self._connection)
        self.lab = lab
        settings = {
            "TWILIO_ACCOUNT_SID": DEFAULT_ACCOUNT,
            "TWILIO_AUTH_TOKEN": DEFAULT_TOKEN,
            "TWILIO_API_URL": lab.url,
            "SMTP_URL": box.url,
        }
        super().__init__(own.url, at=at, settings=settings)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._connection.close()

    def make_gateway(self) -> Gateway:
        """Return the shipped gateway, towards the sandbox."""
        return TwilioGateway(
            account_sid=DEFAULT_ACCOUNT, auth_token=DEFAULT_TOKEN, api_url=self.lab.url
        )

    def set(self, at: datetime) -> None:
        """Let it be this instant: for the product, the database and the carrier."""
        self.clock.at = at
        self._sync_offset()

    def _sync_offset(self) -> None:
        at = self.clock.at
        driven.DrivenClock(at, self._connection)
        carrier = self.lab.server.carrier
        ahead = carrier.config.clock_offset + at.timestamp() - carrier.now()
        carrier.configure(replace(carrier.config, clock_offset=ahead))


@dataclass(kw_only=True)
class Story(Duty):
    """Duty in a town: whoever writes does so on a phone, and what they read is what arrived there.

    `pulls`: the carrier's list of what came in is read as well, each hour.
    """

    world: Town
    box: MailServer
    pulls: bool = False
    _stack: ExitStack = field(default_factory=ExitStack)
    _round_at: datetime | None = None

    def __enter__(self) -> Self:
        town = self.world
        self.talk = Talk(town)
        self.web: Client = self._stack.enter_context(served(town.services))
        town.settings.public_url = self.web.base
        self.lab.api("PATCH", "/settings", {"inbound_url": f"{self.web.base}/twilio/inbound"})
        self.pager = Pager(town.services)
        self._stack.callback(self.pager.close)
        self.engine = Engine(
            services=town.services,
            own=town.own,
            carrier=town.carrier,
            pager=self.pager,
            sender_id=town.sender_id,
            pace=timedelta(seconds=1),
            pulls=self.pulls,
            after_pull=lambda: None,
            failed=[],
        )
        for phone in (SAM, KIM, PAT):
            # They are asleep, or in a session: a call that is not taken ends at once.
            self.habit(phone, does="no-answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def lab(self) -> Lab:
        return self.world.lab

    def habit(self, phone: str, *, does: str = "answer", digits: str = "") -> None:
        """Say what a phone does when it rings."""
        self.lab.api("PUT", f"/phones/{phone}/habit", {"does": does, "digits": digits})

    def staff(self, email: str, role: str = "coordinator") -> Any:
        """Add a console user, who can sign in with PASSWORD."""
        found = super().staff(email, role)
        self.world.execute(
            f"UPDATE {Staff.__tablename__} SET password_hash = :hash WHERE id = :id",
            hash=HASH_OF_PASSWORD,
            id=found,
        )
        return found

    @cached_property
    def desk(self) -> "StreetDesk":
        """The clinic's desk, with the shipped protocols published."""
        return StreetDesk(self)

    # --- time ---

    def settle(self) -> datetime | None:
        """Do all that is due now, the clinic's calendar first; return when something will be."""
        rounds.run(self.world.services, self.pager.channels.keys())
        return self.settles()

    def settles(self) -> datetime | None:
        """Do all that is due now, but for the clinic's calendar; return when something will be."""
        due = self.engine.settle(self._reports)
        assert self.engine.failed == []
        return due

    def tick(self) -> None:
        """Do what ticks at this instant would."""
        self.settle()

    def waits(self, **delta: float) -> None:
        """Let time pass, stopping wherever something is due."""
        self.until(self.world.now + timedelta(**delta))

    def until(self, end: datetime) -> None:
        """Let it become this instant, doing on the way what is due at each."""
        self._round_at = self._round_at or next_round(self.world.now)
        due = self.settle()
        for _ in range(_ROUNDS):
            now = self.world.now
            if now >= end:
                return
            wanted = min(at for at in (due, self._round_at, end) if at is not None)
            self.world.set(max(wanted, min(now + timedelta(seconds=1), end)))
            if self.world.now >= self._round_at:
                self._round()
            due = self.settle()
        raise AssertionError(f"no rest before {end}")

    def _round(self) -> None:
        self.engine.on_the_hour()
        staff_step.return_items_of_absent(self.world.services)
        self._round_at = next_round(self.world.now)

    def _reports(self) -> None:
        """Have the carrier's reports arrive before anything else happens."""
        server = self.lab.server
        if server.carrier.courier.busy or server._lifecycle.moving:
            self.lab.idle()

    # --- what happens in the street ---

    def posts(self, phone: str, body: str, *, to: str = NUMBER, media: Sequence[str] = ()) -> str:
        """Have somebody write, with pictures at these addresses; return the carrier's SID."""
        text = self.lab.text(body, phone=phone, to=to, media=list(media))
        # Lost, or met nobody, where a story has it so; never slow or refused.
        webhook = text["webhook"]
        assert webhook["status"] == 200 or webhook["failure"] in {"lost", "ct"}, webhook
        return str(text["sid"])

    def writes(self, phone: str, body: str) -> None:
        """Have somebody write; it is handled as ticks would."""
        self.posts(phone, body)
        self.settle()

    def calls_us(self, phone: str) -> str:
        """Have somebody call the texting number; return what they hear."""
        url = f"{self.web.base}/twilio/voice/patient"
        call = self.lab.api("POST", f"/phones/{phone}/calls", {"to": NUMBER, "url": url}, 201)
        self.lab.idle()
        return " ".join(self.lab.api("GET", f"/calls/{call['sid']}")["said"])

    def seen(self, kind: str, **match: str) -> list[dict[str, Any]]:
        """Return what the carrier's own log has of a kind."""
        return self.lab.log(kind, **{name: quote(value) for name, value in match.items()})

    def heard(self, phone: str) -> list[str]:
        """Return all words that the carrier took for a number."""
        return [entry["body"] for entry in self.seen("create", to=phone)]


Make = Callable[..., Story]

_AT_ONCE = Delays(queued=0, sending=0, sent=0, delivered=0, failed=0, ringing=0, answered=0)


@contextmanager
def begun(
    own: OwnDatabase, loop: Loop, product: Product, box: MailServer, *, at: datetime, **more: Any
) -> Iterator[Story]:
    """Yield a story that begins at an instant, with a town around it for the block."""
    # The words that texts are read by are loaded before anybody waits, as `aftercare web` does.
    replies.read("hello")
    box.letters.clear()
    box.refusal = None
    with (
        opened_lab(loop, product, delays=_AT_ONCE, services={}, inbound_url=None) as lab,
        Town(own, lab, box, at=at.astimezone(UTC)) as town,
        Story(world=town, box=box, **more) as story,
    ):
        yield story


class StreetDesk(Desk):
    """The clinic's desk in a town: what it does is done, and then everything that follows."""

    def __init__(self, story: Story) -> None:
        super().__init__(story.world)
        self._story = story

    def goes_on(self, **time: float) -> None:
        self._story.waits(**time)

    def waits_until(self, local: str) -> None:
        self._story.until(at(local))

    def dose_ends(self) -> None:
        """Have Ana leave after a dose that began two hours ago."""
        start = (self.world.now - timedelta(hours=2)).astimezone(NEW_YORK)
        self.imports(f"{start:%Y-%m-%dT%H:%M}", quiet=True)
        self.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
