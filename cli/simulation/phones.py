"""The patients' phones: texts arrive, are read, are answered or not; and what the carrier tells.

With faults, callbacks are lost, late, doubled and out of order, and webhooks get lost: such a text
is then only on the carrier's list.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random

from cli.simulation.agenda import Agenda
from cli.simulation.carrier import Made, Network
from cli.simulation.clinic import NUMBER
from cli.simulation.faults import DiedError, Faults
from cli.simulation.people import Person, Said, Trouble, answer, dice
from cli.simulation.story import Diary
from messages.gateway import StatusReport
from records.callbacks import Callback
from web.webhooks import store_callbacks
from worker.services import Services
from worker.steps import receive
from worker.steps.receive import Arrived

_UNREACHABLE, _FOR_NOW = 30005, 30003
_A_MINUTE = timedelta(minutes=1)
#: However coarse the grain: some texts have to be proved within a quarter of an hour.
_ARRIVES_WITHIN = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class Written:
    """A text that a patient wrote. `stored_at` and `place` (in the ledger) are when we had it."""

    person: Person
    said: Said
    sid: str
    at: datetime
    stored_at: datetime | None = None
    place: int = 0


@dataclass(slots=True)
class _Hand:
    """A patient with their phone in hand."""

    person: Person
    rng: Random
    read: int = 0


@dataclass(kw_only=True)
class Phones:
    """All phones. What they send gathers here until `flush` hands it to the product."""

    services: Services
    network: Network
    agenda: Agenda
    diary: Diary
    faults: Faults
    seed: int
    grain: timedelta
    start: datetime
    written: dict[str, Written] = field(default_factory=dict)
    reply_minutes: list[float] = field(default_factory=list)
    #: Whether a text is on the carrier's list alone, so that the next pull has to find it.
    missing: bool = False
    on_stored: Callable[[Written], None] = lambda _: None
    _hands: dict[str, _Hand] = field(default_factory=dict)
    _arriving: list[Arrived] = field(default_factory=list)
    _callbacks: list[Callback] = field(default_factory=list)

    def hand_out(self, person: Person) -> None:
        """Give a patient their phone."""
        rng = dice(self.seed, "phone", person.number)
        self._hands[person.phone] = _Hand(person, rng)

    def owner(self, phone: str) -> Person | None:
        """Return whose number it is."""
        hand = self._hands.get(phone)
        return hand.person if hand else None

    def _soon(self, at: datetime, grain: timedelta | None = None) -> datetime:
        """Return the next instant of the grain: what comes within it comes together."""
        grain = grain or self.grain
        steps = -((self.start - at) // grain)
        return self.start + max(1, steps) * grain

    # --- texts to patients ---

    def bring(self, made: Sequence[Made]) -> None:
        """Have new texts delivered, those of one phone in order."""
        for text in sorted(made, key=lambda each: (each.to, each.place)):
            hand = self._hands.get(text.to)
            if hand is not None:
                at = text.at + timedelta(seconds=hand.rng.randint(4, 30))
                at = self._soon(at, min(self.grain, _ARRIVES_WITHIN))
                self.agenda.note(at, partial(self._deliver, text, hand))

    def _deliver(self, text: Made, hand: _Hand) -> None:
        code = None if hand.person.reachable else _UNREACHABLE
        if code is None and self.faults.wanted and hand.rng.random() < 0.01:
            code = _FOR_NOW
        status = "undelivered" if code else "delivered"
        reports = [
            self.network.report(text.sid, "sent"),
            self.network.report(text.sid, status, code),
        ]
        self._tell(text, reports, hand.rng)
        if code is None:
            self._read(text, hand)

    def _read(self, text: Made, hand: _Hand) -> None:
        hand.read += 1
        now, person = self.services.now, hand.person
        said = answer(person, hand.rng, text.body, hand.read)
        if said is None:
            return
        at = self._soon(now + said.after)
        self.reply_minutes.append(said.after.total_seconds() / 60)
        self.agenda.note(at, lambda: self._write(hand, said))
        if said.trouble is Trouble.STOP and person.returns:
            back = Said(words="START", after=timedelta())
            days = timedelta(days=hand.rng.randint(2, 9))
            self.agenda.note(self._soon(at + days), lambda: self._write(hand, back))

    # --- what the carrier tells ---

    def _tell(self, text: Made, reports: list[StatusReport], rng: Random) -> None:
        now, drawn = self.services.now, rng.random() if self.faults.wanted else 1.0
        if drawn < 0.02:
            return
        if drawn < 0.05:
            reports.reverse()
        if drawn < 0.08:
            reports = [*reports, reports[-1]]
        late = timedelta(minutes=rng.randint(10, 900)) if 0.08 < drawn < 0.11 else timedelta()
        told = [_callback(text, report, now) for report in reports]
        if late:
            self.agenda.note(self._soon(now + late), lambda: self._callbacks.extend(told))
        else:
            self._callbacks.extend(told)

    # --- texts from patients ---

    def _write(self, hand: _Hand, said: Said) -> None:
        now, person = self.services.now, hand.person
        text = self.network.receive(from_number=person.phone, to=NUMBER, body=said.words)
        self.written[text.sid] = Written(person=person, said=said, sid=text.sid, at=now)
        self.diary.note(person.number, now, f'writes "{said.words}"')
        arrived = Arrived(text=text, received_at=now)
        drawn = hand.rng.random() if self.faults.wanted else 1.0
        if drawn < 0.02:
            self.diary.note(person.number, now, "(its webhook gets lost)")
            self.agenda.note(self._soon(now + _A_MINUTE), self._miss)
            return
        self._arriving.append(arrived)
        if drawn < 0.04:
            again = self._soon(now + timedelta(minutes=2))
            self.agenda.note(again, lambda: self._arriving.append(arrived))

    def _miss(self) -> None:
        self.missing = True

    def flush(self) -> None:
        """Hand over what came in; what a dying process did not store comes again in a minute."""
        texts, self._arriving = self._arriving, []
        told, self._callbacks = self._callbacks, []
        if texts:
            try:
                receive.store_many(self.services, texts, source="push")
            except DiedError:
                self._again(lambda: self._arriving.extend(texts))
            else:
                self.stored([each.sid for each in texts])
        if told:
            try:
                store_callbacks(self.services, told)
            except DiedError:
                self._again(lambda: self._callbacks.extend(told))

    def _again(self, deed: Callable[[], None]) -> None:
        self.agenda.note(self._soon(self.services.now + _A_MINUTE), deed)

    def waiting(self) -> list[str]:
        """Return the SIDs of texts that we do not have yet."""
        return [sid for sid, each in self.written.items() if each.stored_at is None]

    def stored(self, sids: Sequence[str]) -> None:
        """Note that the product has these."""
        for sid in sids:
            text = self.written[sid]
            if text.stored_at is None:
                text.stored_at, text.place = self.services.now, len(self.network.ledger)
                self.on_stored(text)


def _callback(text: Made, report: StatusReport, now: datetime) -> Callback:
    return Callback(
        message_id=text.message_id,
        attempt=text.attempt,
        sid=report.sid,
        status=report.status,
        error_code=report.error_code,
        from_number=report.from_number,
        messaging_service_sid=None,
        payload=json.dumps(dict(report.raw)),
        received_at=now,
    )
