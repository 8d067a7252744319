"""What a coordinator reads beside a visit that is still ahead: what is ready (care rule 27)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from messages.reading import Topic
from records.appointments import Appointment
from records.board import AboutVisit, Number
from records.patients import Patient
from web import wording

GOOD, WARN, BAD, QUIET = "good", "warn", "bad", "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that is known, or is not, before a visit; the words carry the meaning."""

    words: str
    tone: str = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """How a text is called, and what yes and no to it mean for the visit."""

    name: str
    yes: Fact | None = None
    no: Fact | None = None


_ASKED: Mapping[Topic, _Asked] = MappingProxyType(
    {
        Topic.FOOD: _Asked(name="Food text"),
        Topic.RIDE: _Asked(
            name="Ride home",
            yes=Fact(words="Ride home: yes", tone=GOOD),
            no=Fact(words="Ride home: no", tone=BAD),
        ),
        Topic.HEALTH: _Asked(
            name="Health news",
            yes=Fact(words="Health news: yes", tone=BAD),
            no=Fact(words="Health news: none", tone=GOOD),
        ),
        Topic.HOME: _Asked(
            name="Ready at home",
            yes=Fact(words="Ready at home: yes", tone=GOOD),
            no=Fact(words="Ready at home: no", tone=BAD),
        ),
    }
)
_YES, _NO = "confirm", "decline_reschedule"


def facts(
    visit: Appointment,
    who: Patient,
    texts: Sequence[AboutVisit],
    numbers: Sequence[Number],
    *,
    topic_of: Callable[[str], Topic | None],
    now: datetime,
) -> list[Fact]:
    """Give what is known of a visit, in the order in which somebody asks for it."""
    found = [*_held(who, now), _confirmed(visit)]
    for topic, asked in _ASKED.items():
        mine = [each for each in texts if topic_of(each.template) is topic]
        if mine:
            found.append(_told(asked, mine))
    if visit.kind == "dosing":
        found.append(_numbers(numbers))
    return found


def _held(who: Patient, now: datetime) -> Iterator[Fact]:
    if who.status == "closed":
        yield Fact(words="Record closed", tone=BAD)
    elif who.status == "held" and (who.held_until is None or who.held_until > now):
        yield Fact(words=f"On hold: {wording.named({}, who.status_reason).lower()}", tone=BAD)


def _confirmed(visit: Appointment) -> Fact:
    if visit.change_requested_at is not None:
        return Fact(words="Wants another time", tone=BAD)
    if visit.confirmed_start == visit.starts_at:
        return Fact(words="Confirmed", tone=GOOD)
    return Fact(words="Not confirmed", tone=WARN)


def _told(asked: _Asked, texts: Sequence[AboutVisit]) -> Fact:
    """Say what was answered, else whether a text arrived, else how the last one stands."""
    for each in reversed(texts):
        answer = {_YES: asked.yes, _NO: asked.no}.get(each.answer or "")
        if answer is not None:
            return answer
    delivered = [each for each in texts if each.status == "delivered"]
    if delivered:
        if asked.yes is None:
            return Fact(words=f"{asked.name}: delivered", tone=GOOD)
        return Fact(words=f"{asked.name}: asked, no answer yet", tone=WARN)
    last = texts[-1]
    status = wording.named(wording.STATUSES, last.status).lower()
    reason = wording.why(last.reason, last.error_code) if last.reason else ""
    ended = wording.TONES.get(last.status) is not None
    return Fact(
        words=f"{asked.name}: {status}" + (f" ({reason.rstrip('.')})" if ended and reason else ""),
        tone=BAD if ended else QUIET,
    )


def _numbers(numbers: Sequence[Number]) -> Fact:
    if not numbers:
        return Fact(words="No numbers since the last dose")
    told = ", ".join(f"{wording.named({}, one.item)} {one.value}" for one in numbers)
    return Fact(words=f"Since the last dose: {told}")
