"""From a received text to what it means, and to what must happen in the storing transaction.

The storing transaction hears a text; the replies step hears it again only if that failed. Hearing
is pure: `worker.replying.arriving` brings what the database knows around a text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from messages import meant_unasked, replies
from messages.binding import APPOINTMENT, scale_of
from messages.lexicon import Lexicon, lexicon
from messages.reading import Topic
from messages.replies import Intent, OpenPrompt, Reading, Severity
from messages.templates import shipped
from records.arrivals import Told, Writer
from records.base import Session
from records.conversation import Prompt
from records.inbox import Inbound
from worker.replying import stopping
from worker.replying.corrected import corrects
from worker.replying.stopping import StopReason
from worker.services import Services

SAFETY = frozenset({Intent.crisis, Intent.overdose, Intent.medical_emergency})

# Care rule 18: "I want to" and "die" are one text.
JOINED_WITHIN = timedelta(minutes=3)
# So many texts and letters before are read along, the newest: a number that sends thousands costs
# nobody else their minutes.
JOINED_TEXTS, _JOINED_LETTERS = 10, 1600
# These are the words that an already answered C or R prompt may still explain (care rule 1).
_MAY_BE_CHANGED = frozenset(
    {Intent.confirm, Intent.decline_reschedule, Intent.running_late, Intent.unclear}
)
_OF_A_VISIT = frozenset({Intent.confirm, Intent.decline_reschedule})
# What the carrier calls a stop by itself; with Advanced Opt-Out it says so in OptOutType.
_CARRIER_STOP = "STOP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A text before it is read. `id` is that of its row, also before the row is there."""

    id: UUID
    clinic_id: UUID
    blind: bytes
    body: str = field(repr=False)
    received_at: datetime
    opt_out_type: str | None = None

    @property
    def writer(self) -> Writer:
        """Who wrote, as the clinic knows the number."""
        return self.clinic_id, self.blind


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a text is read with.

    `language` is that of the oldest patient on the number, `prompts` what they may be answering,
    `topics` what our texts were about, `earlier` and `later` what the number wrote within
    `JOINED_WITHIN` before and after, urgent texts left out, `ours` what we texted it, if any of
    these quotes something, and `words` the word lists with the clinic's own.
    """

    language: str = "en"
    prompts: Sequence[Prompt] = ()
    topics: frozenset[Topic] = frozenset()
    earlier: Sequence[str] = field(default=(), repr=False)
    later: Sequence[str] = field(default=(), repr=False)
    ours: Sequence[str] = field(default=(), repr=False)
    words: Lexicon = field(default_factory=lexicon)


def hear(text: Received, around: Around) -> Reading:
    """Return what a text means, bound to the prompt it answers.

    Raises what the pure reading raises; the caller keeps the raw text all the same.
    """
    open_now, answered = open_prompts(_as_seen(around.prompts, text.received_at))
    settled = [prompt for prompt in answered if prompt.context == APPOINTMENT]
    reading = _corrected(text, around, [*open_now, *(p for p in answered if scale_of(p.context))])
    if reading is None:
        reading = _read(text.body, open_now, around)
    later = settled_later(open_now, answered) if reading.intent in _OF_A_VISIT else []
    if settled and (reading.prompt_id is None or later) and reading.intent in _MAY_BE_CHANGED:
        again = _read(text.body, [*open_now, *(later or settled)], around)
        reading = again if again.prompt_id or again.ambiguous else reading
    if (around.earlier or around.later) and not _is_safety(reading):
        reading = _joined(text, reading, around)
    return _with_carrier(reading, text.opt_out_type)


def _read(body: str, prompts: Iterable[Prompt], around: Around, *, joined: bool = False) -> Reading:
    return replies.read(
        body,
        prompts=as_read(prompts),
        language=around.language,
        words=around.words,
        ours=around.ours,
        joined=joined,
        topics=around.topics,
        number_given=any(each.answered and scale_of(each.context) for each in around.prompts),
    )


def topics_of(prompts: Iterable[Prompt], told: Told) -> frozenset[Topic]:
    """Return what our texts were about that an answer may be to: questions, and the last texts.

    Danger is what we answered as long as a clinician has not ended it, whatever went out since.
    What a protocol makes a question of is answered as one.
    """
    asked = {_topic_of(each.template) for each in prompts} - meant_unasked.SAID.keys()
    last = {_topic_of(each) for each in told.templates} & meant_unasked.SAID.keys()
    found = asked | (last - {Topic.DANGER}) | ({Topic.DANGER} if told.danger is not None else set())
    return frozenset(topic for topic in found if topic is not None)


def _topic_of(template: str) -> Topic | None:
    written = shipped().templates.get(template)
    return written.topic if written is not None else None


def _corrected(text: Received, around: Around, asked: Sequence[Prompt]) -> Reading | None:
    """Read a text that corrects a number with the questions just answered as well."""
    if not any(prompt.answered for prompt in asked) or not corrects(text.body):
        return None
    reading = _read(text.body, asked, around)
    bound = reading.prompt_id is not None or reading.ambiguous
    return reading if bound and reading.intent is Intent.score else None


def open_prompts(prompts: Iterable[Prompt]) -> tuple[list[Prompt], list[Prompt]]:
    """Return, of a number's prompts, those that are unanswered, and those to change or correct.

    A nudge repeats its question, and several texts ask to confirm one visit: each counts once, by
    the newest text that asked it.
    """
    groups: dict[tuple[object, ...], list[Prompt]] = {}
    for prompt in prompts:
        groups.setdefault(_question_of(prompt), []).append(prompt)
    fresh, settled = [], []
    for asked in map(_about_now, groups.values()):
        unanswered = [prompt for prompt in asked if not prompt.answered]
        if unanswered:
            fresh.append(unanswered[-1])
        else:
            settled.append(asked[-1])
    return fresh, settled


def settled_later(open_now: Sequence[Prompt], answered: Sequence[Prompt]) -> list[Prompt]:
    """Return the answered questions about visits that were asked after all that are still open.

    A second C, or the R that takes it back, speaks of what was asked last, answered or not.
    """
    last = max((p.asked_at for p in open_now if p.context == APPOINTMENT), default=None)
    return [p for p in answered if p.context == APPOINTMENT and last and p.asked_at > last]


def _as_seen(prompts: Sequence[Prompt], at: datetime) -> list[Prompt]:
    """Leave out when a text was seen if its delivery was told only after the reply came.

    It may have crossed the reply, which then answers another.
    """
    return [
        replace(prompt, seen_at=None) if prompt.seen_at and prompt.seen_at > at else prompt
        for prompt in prompts
    ]


def _about_now(asked: list[Prompt]) -> list[Prompt]:
    """Leave out what asked about an earlier start of a visit, once a text has named the present.

    A question about a time that no longer holds is not what C or R answer then, answered or not.
    """
    present = [prompt for prompt in asked if prompt.anchor_at == prompt.starts_at]
    of_visit = asked[0].context == APPOINTMENT and asked[0].appointment_id is not None
    return present if of_visit and present else asked


def _question_of(prompt: Prompt) -> tuple[object, ...]:
    if prompt.context == APPOINTMENT and prompt.appointment_id is not None:
        return (APPOINTMENT, prompt.appointment_id)
    return (prompt.enrollment_id or prompt.message_id, prompt.question, prompt.occurrence)


def as_read(prompts: Iterable[Prompt]) -> tuple[OpenPrompt, ...]:
    """Return prompts as the pure reading takes them."""
    return tuple(
        OpenPrompt(
            id=str(prompt.message_id),
            context=prompt.context,
            asked_at=prompt.asked_at,
            until=prompt.until,
            subject=str(prompt.appointment_id) if prompt.appointment_id else None,
            seen_at=prompt.seen_at,
            topic=_topic_of(prompt.template),
        )
        for prompt in prompts
    )


def _is_safety(reading: Reading) -> bool:
    return reading.intent in SAFETY or bool(SAFETY & set(reading.also))


def is_urgent(reading: Reading) -> bool:
    """Return whether this text goes before all others and pages."""
    return reading.urgent or reading.severity is Severity.page_now or _is_safety(reading)


def _joined(text: Received, reading: Reading, around: Around) -> Reading:
    """Read the last minutes' texts as one: danger may be spread over several of them."""
    said = [*_newest(around.earlier), text.body, *_first(around.later)]
    whole = " ".join(replies.without_ours(body, around.ours) for body in said)
    # What was asked changes what words resemble; nothing is answered by it here.
    joined = _read(whole, around.prompts, around, joined=True)
    if not _is_safety(joined):
        return reading
    also = tuple(dict.fromkeys((*joined.also, reading.intent, *reading.also)))
    return replace(
        joined,
        also=also,
        opt_out=reading.opt_out,
        opt_in=reading.opt_in,
        prompt_id=None,
        language=reading.language,
    )


def _first(texts: Sequence[str]) -> Sequence[str]:
    return _newest(texts[::-1])[::-1]


def _newest(texts: Sequence[str]) -> Sequence[str]:
    """Return the last few texts, the one before this in any case."""
    letters = 0
    for back, body in enumerate(reversed(texts), start=1):
        letters += len(body)
        if back > 1 and (back > JOINED_TEXTS or letters > _JOINED_LETTERS):
            return texts[len(texts) - back + 1 :]
    return texts


def _with_carrier(reading: Reading, opt_out_type: str | None) -> Reading:
    """Let the carrier's own word only add a stop to ours: it blocked this number.

    That it unblocked one lifts nothing here: it does so for a bare yes, too (care rule 20).
    """
    if opt_out_type == _CARRIER_STOP and not reading.opt_out:
        return replace(_also(reading, Intent.stop), opt_out=True)
    return reading


def _also(reading: Reading, intent: Intent) -> Reading:
    if intent in (reading.intent, *reading.also):
        return reading
    if reading.intent is Intent.unclear:
        return replace(reading, intent=intent, prompt_id=None)
    return replace(reading, also=(*reading.also, intent))


#: The columns of `as_row` for a text that nobody has read.
UNREAD: dict[str, Any] = {
    "intent": None,
    "value": None,
    "also": [],
    "severity": None,
    "language": None,
    "prompt_message_id": None,
    "ambiguous": False,
    "urgent": False,
    "abuse": False,
}


def as_row(reading: Reading) -> dict[str, Any]:
    """Return a reading as columns of the inbound row."""
    return {
        "intent": reading.intent.value,
        "value": reading.value,
        "also": [intent.value for intent in reading.also],
        "severity": reading.severity.value if reading.severity else None,
        "language": reading.language,
        "prompt_message_id": UUID(reading.prompt_id) if reading.prompt_id else None,
        "ambiguous": reading.ambiguous,
        "urgent": is_urgent(reading),
        "abuse": reading.abuse,
    }


def changes(reading: Reading) -> bool:
    """Return whether `apply` has something to do."""
    return _stops(reading) or reading.opt_in


def _stops(reading: Reading) -> bool:
    return reading.opt_out or reading.intent is Intent.wrong_number


def apply(
    session: Session, text: Received, reading: Reading, people: Sequence[UUID], *, now: datetime
) -> str | None:
    """Do at once what the law wants done at once: stop, or start again; return which it was."""
    about: dict[str, Any] = {
        "clinic_id": text.clinic_id,
        "blind": text.blind,
        "people": people,
        "inbound_id": text.id,
        "occurred_at": text.received_at,
        "now": now,
    }
    if _stops(reading):
        by_carrier = text.opt_out_type == _CARRIER_STOP
        reason = _reason(reading, said_by_carrier=by_carrier)
        return stopping.stop(session, reason=reason, **about)
    return stopping.start(session, **about) if changes(reading) else None


def _reason(reading: Reading, *, said_by_carrier: bool) -> StopReason:
    if Intent.wrong_number in (reading.intent, *reading.also):
        return StopReason.WRONG_NUMBER
    # A keyword is the whole text, and stands in the reading; a sentence is not lifted by START.
    by_keyword = reading.intent is Intent.stop and reading.value is not None
    return StopReason.KEYWORD if by_keyword or said_by_carrier else StopReason.WORDS


def received_of(services: Services, row: Inbound, opt_out_type: str | None) -> Received:
    """Return a stored text as it was before it was read."""
    return Received(
        id=row.id,
        clinic_id=row.clinic_id,
        blind=row.from_blind,
        body=services.vault.open("inbound", "body", row.id, row.body),
        received_at=row.received_at,
        opt_out_type=opt_out_type,
    )


def cursor_name(services: Services, number: str) -> str:
    """Return under which name `records.progress` keeps how far a number's texts are pulled."""
    return f"pull:{services.vault.blind('pull', number).hex()}"
