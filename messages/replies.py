"""Understands what a patient texts back: one pure function over a pipeline of recognisers.

The order is that of care: danger outranks a stop, a stop outranks an answer. Every recogniser
runs, so that a text that says two things loses neither. What nobody recognises is `unclear` and
goes to a person.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from messages import answers, keywords, meant, meant_unasked, safety, scores
from messages.doubts import weighed
from messages.ensemble import Alike
from messages.index import Said
from messages.lexicon import Lexicon, lexicon
from messages.quoting import Reaction, Unquoted, is_blank, is_one_of, unquoted
from messages.reading import (
    ABUSE,
    Heard,
    Hint,
    Hit,
    Intent,
    OpenPrompt,
    Reading,
    Severity,
    Topic,
    most_urgent,
)
from messages.resemblance import resembling
from messages.spacing import closed_up
from messages.wordtools import drawn, fold, sentences, signed, spoken

__all__ = ["Hint", "Intent", "OpenPrompt", "Reading", "Severity", "read"]

PIPELINE: tuple[safety.Recogniser, ...] = (
    safety.emergency,
    safety.overdose,
    safety.self_harm,
    safety.harm_to_others,
    safety.abuse,
    keywords.wrong_number,
    keywords.stop,
    keywords.start,
    keywords.help_word,
    safety.dissociation,
    safety.side_effect,
    safety.use_disclosed,
    scores.score,
    answers.visit_reply,
    answers.callback,
    answers.pause,
    answers.reaction,
    answers.question,
    answers.thanks,
    safety.worry,
)
# What a phone answers by itself answers nothing; danger in it is looked for all the same.
_OF_A_MACHINE = (*PIPELINE[:5], answers.auto_reply)
# So in what a reaction quotes, which nobody says now.
_OF_SOMEBODY = (*PIPELINE[:5], safety.dissociation, safety.side_effect, safety.worry)


def read(
    body: str,
    *,
    prompts: Sequence[OpenPrompt] = (),
    language: str = "en",
    words: Lexicon | None = None,
    ours: Collection[str] | None = None,
    joined: bool = False,
    topics: Collection[Topic] = (),
    number_given: bool = False,
) -> Reading:
    """Return how a reply is understood.

    `prompts` are the questions still open for this patient (the caller drops those past their
    `until`); `language` is the patient's own, used where the words don't show another; `words` are
    a clinic's own together with the shipped ones (`messages.lexicon.lexicon`). `ours` are the texts
    that went to the number: what a reaction quotes of them is not the patient's. Where they are not
    known, a quote is taken for one of ours unless it tells of danger. `joined` says that several
    texts are read as one. `topics` are what our texts were about that it may be an answer to;
    `number_given` says that a number was answered within the hour.
    """
    lists = words or lexicon()
    quoted = _of_others(body, lists, ours)
    if quoted is not None:
        return _reading(quoted.hits, _language(quoted.hits, quoted.heard, language))
    about = frozenset(topics)
    asked = _Asked(prompts=prompts, topics=about, number_given=number_given)
    found = _understood(body, asked, language, lists, joined=joined)
    folded = fold(body)
    closed = closed_up(folded, lists.spelling.known)
    if found.urgent or closed == folded:
        return found
    # Letter by letter people write what must not be overlooked: danger and a stop count, no more.
    spelled = _understood(closed, asked, language, lists, joined=joined)
    return spelled if spelled.urgent or (spelled.opt_out and not found.opt_out) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was asked, what our texts were about, and whether a number was just given."""

    prompts: Sequence[OpenPrompt] = ()
    topics: frozenset[Topic] = frozenset()
    number_given: bool = False


_NOTHING_ASKED = _Asked()


def _understood(
    body: str, asked: _Asked, language: str, words: Lexicon, *, joined: bool = False
) -> Reading:
    """Return how the words of a reply are understood, and what they resemble."""
    heard = _hear(unquoted(body), asked, words, language)
    if told := meant.told(heard):
        return _reading(told, _language(told, heard, language))
    by_machine = answers.is_auto_reply(heard)
    pipeline = _OF_A_MACHINE if by_machine else PIPELINE
    hits = [hit for recognise in pipeline if (hit := recognise(heard))]
    answer = scores.in_its_words(heard)
    if answer is not None and not any(
        hit.hint is Hint.possible_risk or _pages(hit) for hit in hits
    ):
        # "No urge to use" tells of no lapse, nor does "smoked 4" where that was asked.
        hits = [answer]
    elif not by_machine:
        hits = weighed(heard, _likeness(heard), hits, _sentences(heard), joined=joined)
    hits = meant_unasked.under_danger(heard, hits)
    hits = [*hits, *meant.beside(heard, hits)]
    return _reading(_wishes_last(hits), _language(hits, heard, language))


def _wishes_last(hits: Sequence[Hit]) -> Sequence[Hit]:
    """Put a wish to be texted again behind what the text answers or tells; a person reads both."""
    wishes = [hit for hit in hits if hit.intent is Intent.start and not hit.opt_in]
    if not wishes:
        return hits
    others = [hit for hit in hits if hit not in wishes]
    light = [hit for hit in others if hit.intent in _BEHIND_A_WISH]
    return [*(hit for hit in others if hit not in light), *wishes, *light]


_BEHIND_A_WISH = frozenset(
    {
        *(Intent.question_for_staff, Intent.thanks_no_action, Intent.unclear),
        *(Intent.help, Intent.pause),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quoted:
    """What a reaction quotes of the patient's own words, or somebody's, and what it tells of."""

    heard: Heard
    hits: list[Hit]


def _of_others(body: str, words: Lexicon, ours: Collection[str] | None) -> _Quoted | None:
    """Return what a reaction quotes that is none of our texts: in danger, it is a plea.

    It answers nothing and stops nothing, since nobody knows when it was said; a person looks. What
    stands behind it is said now: a stop there is one.
    """
    left = unquoted(body)
    if not left.quoted or (ours is not None and is_one_of(left.quoted, ours)):
        return None
    heard = _hear(Unquoted(body=left.whole), _NOTHING_ASKED, words)
    hits = [hit for recognise in _OF_SOMEBODY if (hit := recognise(heard))]
    stops = _stops(left, words)
    if ours is None:
        # Our own safety texts name these numbers, and read like the danger they speak of.
        pleads = any(map(_pages, hits)) and not any(way in left.quoted for way in _WAYS_TO_HELP)
        return _Quoted(heard=heard, hits=[*hits, *stops]) if pleads else None
    # What stands behind the quote must not make it sound like less.
    quoted = _hear(Unquoted(body=left.quoted), _NOTHING_ASKED, words)
    alike = [*_alike(heard, hits), *_alike(quoted, hits)]
    graver = [hit for hit in alike if hit.hint is Hint.possible_risk or _pages(hit)]
    return _Quoted(heard=heard, hits=[*sorted(graver, key=lambda hit: hit.aside), *hits, *stops])


def _alike(heard: Heard, hits: Sequence[Hit]) -> list[Hit]:
    return resembling(heard, _likeness(heard), hits)


def _likeness(heard: Heard) -> Alike:
    asked = tuple(prompt.context for prompt in heard.prompts)
    return Alike(words=plain_words(heard), text=heard.folded, asked=asked)


def _sentences(heard: Heard) -> Iterator[Alike]:
    """Yield what each of several sentences resembles by itself, heard when it is asked for."""
    found = sentences(heard.folded)
    if len(found) > 1:
        yield from (_likeness(hear(each, heard.prompts, heard.words)) for each in found)


_WAYS_TO_HELP = ("911", "988")
_LEAVING = (keywords.wrong_number, keywords.stop)


def _stops(left: Unquoted, words: Lexicon) -> list[Hit]:
    """Return the stop that somebody wrote behind a quote."""
    heard = _hear(Unquoted(body=left.body), _NOTHING_ASKED, words)
    return [hit for recognise in _LEAVING if (hit := recognise(heard)) and hit.opt_out]


def _pages(hit: Hit) -> bool:
    return hit.severity is Severity.page_now


def without_ours(body: str, ours: Collection[str]) -> str:
    """Return the words of a text that are not quoted from one of ours."""
    left = unquoted(body)
    if not left.quoted:
        return left.body if left.reaction else body
    return left.body if is_one_of(left.quoted, ours) else left.whole


def gives_up_visit(body: str) -> bool:
    """Whether a text's own words say that they can't come, whatever was asked or stands beside.

    So does an R before anything else.
    """
    heard = hear(body, (), lexicon())
    hit = answers.visit_reply(heard)
    first = heard.words["decline"].is_whole(heard.spoken.until_comma())
    return first is not None or (hit is not None and hit.intent is Intent.decline_reschedule)


def ends_texts(body: str) -> bool:
    """Whether a text's words by themselves end texts, whatever the whole of it resembles."""
    hit = keywords.stop(hear(body, (), lexicon()))
    return hit is not None and hit.opt_out


def may_leave(body: str) -> bool:
    """Whether a text's words by themselves end texts, or say that the number is another's."""
    hit = keywords.wrong_number(hear(body, (), lexicon()))
    return hit is not None or ends_texts(body)


def goes_on(body: str) -> bool:
    """Whether a text is nothing but what says, under an answer to danger, that it goes on.

    "Yes" is that where we asked "In danger now?", and "no one answers" where we said whom to call.
    """
    return hear(body, (), lexicon()).whole("still_in_danger") is not None


class Unproved(StrEnum):
    """Why a text may be of whoever has the number, and not of the patient."""

    ASKS_WHO = "asks_who"
    BY_MACHINE = "by_machine"


def unproved(body: str) -> Unproved | None:
    """Say whether a text proves nothing of who wrote it, and why.

    Somebody asks who we are; or a phone wrote by itself: driving mode, do not disturb, out of
    office.
    """
    heard = hear(body, (), lexicon())
    if next(heard.words["who_are_you"].matches(heard.spoken), None) is not None:
        return Unproved.ASKS_WHO
    return Unproved.BY_MACHINE if answers.is_auto_reply(heard) else None


def hear(body: str, prompts: Sequence[OpenPrompt], words: Lexicon) -> Heard:
    """Return a text in the spellings that recognisers look at."""
    return _hear(unquoted(body), _Asked(prompts=prompts), words)


def _hear(left: Unquoted, asked: _Asked, words: Lexicon, language: str = "en") -> Heard:
    said, folded = left.body, fold(left.body)
    if is_blank(folded):
        said = signed(said)
        folded = fold(said)
    plain = spoken(folded)
    mended = Said(_mended(plain, words), words.index)
    unmended = mended.part(tuple(plain))
    variants = [mended, mended.flat, unmended, unmended.flat]
    written_out = drawn(said)
    if written_out != said:
        variants.insert(0, mended.part(_mended(spoken(fold(written_out)), words)))
    return Heard(
        body=left.body,
        folded=folded,
        spoken=mended,
        flat=mended.flat,
        variants=tuple({each.words: each for each in reversed(variants)}.values())[::-1],
        compacts=tuple(dict.fromkeys("".join(each.flat.words) for each in (mended, unmended))),
        asks="?" in folded or "\u00bf" in folded or left.reaction is Reaction.ASKS,
        words=words,
        reaction=left.reaction,
        prompts=tuple(asked.prompts),
        topics=asked.topics,
        language=language,
        number_given=asked.number_given,
    )


def plain_words(heard: Heard) -> list[str]:
    """Return a text's words for the classifier: spelling mended, everyday phrases as one word each.

    The phrases are those that the lists of danger know to be none ("cut myself shaving").
    """
    said = heard.variants[0].flat
    for name in _DANGERS:
        said = heard.words[name].without_excuses(said, _EVERYDAY)
    return [word.strip() for word in said.words]


_DANGERS = ("medical_emergency", "overdose", "self_harm", "harm_to_others", "abuse")
# With a space, so that it is a word of no phrase.
_EVERYDAY = " everyday"


def _mended(plain: Sequence[str], words: Lexicon) -> tuple[str, ...]:
    return tuple(" ".join(words.spelling.mended(plain)).split())


_NOTHING = Hit(intent=Intent.unclear, severity=Severity.next_business_day)
_OF_A_VISIT = frozenset({Intent.confirm, Intent.decline_reschedule})
_SAFETY = frozenset({Intent.crisis, Intent.overdose, Intent.medical_emergency})


def _reading(hits: Sequence[Hit], language: str) -> Reading:
    asides = [hit for hit in hits if hit.aside]
    first, *others = [hit for hit in hits if not hit.aside] or [_NOTHING]
    severity = most_urgent(first.severity, *(hit.severity for hit in [*others, *asides]))
    bound = next(filter(_answers, [first, *_decided(first, others)]), first)
    return Reading(
        intent=first.intent,
        value=first.value,
        also=_also(first, [*others, *asides]),
        severity=severity,
        prompt_id=bound.prompt.id if bound.prompt else None,
        ambiguous=bound.ambiguous,
        opt_out=any(hit.opt_out for hit in hits),
        opt_in=any(hit.opt_in for hit in hits),
        urgent=severity is Severity.page_now,
        abuse=any(hit.intent is Intent.crisis and hit.value == ABUSE for hit in hits),
        language=language,
        number=next((hit.number for hit in hits if hit.number), None),
        hint=next((hit.hint for hit in [first, *others, *asides] if hit.hint), None),
    )


def _answers(hit: Hit) -> bool:
    return hit.prompt is not None or hit.ambiguous


def _decided(first: Hit, others: Sequence[Hit]) -> Iterable[Hit]:
    """Return what the text decides besides what it says first.

    What danger says of a visit beside it, a person decides: nothing is confirmed or given up.
    """
    return (hit for hit in others if first.intent not in _SAFETY or hit.intent not in _OF_A_VISIT)


def _also(first: Hit, others: Iterable[Hit]) -> tuple[Intent, ...]:
    """Return what else the text says, once each; thanks beside anything else say nothing."""
    found = dict.fromkeys(hit.intent for hit in others)
    if first.hint is Hint.more_words:
        found[Intent.unclear] = None
    return tuple(
        intent
        for intent in found
        if intent not in {first.intent, Intent.thanks_no_action}
        # What is not understood is in front of a person already when a safety item opens.
        and not (intent is Intent.unclear and first.intent in _SAFETY)
    )


def _language(hits: Sequence[Hit], heard: Heard, default: str) -> str:
    """Return the language of the text: of the words recognised, else of the common words in it."""
    recognised = next((hit.language for hit in hits if hit.language), None)
    said = set(heard.flat.words)
    known = {name: len(said & words) for name, words in heard.words.markers.items()}
    best = max(known.values(), default=0)
    # "Soy suicida" holds a word that the other language knows, or nearly, and none of its own.
    if recognised and (known.get(recognised) or not best):
        return recognised
    leaders = [name for name, shared in known.items() if shared == best]
    return leaders[0] if best and len(leaders) == 1 else default
