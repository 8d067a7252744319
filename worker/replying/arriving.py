"""Around a group of texts: what the database knows of each, and what they say to one another.

worker.steps.receive -> around (a few statements for all of them) -> hear -> a reading each
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from messages.binding import READ_TOGETHER
from messages.errors import LexiconError
from messages.lexicon import Extension, Lexicon, lexicon
from messages.quoting import unquoted
from messages.replies import Reading
from records import arrivals, conversation
from records.arrivals import Person, Said, Span, Teller, Told, Writer
from records.base import Session
from records.conversation import Prompt, Reply
from schedules.protocol import EXPECTS_FORM
from worker.logs import get_logger
from worker.replying import hearing
from worker.replying.hearing import Received
from worker.services import Services

log = get_logger(__name__)

# Of more texts than these back, a quote goes to a person.
_QUOTABLE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the database knows around a text. `people` are those on its number, oldest first.

    `beside` is what the number wrote just before it; of a text that the carrier told of late, also
    just after it. It stays sealed, so that one that does not open costs its own reader alone.
    `prompts` holds what asked for a form, too. `words` are the clinic's own phrases, as its file
    has them. `told` says what our last texts to the number were about, `sent` asks for their words,
    which only a quote needs.
    """

    people: Sequence[Person]
    prompts: Sequence[Prompt]
    beside: Sequence[Said]
    told: Told
    sent: Callable[[], Sequence[Said]]
    words: Extension | None = None


def around(session: Session, texts: Sequence[Received]) -> list[Around]:
    """Read, for each text, who is on its number, what they were asked, and what they just wrote."""
    people = arrivals.people_of(session, [text.writer for text in texts])
    on_number = [people.get(text.writer, []) for text in texts]
    replies = [
        Reply(patients=[person.id for person in those], at=text.received_at)
        for text, those in zip(texts, on_number, strict=True)
    ]
    spans = [
        Span(
            writer=text.writer,
            since=text.received_at - hearing.JOINED_WITHIN,
            until=text.received_at + hearing.JOINED_WITHIN,
            apart_from=text.id,
        )
        for text in texts
    ]
    tellers = [
        Teller(writer=text.writer, patients=reply.patients, at=reply.at)
        for text, reply in zip(texts, replies, strict=True)
    ]
    words = arrivals.words_of(session, [text.clinic_id for text in texts])
    known = zip(
        texts,
        on_number,
        conversation.prompts(session, replies, forms=True),
        arrivals.said_in(session, spans, most=hearing.JOINED_TEXTS),
        arrivals.told(session, tellers, together=READ_TOGETHER),
        strict=True,
    )
    return [
        Around(
            people=those,
            prompts=asked,
            beside=beside,
            told=told,
            sent=_sent(session, each, those),
            words=words.get(each.clinic_id),
        )
        for each, those, asked, beside, told in known
    ]


def _sent(session: Session, text: Received, people: Sequence[Person]) -> Callable[[], list[Said]]:
    ids = [person.id for person in people]
    return partial(arrivals.sent_to, session, text.writer, ids, most=_QUOTABLE)


def hear(
    services: Services, text: Received, known: Around, *, just_said: Sequence[str] = ()
) -> Reading:
    """Read one text; `just_said` is what its writer wrote that is not stored yet, in order.

    Raises what the reading raises, and VaultError for an earlier text that does not open.
    """
    vault = services.vault
    before: list[str] = []
    after: list[str] = []
    for said in known.beside:
        side = before if said.at <= text.received_at else after
        side.append(vault.open("inbound", "body", said.id, said.body))
    earlier = [*before, *just_said]
    quotes = any(unquoted(body).quoted for body in (*earlier, text.body, *after))
    sent = known.sent() if quotes else ()
    return hearing.hear(
        text,
        hearing.Around(
            language=known.people[0].language if known.people else "en",
            prompts=[each for each in known.prompts if each.context != EXPECTS_FORM],
            topics=hearing.topics_of(known.prompts, known.told),
            earlier=earlier,
            later=after,
            ours=[vault.open("message", "body", said.id, said.body) for said in sent],
            words=_lexicon(text.clinic_id, known.words),
        ),
    )


def _lexicon(clinic_id: UUID, words: Extension | None) -> Lexicon:
    """Return the shipped words with a clinic's own; own ones that no longer fit cost no reply."""
    try:
        return lexicon(words)
    except LexiconError as error:
        log.warning("clinic_words_unreadable", clinic_id=str(clinic_id), error=str(error))
        return lexicon()


def hear_all(
    services: Services, texts: Sequence[Received], known: Sequence[Around]
) -> list[Reading | Exception]:
    """Read texts in the order received; one that can't be read costs itself alone."""
    said: defaultdict[Writer, list[Received]] = defaultdict(list)
    heard: list[Reading | Exception] = []
    for text, its in zip(texts, known, strict=True):
        since = text.received_at - hearing.JOINED_WITHIN
        just_said = [
            before.body
            for before in said[text.writer]
            if since <= before.received_at <= text.received_at
        ]
        try:
            reading = hear(services, text, its, just_said=just_said)
        except Exception as error:
            log.exception("reading_failed", inbound_id=str(text.id))
            heard.append(error)
        else:
            heard.append(reading)
            if hearing.is_urgent(reading):
                continue
        said[text.writer].append(text)
    return heard
