"""Conversations as tables: when, who, what they write | what it is read as | heard | put before us.

    [yes, then another time: a visit in a week]
    10:05 | Ana | C          | confirm            | confirm_ack |
    10:35 | Ana | R          | decline_reschedule | change_ack  | change_requested
    10:35 | --  | the record | to be changed      |             |

After the colon stands what Ana was asked before, at 10:00 or at 17:00. All conversations happen on
one Tuesday in one town (`tests.stories.town`), each on phones of its own, so that none may touch
another: the day is played once, in the order of its minutes. A text is known by its wording.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from messages.binding import scale_of
from records import patients
from records.appointments import Appointment
from records.base import Session
from records.checkins import CheckIn
from records.followups import FollowUp
from records.inbox import Inbound
from records.patients import Patient
from tests.stories.table import Line, read, words_of
from tests.stories.town import Story
from tests.support.world import (
    ALL_PURPOSES,
    NUMBER,
    make_clinic,
    make_due,
    make_patients,
    make_visits,
    phone_of,
)
from tests.worker.desk import at
from worker.steps import consents

#: Another clinic of the same town, which has texted Ana as well.
ASHORE = "+12125550112"
_DAY = "2026-12-01"
BEGINS = f"{_DAY} 09:50"
_ASKED_AT = ("10:00", "17:00")
_A_WHILE = timedelta(seconds=40)
_NAME = re.compile(r"^\[(.+): (.+)\]\n", re.MULTILINE)
_CHATTER = (
    "Hi, the weekend was fine. My sister came over with the kids and we made soup and bread. "
    "On Sunday we went to the market and then to see the ducks at the lake. "
    "It rained a little in the evening so we watched a film and went to bed early. "
)
#: What cannot stand in a cell.
_LONG = {
    "1,600 letters": (_CHATTER * 7)[:1600],
    "1,600 letters that end in a plea": f"{(_CHATTER * 7)[:1583]}i want to die now",
    "nothing": "",
}


def sections() -> Iterator[tuple[str, str, str]]:
    """Yield the table's conversations: name, what was asked before, lines."""
    text = (Path(__file__).parent / "conversations.txt").read_text("utf-8")
    _, *found = _NAME.split(text)
    return zip(found[::3], found[1::3], found[2::3], strict=True)


@dataclass(kw_only=True)
class Conversation:
    """One section while it is played: whose phones, and what has been seen of them so far."""

    name: str
    after: str
    lines: list[Line]
    number: int
    played: list[Line] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    inbound: set[UUID] = field(default_factory=set)
    items: set[UUID] = field(default_factory=set)

    def came(self, opened: str) -> tuple[str, str]:
        """Return what was heard since the last line, and the items opened."""
        heard, self.heard = ", ".join(self.heard), []
        return heard, opened

    @cached_property
    def phones(self) -> Mapping[str, str]:
        """Each person's number, by name."""
        return {
            "Ana": phone_of(self.number),
            "Eve": f"+1{201 + self.number}5550177",
            "robot": f"{72000 + self.number}",
        }


@dataclass(kw_only=True)
class Day:
    """A Tuesday in town on which all conversations take place."""

    story: Story
    conversations: list[Conversation]
    ashore: UUID = field(init=False)
    entries: int = 0

    @classmethod
    def of(cls, story: Story) -> "Day":
        """Return the day of the table, not yet begun."""
        told = [
            Conversation(name=name, after=after, lines=read(table), number=number)
            for number, (name, after, table) in enumerate(sections())
        ]
        return cls(story=story, conversations=told)

    def play(self) -> dict[str, list[Line]]:
        """Play the day; return each conversation with what really came of each of its lines.

        All that is written in one minute comes in before any of it is handled.
        """
        self._begin()
        lines = sorted(self._lines(), key=itemgetter(0))
        for minute, found in groupby(lines, key=itemgetter(0)):
            self._reach(minute)
            self._play([(each, line) for _, each, line in found])
        return {each.name: each.played for each in self.conversations}

    def _lines(self) -> Iterator[tuple[str, Conversation, Line]]:
        for each in self.conversations:
            times = [line[0] for line in each.lines]
            assert times == sorted(times), each.name
            yield from ((line[0], each, line) for line in each.lines)

    # --- before the day ---

    def _begin(self) -> None:
        world = self.story.world
        world.publish_protocols()
        with world.database.transaction() as session:
            self.ashore, _ = make_clinic(session, key="ashore", number=ASHORE)
        for each in self.conversations:
            _ASKED[each.after](self.story, each)
        with world.database.transaction() as session:
            both = next(each for each in self.conversations if "two clinics" in each.name)
            phone = both.phones["Ana"]
            make_patients(session, world.vault, self.ashore, 1, first=900, phone=phone)

    def _reach(self, minute: str) -> None:
        """Let it become this minute of the day, after what was asked at 10:00 and at 17:00."""
        for each in (*_ASKED_AT, minute):
            if each <= minute:
                self._until(at(f"{_DAY} {each}"))

    def _until(self, then: datetime) -> None:
        """Let it become an instant; the hours without a text are not lived through."""
        if then > self.story.world.now:
            self.story.world.set(then)
            self.story.settles()

    # --- the day ---

    def _play(self, found: Sequence[tuple[Conversation, Line]]) -> None:
        """Play the lines of one minute; what is heard and opened stands at each one's last."""
        self._listen()
        for each in self.conversations:
            if not each.played:
                each.heard.clear()
        texts = [self._writes(each, *line[1:3]) for each, line in found]
        self.story.settles()
        # What was busy or put off is looked at again.
        self._until(self.story.world.now + _A_WHILE)
        self._listen()
        last = {each.name: number for number, (each, _) in enumerate(found) if texts[number]}
        for number, ((each, line), sid) in enumerate(zip(found, texts, strict=True)):
            read_as = self._read_as(each, sid) if sid else self._does(each, line[2])
            came = each.came(self._opened(each)) if last.get(each.name) == number else ("", "")
            each.played.append((*line[:3], read_as, *came))

    def _writes(self, each: Conversation, who: str, what: str) -> str:
        """Have somebody write; return the carrier's SID. Nobody does where it is no text."""
        if who == "--":
            return ""
        name, _, where = who.partition(" to ")
        media = ["https://phones.test/1.jpg"] if what == "a picture" else []
        body = "" if media else _LONG.get(what, what.encode().decode("raw_unicode_escape"))
        to = ASHORE if where == "Ashore" else NUMBER
        return self.story.posts(each.phones[name], body, to=to, media=media)

    def _read_as(self, each: Conversation, sid: str) -> str:
        with self.story.world.database.transaction() as session:
            row = session.scalars(select(Inbound).where(Inbound.sid == sid)).one()
        assert row.handled_at is not None, "every text is handled"
        each.inbound.add(row.id)
        said = f"{row.intent} {row.value}" if row.value else str(row.intent)
        return " + ".join((said, *row.also))

    def _does(self, each: Conversation, what: str) -> str:
        """Do what a line says that is no text; return what it shows."""
        return _DEEDS[what](self.story, each)

    def _listen(self) -> None:
        """Hand out what the carrier took for each phone since it was last asked."""
        of_phone = {phone: each for each in self.conversations for phone in each.phones.values()}
        for entry in self.story.lab.api("GET", f"/log?since={self.entries}")["entries"]:
            self.entries = max(self.entries, entry["seq"])
            each = of_phone.get(entry.get("to", ""))
            if each is not None and entry["kind"] in {"create", "auto-reply", "blocked"}:
                name = next(who for who, phone in each.phones.items() if phone == entry["to"])
                said = words_of(entry)
                each.heard.append(said if name == "Ana" else f"{name}: {said}")

    def _opened(self, each: Conversation) -> str:
        """Return the reasons of the items that are new since the conversation's last line."""
        mine = set(_patients(self.story, each))
        found = []
        for item in self.story.talk.rows(FollowUp):
            theirs = item.patient_id in mine or item.source_id in each.inbound
            if theirs and item.id not in each.items:
                each.items.add(item.id)
                ashore = " ashore" if item.clinic_id == self.ashore else ""
                found.append(f"{item.reason}{ashore}")
        return ", ".join(found)


# --- what was asked before -----------------------------------------------------------------------


def _nothing(story: Story, each: Conversation) -> None:
    story.world.admit(phone=each.phones["Ana"])


def _a_visit(story: Story, each: Conversation) -> None:
    """Ask at 10:00 whether a visit in a week stands."""
    world = story.world
    starts_in = at("2026-12-08 10:00") - world.now
    world.book(starts_in=starts_in, patient={"phone": each.phones["Ana"]})


def _a_number(story: Story, each: Conversation, **more: str) -> None:
    """Ask at 17:00 for a number from 0 to 10."""
    story.world.enroll_by_hand(phone=each.phones["Ana"], **more)


def _a_number_in_spanish(story: Story, each: Conversation) -> None:
    _a_number(story, each, language="es")


def _a_visit_last_month(story: Story, each: Conversation) -> None:
    """Have asked a month ago about a visit that was three weeks ago; it was never answered."""
    world, phone = story.world, each.phones["Ana"]
    asked_at, starts_at = world.now - timedelta(days=30), world.now - timedelta(days=23)
    person = world.admit(phone=phone)
    with world.database.transaction() as session:
        visits = make_visits(
            session, world.vault, world.clinic_id, [person], starts_at, status="fulfilled"
        )
        make_due(
            session,
            world.clinic_id,
            world.sender_id,
            [person],
            visits,
            due_at=asked_at,
            starts_at=starts_at,
            status="delivered",
            attempts=1,
            accepted_at=asked_at,
            submitted_at=asked_at,
            final_at=asked_at,
            reviewed_at=asked_at,
        )


_ASKED: Mapping[str, Callable[[Story, Conversation], None]] = {
    "nothing": _nothing,
    "a visit in a week": _a_visit,
    "a number": _a_number,
    "a number, in Spanish": _a_number_in_spanish,
    "a visit of last month": _a_visit_last_month,
}


# --- what happens beside texts -------------------------------------------------------------------


def _the_record(story: Story, each: Conversation) -> str:
    """Return in words what the record of the clinic says."""
    world, number = story.world, each.phones["Ana"]
    blind = world.vault.blind("phone", number)
    with world.database.transaction() as session:
        stopped = patients.opted_out(session, clinic_id=world.clinic_id, blind=blind)
        [ana] = patients.on_number(session, clinic_id=world.clinic_id, blind=blind)
        said = [_answer(row) for row in _of(session, CheckIn, ana) if scale_of(row.context)]
        for visit in _of(session, Appointment, ana):
            said += ["to be changed"] if visit.change_requested_at else []
            said += ["confirmed"] if visit.confirmed_start == visit.starts_at else []
    said += ["held"] if ana.status == "held" else []
    said += ["check-ins rest"] if ana.paused_until else []
    said += ["stopped"] if stopped else []
    if set(ana.purposes) != set(ALL_PURPOSES):
        left = [purpose for purpose in ALL_PURPOSES if purpose in ana.purposes]
        said += [f"agrees to {', '.join(left) or 'nothing'}"]
    return "; ".join(said)


def _of(session: Session, model: Any, person: Patient) -> list[Any]:
    found = session.scalars(select(model).where(model.patient_id == person.id))
    return list(found)


def _answer(row: CheckIn) -> str:
    return row.status if row.value is None else f"{row.value} {row.status}"


def _staff_revoke(story: Story, each: Conversation) -> str:
    """Have staff note that Ana wants no texts any more, as she said on the phone."""
    services, [ana] = story.world.services, _patients(story, each)
    consents.revoke(services, ana, purposes=ALL_PURPOSES, method="phone", actor="desk")
    return ""


def _patients(story: Story, each: Conversation) -> list[UUID]:
    blind = story.world.vault.blind("phone", each.phones["Ana"])
    found = story.world.execute("SELECT id FROM patient WHERE phone_blind = :blind", blind=blind)
    return [row.id for row in found]


_DEEDS: Mapping[str, Callable[[Story, Conversation], str]] = {
    "the record": _the_record,
    "staff revoke her consent": _staff_revoke,
}
