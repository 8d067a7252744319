"""The promises, held against what the carrier made and what the database says.

Nothing here asks the product whether a text was allowed: hours, zones, caps, visits and stops are
those of the drawn truth. Texts are looked at as they are made, items each hour of the clinic's
day, rows and replies at the end.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from cli.simulation.carrier import Made, Network
from cli.simulation.clinic import CLOSES, OPENS, OWN_WORDS, PER_DAY, PER_WEEK, ZONE
from cli.simulation.courses import Booking
from cli.simulation.database import OwnDatabase
from cli.simulation.desk import Desk
from cli.simulation.people import Person, Trouble
from cli.simulation.phones import Phones, Written
from cli.simulation.story import Broken, Diary

_BEFORE_ITS_VISIT = frozenset(
    {
        "assess_48h",
        "visit_7d",
        "visit_48h",
        "visit_24h_prep",
        "visit_2h_ride",
        "visit_eve_ride",
        "visit_day",
        "followup_24h",
        "followup_2h",
        "followup_eve",
        "visit_booked",
        "visit_moved",
        "visit_cancelled",
    }
)
_THE_DAY_BEFORE = frozenset({"visit_24h_prep", "visit_eve_ride", "followup_24h", "followup_eve"})
_THE_SAME_EVENING = frozenset({"after_evening", "after_evening_closed"})
_THE_MORNING_AFTER = frozenset({"after_morning", "after_morning_closed"})
_AFTER_A_DOSE = _THE_SAME_EVENING | _THE_MORNING_AFTER
_EVENING, _NOON = 16, 12
#: What ends a conversation that the patient ended.
_AFTER_A_STOP = frozenset(
    {"optout_confirm", "optout_confirm_words", "optout_confirm_visit", "wrong_number_ack"}
)
#: Care rule 8: not counted towards the caps; and counted, but never dropped for them.
_NOT_COUNTED = frozenset(
    {"welcome", "visit_booked", "visit_moved", "visit_cancelled", "staff_text"}
)
_NEVER_DROPPED = frozenset({"visit_24h_prep", "visit_2h_ride", "visit_eve_ride"})
#: The daily number is asked for within three hours of its own time, a weekly one on its own day.
_WEEKLY = ("weekly_days", "weekly_confidence", "weekly_sleep")
_LATE = {"daily_0_10": timedelta(hours=3), **dict.fromkeys(_WEEKLY, timedelta(hours=12))}
_EVER = timedelta(days=3650)
_NEVER_ARRIVED = frozenset({"undelivered", "failed"})
_TWICE_WITHIN = timedelta(minutes=10)
_ANSWERED_WITHIN, _SAME_CRISIS = timedelta(minutes=6), timedelta(minutes=16)

_TEXTS = """
    SELECT m.id, m.kind, m.template, m.step, m.occurrence, m.round, m.due_at, m.latest_at,
           a.external_id AS visit
    FROM message m LEFT JOIN appointment a ON a.id = m.appointment_id
    WHERE m.id = ANY(%(ids)s)
"""


@dataclass(slots=True)
class _Line:
    """What went to one number so far."""

    counted: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    last: dict[tuple[str, str | None], datetime] = field(default_factory=dict)
    stopped_at: int | None = None


@dataclass(kw_only=True)
class Audit:
    """Collects what was broken, each with its story."""

    own: OwnDatabase
    network: Network
    phones: Phones
    desk: Desk
    diary: Diary
    broken: list[Broken] = field(default_factory=list)
    hours: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    days: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    _lines: dict[int, _Line] = field(default_factory=lambda: defaultdict(_Line))
    _sids: dict[UUID, str] = field(default_factory=dict)
    _unowned: set[UUID] = field(default_factory=set)

    def note(self, promise: str, person: Person | None, at: datetime, what: str) -> None:
        """Keep a broken promise with the story that led there."""
        number = person.number if person else 0
        self.broken.append(
            Broken(
                promise=promise,
                patient=person.patient_id if person else "the clinic",
                at=at,
                what=what,
                story=self.diary.story(number),
            )
        )

    # --- as it happens ---

    def stored(self, text: Written) -> None:
        """Take note that the product has a text: from here on it has to keep to it."""
        line = self._lines[text.person.number]
        if text.said.trouble in {Trouble.STOP, Trouble.WRONG_NUMBER}:
            line.stopped_at = text.place
        elif text.said.words == "START":
            line.stopped_at = None

    def texts(self, fresh: Sequence[Made]) -> None:
        """Judge texts that the carrier has just made."""
        rows = {row.id: row for row in self.own.rows(_TEXTS, ids=[one.message_id for one in fresh])}
        for made in sorted(fresh, key=lambda each: (each.to, each.place)):
            person, row = self.phones.owner(made.to), rows.get(made.message_id)
            if person is None or row is None:
                self.note("nobody else is texted", person, made.at, "a text that is in no row")
                continue
            self.diary.note(person.number, made.at, f"is sent {row.template} ({row.kind})")
            again = made.message_id in self._sids
            self._once(made, person, row)
            self._stop(made, person, row)
            self._words(made, person, row)
            if row.kind == "started":
                self._started(made, person, row, again=again)

    def _started(self, made: Made, person: Person, row: Any, *, again: bool) -> None:
        local = made.at.astimezone(ZoneInfo(person.zone))
        self.hours[local.hour] += 1
        self.days[made.at.astimezone(ZONE).date()] += 1
        if not OPENS <= local.time() < CLOSES or not _is_safe(local, person):
            self.note(
                "only in the send window", person, made.at, f"{row.template} at {local:%H:%M}"
            )
        if made.at >= row.latest_at:
            self.note(
                "not after the deadline", person, made.at, f"{row.template} after its latest time"
            )
        if made.at - row.due_at > _LATE.get(row.template, _EVER):
            self.note("not after the deadline", person, made.at, f"{row.template} hours late")
        if not again:
            self._cap(made, person, row, local.date())
        booking = self._booking(person, row.visit)
        if booking is not None:
            self._of_visit(made, person, row, booking)

    def _booking(self, person: Person, visit: str | None) -> Booking | None:
        mine = self.desk.bookings[person.number]
        return next((each for each in mine if each.visit_id == visit), None) if visit else None

    def _of_visit(self, made: Made, person: Person, row: Any, booking: Booking) -> None:
        name = row.template
        if name in _BEFORE_ITS_VISIT and made.at >= booking.starts_at:
            self.note("not after the deadline", person, made.at, f"{name} after the visit began")
        if booking.status == "cancelled" and name != "visit_cancelled":
            self.note("true when sent", person, made.at, f"{name} for a cancelled visit")
        if name in _THE_DAY_BEFORE and not _is_tomorrow(made.at, booking, person):
            self.note("true when sent", person, made.at, f"{name} says tomorrow, which it is not")
        if name in _AFTER_A_DOSE and (
            booking.status != "checked_out" or booking.dose not in {"given", "partial"}
        ):
            self.note("true when sent", person, made.at, f"{name} although no dose was given")
        if name in _AFTER_A_DOSE and not is_its_time(name, made.at, booking, person):
            local = made.at.astimezone(ZoneInfo(person.zone))
            what = f"{name} on {local:%a %H:%M}, which is not its time of day"
            self.note("true when sent", person, made.at, what)

    def _cap(self, made: Made, person: Person, row: Any, day: date) -> None:
        if row.template in _NOT_COUNTED:
            return
        counted = self._lines[person.number].counted
        if counted[day] >= PER_DAY and row.template not in _NEVER_DROPPED:
            what = f"{row.template} is text {counted[day] + 1} of {day}"
            self.note("caps are kept", person, made.at, what)
        week = sum(counted.get(day - timedelta(days=number), 0) for number in range(7))
        bound = "check_ins" not in person.purposes and row.template not in _NEVER_DROPPED
        if bound and week >= PER_WEEK:
            what = f"{row.template} is text {week + 1} of the seven days to {day}"
            self.note("caps are kept", person, made.at, what)
        counted[day] += 1

    def _once(self, made: Made, person: Person, row: Any) -> None:
        before = self._sids.get(made.message_id)
        if before is not None and self.network.ledger[before].status not in _NEVER_ARRIVED:
            what = f"{row.template} {row.step} {row.occurrence} round {row.round} went twice"
            self.note("one text per occurrence and round", person, made.at, what)
        self._sids[made.message_id] = made.sid
        line = self._lines[person.number]
        # Two visits that the desk books for one minute are told one by one, in the same words.
        words = (made.body, row.visit)
        last = line.last.get(words)
        soon = last is not None and made.at - last < _TWICE_WITHIN
        if before is None and soon and row.kind == "started":
            what = f"the words of {row.template} went twice within ten minutes"
            self.note("one text per occurrence and round", person, made.at, what)
        line.last[words] = made.at

    def _stop(self, made: Made, person: Person, row: Any) -> None:
        stopped = self._lines[person.number].stopped_at
        if stopped is None or made.place < stopped:
            return
        if row.kind != "safety" and row.template not in _AFTER_A_STOP:
            self.note("no text after a stop", person, made.at, f"{row.template} ({row.kind})")

    def _words(self, made: Made, person: Person, row: Any) -> None:
        own = OWN_WORDS.get((row.template, person.language))
        if own is not None and own not in made.body:
            what = f"{row.template} goes in other words than the clinic's"
            self.note("in the clinic's own words", person, made.at, what)

    # --- at the end ---

    def end(self, now: datetime) -> None:
        """Judge the rows, the items and the replies when the run is over."""
        self._rows(now)
        self.items(now)
        self._replies(now)
        for text in self.phones.written.values():
            if text.said.trouble is Trouble.SAFETY and text.stored_at is not None:
                self._safety(text, text.stored_at, now)

    def _rows(self, now: datetime) -> None:
        for row in self.own.rows(_UNENDED, now=now):
            person = self.desk.people.get(row.patient_id)
            what = (
                f"{row.template}, due {row.due_at:%Y-%m-%d %H:%M}Z, is {row.status} ({row.reason})"
            )
            self.note("every row ends with a reason", person, now, what)

    def items(self, now: datetime) -> None:
        """Judge the items that are open, each once."""
        for row in self.own.rows(_UNOWNED, now=now):
            if row.id in self._unowned:
                continue
            self._unowned.add(row.id)
            person = self.desk.people.get(row.patient_id)
            lacks = "clock that runs" if row.stopped else "owner, and nobody was called to it"
            what = f"item {row.reason} ({row.severity}) has no {lacks}"
            self.note("every item has an owner and a clock", person, now, what)

    def _replies(self, now: datetime) -> None:
        found = {row.sid: row for row in self.own.rows(_REPLIES)}
        for sid, text in self.phones.written.items():
            row = found.get(sid)
            if now - text.at < timedelta(minutes=10):
                continue
            if row is None or row.handled_at is None:
                what = f'"{text.said.words}" is {"not stored" if row is None else "not handled"}'
                self.note("no reply is lost", text.person, text.at, what)

    def _safety(self, text: Written, stored_at: datetime, now: datetime) -> None:
        if now - stored_at < _ANSWERED_WITHIN:
            return
        patient_id = self.desk.patients[text.person.number]
        [row] = self.own.rows(
            _SAFETY,
            patient=patient_id,
            at=stored_at,
            until=stored_at + _ANSWERED_WITHIN,
            before=stored_at - _SAME_CRISIS,
        )
        if not row.answered:
            self.note("no safety text unanswered", text.person, stored_at, f'"{text.said.words}"')
        if not row.paged:
            self.note("no safety text unpaged", text.person, stored_at, f'"{text.said.words}"')


def _is_tomorrow(at: datetime, booking: Booking, person: Person) -> bool:
    zones = (ZONE, ZoneInfo(person.zone))
    return any(
        booking.starts_at.astimezone(zone).date() - at.astimezone(zone).date() == timedelta(days=1)
        for zone in zones
    )


def _is_safe(local: datetime, person: Person) -> bool:
    opens, _, closes = person.safe_hours.partition("-")
    return not opens or opens <= f"{local:%H:%M}" < closes


def is_its_time(name: str, at: datetime, booking: Booking, person: Person) -> bool:
    """Whether "tonight" is that of the dose, and "good morning" is said the morning after it."""
    if booking.left_at is None:
        return False
    home = ZoneInfo(person.zone)
    days = {
        at.astimezone(zone).date() - booking.left_at.astimezone(zone).date()
        for zone in (ZONE, home)
    }
    if name in _THE_SAME_EVENING:
        return days == {timedelta()} and at.astimezone(ZONE).hour >= _EVENING
    return days == {timedelta(days=1)} and at.astimezone(home).hour < _NOON


_UNENDED = """
    SELECT patient_id, template, due_at, status, reason FROM message
    WHERE CASE
        WHEN status = 'planned' THEN next_at < %(now)s - interval '5 minutes'
        WHEN status IN ('claimed', 'submitting', 'unknown')
            THEN submitted_at IS NULL OR submitted_at < %(now)s - interval '8 hours'
        WHEN status IN ('accepted', 'sent')
            THEN final_at IS NULL AND accepted_at < %(now)s - interval '74 hours'
        WHEN status = 'delivered' THEN final_at IS NULL
        ELSE final_at IS NULL OR reason IS NULL
    END
    ORDER BY due_at, template
"""
# An item is somebody's from when it is due: who took it, or who was called to it; those of the
# digest stand in everybody's.
_UNOWNED = """
    SELECT id, patient_id, reason, severity,
           climbs_at IS NULL OR climbs_at < %(now)s - interval '5 minutes' AS stopped
    FROM follow_up f
    WHERE status <> 'resolved'
      AND (climbs_at IS NULL OR climbs_at < %(now)s - interval '5 minutes'
           OR (due_at < %(now)s - interval '5 minutes' AND severity <> 'digest'
               AND (snoozed_until IS NULL OR snoozed_until < %(now)s)
               AND owner_id IS NULL AND taken_by IS NULL
               -- What can wait waits for the opening after closed days, and no longer.
               AND (severity = 'page_now' OR climbs_at > %(now)s + interval '4 days')
               AND NOT EXISTS (SELECT 1 FROM page p WHERE p.follow_up_id = f.id)))
    ORDER BY opened_at, reason
"""
_REPLIES = "SELECT sid, handled_at FROM inbound"
_SAFETY = """
    SELECT
    EXISTS (SELECT 1 FROM message m JOIN attempt t ON t.message_id = m.id
            WHERE m.patient_id = %(patient)s AND m.kind = 'safety'
              AND t.intent_at BETWEEN %(before)s AND %(until)s) AS answered,
    EXISTS (SELECT 1 FROM page p JOIN follow_up f ON f.id = p.follow_up_id
            JOIN page_delivery d ON d.page_id = p.id
            WHERE f.patient_id = %(patient)s AND f.severity = 'page_now'
              AND d.accepted_at IS NOT NULL AND p.at BETWEEN %(at)s AND %(until)s) AS paged
"""
