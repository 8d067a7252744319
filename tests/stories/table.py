"""Stories as tables: when, who, what they do | what is heard | who is paged | what is open.

    Tue 10:00 | Ana | I want to kill myself | Ana crisis_reply | sam call mail text | crisis
    Tue 10:04 | Sam | 1                     |                  | sam text           | crisis of sam
    Tue 10:30 |     |                       |                  | sam call mail text | crisis of sam

They lie beside this module, one file a rule, with a section for each situation: day or night, with
somebody on call or nobody. A line is played by letting it become that time, everything happening on
the way that is due, and then doing what it says. What it shows is what left since the line before,
by the carrier's log and the mail server, never by our own rows. A text is known by its wording; one
in Spanish says so; one that the carrier refused, since its receiver had opted out, is in brackets.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from messages.templates import shipped
from records.casework import staff_by_id
from records.followups import FollowUp
from tests.stories.town import PAT, Make, Story
from tests.support.world import phone_of
from tests.worker.desk import NEW_YORK, at
from tests.worker.duty import KIM, SAM
from worker.steps import followup_actions as actions

ANA, BEN, STRANGER = phone_of(0), phone_of(1), "+12125550177"
PHONES = {"Ana": ANA, "Ben": BEN, "Eve": STRANGER, "Sam": SAM, "Kim": KIM, "Pat": PAT}
_NAMES = {number: name for name, number in PHONES.items()}
_STAFF = {SAM: "sam", KIM: "kim", PAT: "pat"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: Noon of a Monday, after the week's test page: "Tue" is the next day, December 1.
MONDAY = datetime(2026, 11, 30, 12, 0, tzinfo=NEW_YORK)

Line = tuple[str, ...]
Deed = Callable[[Story], object]


def situations(name: str) -> pytest.MarkDecorator:
    """Return the sections of a file of tables, as `situation` and `table` of a test."""
    text = (Path(__file__).parent / f"{name}.txt").read_text("utf-8")
    _, *sections = re.split(r"^\[(.+)\]\n", text, flags=re.MULTILINE)
    pairs = list(zip(sections[::2], sections[1::2], strict=True))
    return pytest.mark.parametrize(("situation", "table"), pairs, ids=sections[::2])


def begins(make: Make, situation: str, table: str, **more: Any) -> Story:
    """Make the town of a table, at its first line's time: two patients, a desk and a clinician."""
    [first, *_] = read(table)
    story = make(at_time(first[0], MONDAY), **more)
    story.talk.someone(2)
    if "nobody" in situation:
        story.nobody_on_call()
    story.staff("doc@clinic.test", "clinician")
    story.staff("desk@clinic.test")
    return story


def at_time(when: str, since: datetime) -> datetime:
    """Return the first `Tue 10:00` of the clinic's clock that is not before an instant."""
    day, _, clock = when.partition(" ")
    since = since.astimezone(NEW_YORK).replace(second=0, microsecond=0)
    found = at(f"{since:%Y-%m-%d} {clock}")
    while _DAYS[found.weekday()] != day or found < since:
        found += timedelta(days=1)
    return found


@dataclass(kw_only=True)
class Table:
    """What has been shown so far of a story's carrier and post; `deeds` are what may happen."""

    story: Story
    deeds: Mapping[str, Deed] = field(default_factory=dict)
    entries: int = 0
    letters: int = 0
    rung: set[str] = field(default_factory=set)

    def played(self, table: str) -> list[Line]:
        """Play a table; return it with what came of each line."""
        return [self._play(*line[:3]) for line in read(table)]

    def _play(self, when: str, who: str, what: str) -> Line:
        self.story.until(at_time(when, self.story.world.now))
        refused = self._does(who, what) if who else ""
        heard, paged = self._new()
        return when, who, what, refused or heard, paged, self._open()

    def _does(self, who: str, what: str) -> str:
        if what in self.deeds:
            said = self.deeds[what](self.story)
            self.story.settle()
            return said if isinstance(said, str) else ""
        if who in PHONES:
            self.story.writes(PHONES[who], what)
            return ""
        return self._acts(f"{who}@clinic.test", what)

    def _acts(self, email: str, what: str) -> str:
        """Do something on the one item that is a page; return why it may not be done."""
        services, item = self.story.world.services, self.story.item
        actor = actions.actor_by_email(services, email, item.id)
        deed, _, more = what.partition(" ")
        # They have just loaded the page of it.
        seen = item.times_joined
        try:
            if deed == "takes":
                actions.take(services, item.id, actor=actor)
            elif deed == "ends":
                actions.resolve(services, item.id, outcome=more, actor=actor, seen=seen)
            elif deed == "waits":
                until = services.now + timedelta(minutes=int(more))
                actions.snooze(services, item.id, until=until, actor=actor, seen=seen)
            else:
                raise AssertionError(what)
        except actions.FollowUpActionError as error:
            return type(error).__name__.removesuffix("Error")
        self.story.settle()
        return ""

    # --- what came of it ---

    def _new(self) -> tuple[str, str]:
        """Return what patients heard and how staff were paged since the last line."""
        heard: list[str] = []
        paged: defaultdict[str, set[str]] = defaultdict(set)
        for entry in self.story.lab.api("GET", f"/log?since={self.entries}")["entries"]:
            self.entries = max(self.entries, entry["seq"])
            name, kind = _STAFF.get(entry.get("to", "")), entry["kind"]
            if kind == "create" and name:
                paged[name].add("text")
            elif kind == "call" and name and entry["url"] not in self.rung:
                # A page that nobody picks up for rings again; it is the same page.
                self.rung.add(entry["url"])
                paged[name].add("call")
            elif kind in {"create", "auto-reply", "blocked"}:
                heard.append(f"{_NAMES.get(entry['to'], entry['to'])} {words_of(entry)}")
        for recipient, letter in self.story.box.letters[self.letters :]:
            digest = "the day's open items" in letter["Subject"].replace("\r\n", "")
            paged[recipient.partition("@")[0]].add("digest" if digest else "mail")
        self.letters = len(self.story.box.letters)
        pages = [" ".join((who, *sorted(how))) for who, how in sorted(paged.items())]
        return ", ".join(heard), ", ".join(pages)

    def _open(self) -> str:
        found = []
        for item in self.story.talk.rows(FollowUp):
            if item.status != "resolved":
                owner = self._owner(item)
                found.append(f"{item.reason} of {owner}" if owner else item.reason)
        return ", ".join(sorted(found))

    def _owner(self, item: FollowUp) -> str:
        if item.owner_id is None:
            return (item.taken_by or "").partition("@")[0]
        with self.story.world.database.transaction() as session:
            staff = staff_by_id(session, item.owner_id)
            return staff.email.partition("@")[0] if staff else ""


def played(story: Story, table: str, **deeds: Deed) -> str:
    """Play a table; return it with what really came of each line, to be held against `as_told`.

    `deeds` are what happens beside texts, by a line such as `Tue 10:00 | -- | the deed`; words that
    one returns stand in the column of what is heard.
    """
    known = {name.replace("_", " "): deed for name, deed in deeds.items()}
    return shown(Table(story=story, deeds=known).played(table))


def as_told(table: str) -> str:
    """Return a table as `played` writes it."""
    return shown(read(table))


def read(table: str) -> list[Line]:
    """Return a table's lines, six columns each."""
    lines = [line for line in table.splitlines() if line.strip() and not line.startswith("#")]
    split = [tuple(cell.strip() for cell in line.split("|")) for line in lines]
    assert all(len(line) == 6 for line in split), split
    return split


def shown(lines: list[Line]) -> str:
    """Return lines as a table again, so that a difference is seen at once."""
    return "\n".join(" | ".join(line).rstrip() for line in lines)


def words_of(entry: dict[str, str]) -> str:
    """Return which text an entry of the carrier's log is; in brackets, if the carrier kept it."""
    words = "the carrier's own" if entry["kind"] == "auto-reply" else wording(entry["body"])
    return f"({words})" if entry["kind"] == "blocked" else words


#: How to stop, as it stands at the end of one text in 30 days (care rule 30).
_FOOTER = re.compile(r"STOP (?:ends texts|to end|termina textos|termina)(?:\. [\d-]+)?$")


def wording(body: str) -> str:
    """Return which text of the catalogue this is, by its words alone."""
    plain = _FOOTER.sub("", body).removesuffix(" ")
    bodies = dict.fromkeys((body, plain, plain.removesuffix(".")))
    found = [name for each in bodies for name, known in _patterns() if known.fullmatch(each)]
    return found[0] if found else body


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The catalogue's texts, those with the most words of their own first."""
    return tuple(
        (name, re.compile(pattern))
        for _, name, pattern in sorted(_wordings(), key=lambda each: each[0], reverse=True)
    )


def _wordings() -> Iterator[tuple[int, str, str]]:
    for key, template in shipped().templates.items():
        if key == "staff_text":
            continue  # What staff write could be any text at all.
        for language, worded in template.wordings.items():
            parts = re.split(r"\{[a-z_]+\}", worded.text)
            name = key if language == "en" else f"{key} [{language}]"
            yield sum(map(len, parts)), name, ".+".join(map(re.escape, parts))
