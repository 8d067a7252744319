"""A machine that tries whatever may happen to a text, in any order, beside a model of what may be.

The steps are the product's, on a real PostgreSQL; the carrier is the shipped fake. One clock drives
all: when it moves, the guards that live by the database's clock are set back by as much, and a
worker that stands still finds its own guards as much older.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from messages.gateway import InboundText, StatusReport
from messages.gateways.fake import Script, lose_answer, refuse, throttle, unreachable
from messages.status import from_carrier
from records.callbacks import Callback
from tests.acceptance.house import as_csv
from tests.support.databases import Databases
from tests.support.mortal import Created, Ledger, MortalWorker
from tests.support.world import NUMBER, World, phone_of
from web.webhooks import store_callbacks
from worker.carrier import SEND_GUARD_SECONDS
from worker.steps import receive, visits

_NOTHING = timedelta(0)
# Longer than the grace (15 s), shorter than what the two looks wait in all.
_LAG = timedelta(seconds=12)
SCRIPTS: dict[str, Script] = {
    "429": throttle(),
    "429, in 30 s": throttle(30),
    "refused connection": unreachable(),
    "bad number": refuse(21211),
    "bad credentials": refuse(20003, 401),
    "500, created": lose_answer(creates=True, reason="server_error", http_status=500),
    "500, not created": lose_answer(creates=False, reason="server_error", http_status=500),
    "answer lost, created": lose_answer(creates=True),
    "answer lost, listed late": lose_answer(creates=True, appears_after=_LAG),
    "answer lost, not created": lose_answer(creates=False),
}
STEPS = (
    "send",
    "send",
    "send",
    "sweep",
    "unknown",
    "receipts",
    "replies",
    "plan",
    "pull",
    "silent",
)
# Where no transaction is open: a worker may stand there while others go on.
REST_AT = (
    "claim.after_commit",
    "send.after_intent",
    "send.after_connect",
    "send.after_write",
    "send.after_response",
    "send.before_outcome_commit",
    "send.after_outcome_commit",
    "reconcile.listed",
    "pull.page",
)
DIE_AT = (
    *REST_AT,
    "claim.before_commit",
    "sweep.before_commit",
    "sweep.after_commit",
    "reconcile.after_commit",
    "receipts.before_commit",
    "receipts.after_commit",
    "replies.before_commit",
    "replies.after_commit",
    "pull.before_commit",
    "plan.before_commit",
    "plan.after_commit",
    "inbound.before_commit",
    "inbound.after_commit",
)
SENDING = tuple(point for point in REST_AT if point.startswith(("claim.", "send.")))
ELSEWHERE = tuple(point for point in DIE_AT if not point.startswith(("claim.", "send.")))
OF_STEP = {
    "send": ("claim.", "send."),
    "sweep": ("sweep.",),
    "unknown": ("reconcile.",),
    "receipts": ("receipts.",),
    "replies": ("replies.",),
    "plan": ("plan.",),
    "pull": ("pull.", "inbound."),
    "silent": (),
}
WORDS = ("STOP", "C", "R", "what?", "3", "thanks", "please stop texting me")
_ROWS = """
    SELECT m.id, m.patient_id, m.appointment_id, m.kind, m.template, m.status, m.reason, m.attempts,
           m.latest_at, m.next_at, m.sid, m.policy, m.revision, m.enrollment_id, m.step,
           m.occurrence, m.anchor_at, m.final_at
    FROM message m
"""
# What each step would find to do; all are asked with the patients' time.
_WAITING = {
    "sweep": "SELECT 1 FROM message WHERE lease_until < now()"
    " OR status = 'planned' AND next_at <= :now AND latest_at <= :now",
    "plan": "SELECT 1 FROM enrollment WHERE plan_requested_at IS NOT NULL OR next_roll_at <= :now",
    "unknown": "SELECT 1 FROM attempt WHERE closed_at IS NULL AND outcome = 'unknown'"
    " AND next_look_at <= now() AND CAST(:now AS text) <> ''",
    "send": "SELECT 1 FROM message m JOIN sender s ON s.id = m.sender_id"
    " WHERE m.status = 'planned' AND m.next_at <= :now"
    " AND (s.breaker_until IS NULL OR s.breaker_until <= :now)",
    "silent": "SELECT 1 FROM message WHERE status IN ('accepted', 'sent')"
    " AND final_at IS NULL AND accepted_at <= :now - interval '15 minutes'",
    "receipts": "SELECT 1 FROM receipt WHERE applied_at IS NULL AND CAST(:now AS text) <> ''",
    "replies": "SELECT 1 FROM inbound WHERE handled_at IS NULL"
    " AND (retry_at IS NULL OR retry_at <= :now)",
}
_OPEN = ("claimed", "submitting", "unknown", "accepted", "sent")


@dataclass(slots=True)
class Ban:
    """After this no text of these rows may be made, but for attempts that were on their way."""

    since: int
    on_their_way: set[tuple[UUID, int]]
    patients: set[UUID] = field(default_factory=set)
    visit: UUID | None = None
    revision: int | None = None

    def covers(self, row: Any) -> bool:
        if row.kind != "started" or row.template == "visit_cancelled":
            return False
        if self.visit is None:
            return row.patient_id in self.patients
        older = self.revision is None or (row.revision or 0) < self.revision
        return bool(row.appointment_id == self.visit and older)


class SendMachine(RuleBasedStateMachine):
    """Two workers, a carrier that errs, patients who answer, a desk that moves visits."""

    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self._own = self.databases.migrated()
        self.world = World(self._own.__enter__().url, monotonic=time.monotonic)
        self.world.publish_protocols()
        self.ledger = Ledger(self.world.gateway)
        self.workers = [MortalWorker(self.world, self.ledger, f"w{n}") for n in range(2)]
        self.phones: list[str] = []
        self.visits: list[tuple[UUID, str, str]] = []
        self.bans: list[Ban] = []
        self.inbound: dict[str, InboundText] = {}
        self.told: Counter[str] = Counter()
        self.checked = 0
        self.scripted = 0
        self.fired: Counter[tuple[str, str | None]] = Counter()

    # --- what the desk does ---

    @initialize(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        self._due(count)

    @rule(
        wait=st.sampled_from((0, 0, 0, 5, 60)),
        useful=st.sampled_from((3, 30, 600, 21_600)),
        policy=st.sampled_from((None, None, "prefer_silence", "prefer_duplicate")),
        shared=st.booleans(),
    )
    def text_falls_due(self, wait: int, useful: int, policy: str | None, shared: bool) -> None:
        more = {"phone": self.phones[0]} if shared and self.phones else None
        due_at = self.world.now + timedelta(seconds=wait)
        latest_at = due_at + timedelta(seconds=useful)
        self._due(1, patient=more, due_at=due_at, latest_at=latest_at, policy=policy)

    def _due(self, count: int, *, patient: dict[str, str] | None = None, **more: Any) -> None:
        first = len(self.phones)
        for number in range(first, first + count):
            self.world.due(1, patient=dict(patient or {}), **more)
            self.phones.append((patient or {}).get("phone", phone_of(number)))
            [(visit_id,)] = self.world.execute(
                "SELECT id FROM appointment WHERE external_id = :name", name=f"V{number}-0"
            )
            self.visits.append((visit_id, f"V{number}-0", f"P{number}"))

    @rule(which=st.integers(0, 99), hours=st.sampled_from((26, 47, 49, 170)))
    def visit_is_moved(self, which: int, hours: int) -> None:
        self._import(which, hours, "booked")

    @rule(which=st.integers(0, 99))
    def visit_is_cancelled(self, which: int) -> None:
        self._import(which, 168, "cancelled")

    def _import(self, which: int, hours: int, status: str) -> None:
        visit_id, external, patient = self.visits[which % len(self.visits)]
        starts_at = (self.world.now + timedelta(hours=hours)).replace(second=0, microsecond=0)
        row = {
            "appointment_id": external,
            "patient_id": patient,
            "kind": "dosing",
            "route": "iv",
            "starts_at": starts_at.isoformat(timespec="minutes"),
            "ends_at": (starts_at + timedelta(hours=2)).isoformat(timespec="minutes"),
            "status": status,
            "location": "Suite 2",
        }
        on_their_way = self._on_their_way("m.appointment_id = :what", visit_id)
        report = visits.import_appointments(
            self.world.services, as_csv([row]).encode(), actor="test"
        )
        assert report.bad == 0
        [(now_is, revision)] = self.world.execute(
            "SELECT status, revision FROM appointment WHERE id = :id", id=visit_id
        )
        cancelled = now_is == "cancelled"
        self.bans.append(
            Ban(
                since=len(self.ledger.created),
                on_their_way=on_their_way,
                visit=visit_id,
                revision=None if cancelled else revision,
            )
        )
        if not cancelled:
            # Booked again after all: what forbade its texts is over.
            self.bans = [b for b in self.bans if b.visit != visit_id or b.revision is not None]

    def _on_their_way(self, condition: str, what: object) -> set[tuple[UUID, int]]:
        rows = self.world.execute(
            f"{_ROWS} WHERE m.status = 'submitting' AND {condition}", what=what
        )
        return {(row.id, row.attempts) for row in rows}

    # --- what patients do ---

    @rule(
        who=st.integers(0, 99),
        body=st.sampled_from(WORDS),
        how=st.sampled_from(("push", "push", "twice", "missed")),
    )
    def patient_writes(self, who: int, body: str, how: str) -> None:
        phone = self.phones[who % len(self.phones)]
        text = self.world.gateway.receive(from_number=phone, to=NUMBER, body=body)
        text_of_ours = self._ours(text)
        self.inbound[text.sid] = text_of_ours
        if how != "missed":
            self._push(text_of_ours)
        if how == "twice":
            self._push(text_of_ours)

    @precondition(lambda self: self.inbound)
    @rule(which=st.integers(0, 99))
    def webhook_comes_again(self, which: int) -> None:
        self._push(list(self.inbound.values())[which % len(self.inbound)])

    def _ours(self, text: InboundText) -> InboundText:
        values = {name: getattr(text, name) for name in InboundText.__dataclass_fields__}
        return InboundText(
            **{**values, "account_sid": self.world.settings.twilio_account_sid, "raw": {}}
        )

    def _push(self, text: InboundText) -> None:
        everybody = self._patients_on(text.from_number)
        on_their_way = self._on_their_way("m.patient_id = ANY(CAST(:what AS uuid[]))", everybody)
        received = receive.store(
            self.world.services, text, source="push", received_at=self.world.now
        )
        if received.opt_change in {"stop", "stop_again"}:
            self.bans.append(
                Ban(
                    since=len(self.ledger.created),
                    on_their_way=on_their_way,
                    patients=set(everybody),
                )
            )

    def _patients_on(self, phone: str) -> list[UUID]:
        blind = self.world.vault.blind("phone", phone)
        rows = self.world.execute("SELECT id FROM patient WHERE phone_blind = :b", b=blind)
        return [row.id for row in rows]

    # --- what the carrier does ---

    @rule(name=st.sampled_from(sorted(SCRIPTS)), times=st.integers(1, 3))
    def carrier_errs_next(self, name: str, times: int) -> None:
        self.scripted += times
        self.world.gateway.script(*[SCRIPTS[name]] * times)

    @rule(out=st.booleans())
    def carrier_lists_fail(self, out: bool) -> None:
        self.world.gateway.outage = out

    @precondition(lambda self: self.ledger.created)
    @rule(
        which=st.integers(0, 99),
        upto=st.integers(1, 4),
        order=st.permutations(range(4)),
        twice=st.booleans(),
    )
    def receipts_come(self, which: int, upto: int, order: list[int], twice: bool) -> None:
        made = self.ledger.created[which % len(self.ledger.created)]
        reports = self._reports(made, upto)
        shuffled = [reports[place] for place in order if place < len(reports)]
        for report in shuffled * (2 if twice else 1):
            store_callbacks(self.world.services, [self._callback(made, report)])

    def _reports(self, made: Created, upto: int) -> list[StatusReport]:
        """Move a text on at the carrier and return all words on it so far; it never goes back."""
        ending = "undelivered" if int(made.sid[-2:], 16) % 5 == 4 else "delivered"
        way = ("queued", "sending", "sent", ending)
        upto = max(upto, self.told[made.sid])
        self.told[made.sid] = upto
        gateway = self.world.gateway
        return [
            gateway.report(made.sid, status, 30005 if status == "undelivered" else None)
            for status in way[:upto]
        ]

    def _callback(self, made: Created, report: StatusReport) -> Callback:
        return Callback(
            message_id=made.message_id,
            attempt=made.attempt,
            sid=report.sid,
            status=report.status,
            error_code=report.error_code,
            from_number=report.from_number,
            messaging_service_sid=None,
            payload="{}",
            received_at=self.world.now,
        )

    # --- what workers do, and what befalls them ---

    @rule(number=st.integers(0, 1), step=st.sampled_from(STEPS))
    def worker_runs(self, number: int, step: str) -> None:
        self.run_step(number, step, None)

    @rule(number=st.integers(0, 1), point=st.sampled_from(SENDING), nth=st.sampled_from((1, 1, 2)))
    def worker_stands_still_sending(self, number: int, point: str, nth: int) -> None:
        self._have_work()
        self.run_step(number, "send", point, nth=nth)

    @rule(number=st.integers(0, 1), point=st.sampled_from(SENDING), nth=st.sampled_from((1, 1, 2)))
    def worker_dies_sending(self, number: int, point: str, nth: int) -> None:
        self._have_work()
        self.run_step(number, "send", point, nth=nth, kill=True)

    @rule(number=st.integers(0, 1), point=st.sampled_from(ELSEWHERE), kill=st.booleans())
    def worker_ends_elsewhere(self, number: int, point: str, kill: bool) -> None:
        self.run_step(number, step_of(point), point, kill=kill or point not in REST_AT)

    def _have_work(self) -> None:
        if "send" not in self._waiting():
            self._due(2)

    @rule(seconds=st.sampled_from((6, 16, 31, 31, 61)), times=st.integers(1, 3))
    def others_go_on(self, seconds: int, times: int) -> None:
        """Time passes, and whoever does not stand still does what the tick finds."""
        for _ in range(times):
            self.advance(seconds)
            for number, worker in enumerate(self.workers):
                if not worker.stands():
                    for step in ("sweep", "unknown", "send"):
                        self.run_step(number, step, None)
                    break

    @precondition(lambda self: any(worker.stands() for worker in self.workers))
    @rule(number=st.integers(0, 1), kill=st.booleans())
    def worker_that_stood_goes_on(self, number: int, kill: bool) -> None:
        worker = self.workers[number]
        if worker.stands():
            self._end(number) if kill else worker.resume()

    def run_step(self, number: int, step: str, point: str | None, **how: Any) -> None:
        worker = self.workers[number]
        if worker.stands():
            return
        worker.start(step, stop_at=point, **how)
        if worker.dead:
            self.fired["killed at", point] += 1
            self._end(number)
        elif worker.stands():
            self.fired["stood still at", point] += 1

    def _end(self, number: int) -> None:
        self.workers[number].kill()
        self.workers[number] = MortalWorker(self.world, self.ledger, f"w{number}")

    @rule(seconds=st.sampled_from((1, 4, 6, 16, 31, 61, 200, 3600, 14_400)))
    def time_passes(self, seconds: int) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.world.advance(seconds=seconds)
        for worker in self.workers:
            worker.stand(seconds)
        by = {"by": seconds}
        self.world.execute(
            "UPDATE message SET lease_until = lease_until - make_interval(secs => :by)"
            " WHERE lease_until IS NOT NULL",
            **by,
        )
        self.world.execute(
            "UPDATE attempt SET intent_at = intent_at - make_interval(secs => :by),"
            " next_look_at = next_look_at - make_interval(secs => :by) WHERE closed_at IS NULL",
            **by,
        )

    # --- what must hold after each of these ---

    @invariant()
    def steps_raise_nothing(self) -> None:
        assert [error for worker in self.workers for error in worker.errors] == []

    @invariant()
    def nothing_is_made_that_may_not_be(self) -> None:
        """A one text a row and start time; C none past its time; F none after a stop or a move."""
        if len(self.ledger.created) == self.checked:
            return
        fresh = range(self.checked, len(self.ledger.created))
        self.checked = len(self.ledger.created)
        rows = {row.id: row for row in self.world.execute(_ROWS)}
        self._at_most_one(rows)
        for place in fresh:
            made = self.ledger.created[place]
            row = rows[made.message_id]
            allowed = timedelta(seconds=SEND_GUARD_SECONDS)
            assert made.at <= row.latest_at + allowed, f"made too late: {made}"
            for ban in self.bans:
                if place >= ban.since and ban.covers(row):
                    assert (made.message_id, made.attempt) in ban.on_their_way, (made, ban)

    def _at_most_one(self, rows: dict[UUID, Any]) -> None:
        times: Counter[object] = Counter()
        for made in self.ledger.created:
            row = rows[made.message_id]
            if row.policy != "prefer_duplicate":
                times[row.id] += 1
                if row.enrollment_id is not None:
                    times[row.enrollment_id, row.step, row.occurrence, row.anchor_at] += 1
        twice = {key: count for key, count in times.items() if count > 1}
        assert twice == {}, f"made twice: {twice}"

    # --- and when all faults are off and everything has come to rest ---

    def teardown(self) -> None:
        try:
            if self.phones:
                self._drain()
                self._all_is_settled()
        finally:
            for worker in self.workers:
                worker.kill()
            self.world.__exit__()
            self._own.__exit__(None, None, None)

    def _drain(self) -> None:
        self.world.gateway.outage = False
        self.world.gateway._anybody.clear()
        for worker in self.workers:
            if worker.stands():
                worker.resume()
        for made in self.ledger.created:
            self._reports(made, 4)
        for turn in range(40):
            self.advance(20 if turn % 4 else 1000)
            for step in self._waiting():
                self.run_step(0, step, None)
                self.steps_raise_nothing()
                self.nothing_is_made_that_may_not_be()
            for made in self.ledger.created:
                self._reports(made, 4)
            if turn and not self._waiting() and not self._unsettled():
                return
        raise AssertionError(f"not at rest: {self._unsettled()}")

    def _waiting(self) -> Iterable[str]:
        """Return what the tick and its turns would ask for."""
        now = self.world.now
        steps = [name for name, asks in _WAITING.items() if self.world.execute(asks, now=now)]
        missing = self.inbound.keys() - {sid for (sid,) in self._inbound_sids()}
        return [*steps, *(["pull"] if missing else [])]

    def _inbound_sids(self) -> list[tuple[str]]:
        return [(row.sid,) for row in self.world.execute("SELECT sid FROM inbound")]

    def _unsettled(self) -> list[Any]:
        rows = self.world.execute(_ROWS)
        open_rows = [row for row in rows if row.status in _OPEN and row.final_at is None]
        overdue = [r for r in rows if r.status == "planned" and r.next_at <= self.world.now]
        return open_rows + overdue

    def _all_is_settled(self) -> None:
        """B, D, E and G of the invariants."""
        rows = {row.id: row for row in self.world.execute(_ROWS)}
        self._rows_say_what_the_carrier_did(rows)
        assert Counter(sid for (sid,) in self._inbound_sids()) == Counter(self.inbound.keys())
        assert self.world.execute("SELECT 1 FROM inbound WHERE handled_at IS NULL") == []
        assert self.world.execute("SELECT 1 FROM attempt WHERE closed_at IS NULL") == []
        for row in rows.values():
            # Three that may have sent, and one for each time the carrier was told to say no.
            assert row.attempts <= 4 + self.scripted, row
            assert row.status != "planned" or row.next_at > self.world.now, row

    def _rows_say_what_the_carrier_did(self, rows: dict[UUID, Any]) -> None:
        by_row: dict[UUID, list[str]] = {}
        for made in self.ledger.created:
            by_row.setdefault(made.message_id, []).append(made.sid)
        for row in rows.values():
            made_for_it = by_row.get(row.id, [])
            if not made_for_it:
                assert row.sid is None, row
                assert row.status in {"planned", "skipped", "cancelled", "expired", "failed"}, row
                continue
            assert row.sid in made_for_it, row
            truth = from_carrier(self.world.gateway.ledger[row.sid].status)
            assert row.status == truth, (row, truth)


def step_of(point: str) -> str:
    return next(step for step, starts in OF_STEP.items() if point.startswith(starts or "-"))
