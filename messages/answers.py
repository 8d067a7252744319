"""Short answers about visits and yes/no questions, questions back, and thanks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from messages.binding import APPOINTMENT, YES_NO, asked, first_fit
from messages.quoting import Reaction
from messages.reading import Heard, Hint, Hit, Intent, OpenPrompt, Severity, Topic
from messages.wordtools import spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One group of answers: what it means, what it answers by itself, what it can answer too."""

    group: str
    intent: Intent
    native: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    needs_prompt: bool = False
    severity: Severity | None = None


_THUMB = _Answer(
    group="thumb", intent=Intent.confirm, native=(YES_NO, APPOINTMENT), needs_prompt=True
)
# "I don't have a ride" is no to a question, and says nothing without one.
_NO_RIDE = _Answer(
    group="no", intent=Intent.decline_reschedule, native=(YES_NO,), needs_prompt=True
)
_DECLINE, _LATE, _CALL, _PAUSE = (
    _Answer(
        group="decline",
        intent=Intent.decline_reschedule,
        native=(APPOINTMENT,),
        severity=Severity.call_today,
    ),
    _Answer(
        group="late",
        intent=Intent.running_late,
        native=(APPOINTMENT,),
        severity=Severity.call_today,
    ),
    _Answer(
        group="call",
        intent=Intent.callback_request,
        native=("none",),
        severity=Severity.call_today,
    ),
    _Answer(group="pause", intent=Intent.pause, severity=Severity.digest),
)
# "Yes" and "no" mean nothing without a question; C and R always speak of a visit.
_ANSWERS = (
    _Answer(group="confirm", intent=Intent.confirm, native=(APPOINTMENT,), loose=(YES_NO,)),
    _DECLINE,
    _Answer(
        group="yes",
        intent=Intent.confirm,
        native=(YES_NO,),
        loose=(APPOINTMENT,),
        needs_prompt=True,
    ),
    _Answer(
        group="no",
        intent=Intent.decline_reschedule,
        native=(YES_NO,),
        loose=(APPOINTMENT,),
        needs_prompt=True,
    ),
    _Answer(group="agree", intent=Intent.confirm, native=(APPOINTMENT,), needs_prompt=True),
    _THUMB,
    _LATE,
    _CALL,
    _PAUSE,
)
# What an answer may open with before it goes on ("yes my sister drives me"), the clearest first.
_OPENINGS = tuple(
    answer for answer in _ANSWERS if answer.group in {"confirm", "decline", "yes", "no"}
)
# What is said in one of these words names no visit: "C", "yes".
_BARE = frozenset({"confirm", "yes"})
# So many words beside an answer are read by a person too.
_MANY_WORDS = 9

# C, R, Y and N, "no" and "ok" belong to both languages and show none.
_SHARED = frozenset({"confirm", "yes", "no", "agree", "thumb"})
_SENTENCES = (_DECLINE, _LATE, _CALL, _PAUSE)


def visit_reply(heard: Heard) -> Hit | None:
    """Read a short answer; with a question mark it is a question ("C?"), not an answer.

    Of two answers the one counts that sets the other right: "N wait Y".
    """
    if hit := _not_ready(heard):
        return hit
    undecided = _is_undecided(heard)
    if not (heard.asks or undecided) and (hit := _short(heard)):
        return hit
    if hit := _set_right(heard):
        return hit
    if _says_how_they_are(heard):
        return None
    if undecided:
        return _UNCLEAR
    hit = _opening(heard) or _sentence(heard) or _made_of(heard) or _said_clearly(heard)
    return _on_condition(hit, heard) if hit and hit.intent is Intent.confirm else hit


_UNCLEAR = Hit(intent=Intent.unclear, severity=Severity.next_business_day)


def _on_condition(hit: Hit, heard: Heard) -> Hit:
    """Have a person read what agrees on a condition as well: "yes unless it snows".

    A dose at home is cleared by no such yes.
    """
    if not _says("condition", heard):
        return hit
    return _UNCLEAR if Topic.HOME in heard.topics else _with_words(hit)


def _set_right(heard: Heard) -> Hit | None:
    """Read the answer that sets right the one a text opens with: "C... no wait R, I work then".

    Without words that say so between both, a text that says two stays undecided.
    """
    for place in heard.words["corrected"].begun(heard.flat):
        for end in place.ends:
            meant = _from_word(end, heard)
            if hit := (None if heard.asks else _short(meant)) or _opening(meant):
                return hit
    return None


def _from_word(first: int, heard: Heard) -> Heard:
    """Return a text from one of its words on, those between clauses not counted."""
    words = heard.spoken.words
    told = [at for at, word in enumerate(words) if word != ","][first:]
    rest = heard.spoken.part(words[told[0] :] if told else ())
    return replace(heard, spoken=rest, flat=rest.flat)


def _not_ready(heard: Heard) -> Hit | None:
    """Read that somebody or something is missing before a dose at home, whatever stands beside."""
    if Topic.HOME not in heard.topics:
        return None
    match = next(heard.words["not_ready"].matches(heard.flat), None)
    if match is None:
        return None
    return to_a_question(heard, yes=False, language=match.language, topic=Topic.HOME)


def _short(heard: Heard) -> Hit | None:
    """Read a text that is one of the answers as a whole; before others one of what was asked.

    "No changes" keeps a visit, and is no to a question about changes.
    """
    found = []
    for answer in _ANSWERS:
        if not (language := heard.whole(answer.group)):
            continue
        if answer.intent is Intent.confirm and _says_how_they_are(heard):
            continue
        bare = answer.group in _BARE and len(heard.cores[-1].words) == 1
        if hit := _bound(answer, heard.prompts, language, bare=bare):
            native = any(prompt.context in answer.native for prompt in heard.prompts)
            found.append((not native, hit))
    return min(found, key=lambda each: each[0], default=(True, None))[1]


def _says_how_they_are(heard: Heard) -> bool:
    """Say whether "all good" answers how somebody is: where no visit and no yes was asked for."""
    asked_now = any(prompt.context in _CONTEXTS for prompt in heard.prompts)
    return not asked_now and heard.whole("well") is not None


def _says(group: str, heard: Heard) -> bool:
    return next(heard.words[group].matches(heard.flat), None) is not None


def _is_undecided(heard: Heard) -> bool:
    """Say whether a text leaves a visit open: "C or R idk". A person asks, and nothing changes."""
    asked_now = any(prompt.context in _CONTEXTS for prompt in heard.prompts)
    return asked_now and _says("undecided", heard)


def _said_clearly(heard: Heard) -> Hit | None:
    """Read a yes to a visit inside a story: "got the day off so we good, see yall at 1030".

    Never with a doubt ("hopefully", "if"), or beside words that decline. What is asked beside it
    ("ill come, is it the same floor?") takes nothing away, and says nothing itself.
    """
    if not any(prompt.context == APPOINTMENT for prompt in heard.prompts) or _is_doubted(heard):
        return None
    told = heard.flat
    if heard.asks:
        told = told.part(tuple(spoken(_ASKED.sub(" ", heard.folded)))).flat
    for match in heard.words["confirm_said"].matches(told):
        hit = _bound(_ANSWERS[0], heard.prompts, match.language)
        wordy = heard.asks or len(heard.flat.words) >= _MANY_WORDS
        return _with_words(hit) if hit and wordy else hit
    return None


# The clause that a question mark ends.
_ASKED = re.compile(r"[^,.;:!?\n]*\?")


def _is_doubted(heard: Heard) -> bool:
    return heard.words["confirm_said"].is_excused(heard.flat)


def _made_of(heard: Heard) -> Hit | None:
    """Read a text made of nothing but agreement, thanks and a time: "got it see you at 8".

    With no question open it is no answer: "good morning".
    """
    if heard.asks or not any(prompt.context in _CONTEXTS for prompt in heard.prompts):
        return None
    for answer in _ANSWERS[:1]:
        language = heard.words[answer.group].is_made_up(heard.flat)
        if language and (hit := _bound(answer, heard.prompts, language)):
            return hit
    return None


def _opening(heard: Heard) -> Hit | None:
    """Read an answer that goes on: "R my car broke down", "C. can I eat before?"."""
    if not any(prompt.context in _CONTEXTS for prompt in heard.prompts):
        return None
    if _ASKED_AT_ONCE.match(heard.folded) or _says_and(heard):
        return None
    declines = next(heard.words["decline"].matches(heard.flat), None) is not None
    first = heard.spoken.until_comma()
    for answer in _OPENINGS:
        category = heard.words[answer.group]
        language = category.is_whole(first) if first is not heard.spoken else None
        goes_on = category.opens(heard.spoken) if not heard.asks else None
        if declines and answer.intent is Intent.confirm:
            continue
        if (language or goes_on) and (hit := _bound(answer, heard.prompts, language or goes_on)):
            return hit if len(heard.flat.words) < _MANY_WORDS else _with_words(hit)
    return None


def _says_and(heard: Heard) -> bool:
    """Say whether a text opens with "and" in Spanish: "y cafe?" is no yes."""
    return heard.words["and_then"].opens(heard.spoken) is not None


_CONTEXTS = frozenset({APPOINTMENT, YES_NO})
# "C? or do I call" asks about its answer.
_ASKED_AT_ONCE = re.compile(r"\W*\w+\s*\?")


def _with_words(hit: Hit) -> Hit:
    return Hit(
        intent=hit.intent,
        severity=hit.severity or Severity.next_business_day,
        prompt=hit.prompt,
        ambiguous=hit.ambiguous,
        language=hit.language,
        hint=Hint.more_words,
    )


def _sentence(heard: Heard) -> Hit | None:
    for answer in _SENTENCES:
        for text in dict.fromkeys((heard.spoken, heard.flat)):
            for match in heard.words[answer.group].matches(text):
                return _bound(answer, heard.prompts, match.language)
    return _of_a_visit(heard)


def _of_a_visit(heard: Heard) -> Hit | None:
    """Read what is an answer only to a reminder: "tuesday doesn't work", "no puedo".

    "Don't cancel me" holds one of these words, and is none.
    """
    said = heard.words[_DECLINE.group].without_excuses(heard.spoken)
    for answer, contexts in _WHEN_ASKED:
        if not any(prompt.context in contexts for prompt in heard.prompts):
            continue
        for match in heard.words[f"{answer.group}_asked"].matches(said):
            return _bound(answer, heard.prompts, match.language)
    return None


# What each of these may answer, by the words that say so only where it was asked.
_WHEN_ASKED = ((_DECLINE, (APPOINTMENT,)), (_NO_RIDE, (YES_NO,)), (_LATE, (APPOINTMENT,)))


def _bound(
    answer: _Answer,
    prompts: Sequence[OpenPrompt],
    language: str | None,
    *,
    bare: bool = False,
) -> Hit | None:
    prompt, ambiguous = first_fit(prompts, asked(*answer.native), asked(*answer.loose), bare=bare)
    if answer.needs_prompt and prompt is None and not ambiguous:
        return None
    no_to_a_question = answer.group == "no" and prompt is not None and prompt.context == YES_NO
    declined = answer.intent is Intent.decline_reschedule and not no_to_a_question
    return Hit(
        intent=answer.intent,
        severity=Severity.call_today if declined else answer.severity,
        prompt=prompt,
        ambiguous=ambiguous,
        language=language if answer.group not in _SHARED else None,
    )


def answered(intent: Intent, heard: Heard) -> Hit | None:
    """Return an answer about a visit that was understood by what it resembles.

    A person reads it as well: no visit changes by a likeness alone. Unasked, a yes says nothing;
    that somebody comes late or not at all is for a person who calls.
    """
    answer = next(each for each in (_ANSWERS[0], _DECLINE, _LATE) if each.intent is intent)
    if not any(prompt.context in answer.native + answer.loose for prompt in heard.prompts):
        unasked = Hit(intent=intent, severity=Severity.call_today, hint=Hint.resembles)
        return None if intent is Intent.confirm else unasked
    if intent is Intent.confirm and any(
        doubt(heard) for doubt in (_is_doubted, _is_undecided, _says_and)
    ):
        return None
    if intent is Intent.confirm and Topic.HOME in heard.topics:
        # Before a dose at home nothing but a clear yes clears anybody.
        return None
    hit = _bound(answer, heard.prompts, None)
    return _with_words(hit) if hit is not None else None


def to_a_question(
    heard: Heard, *, yes: bool, language: str | None, topic: Topic | None = None
) -> Hit | None:
    """Return a yes or a no to the question of this topic, else to any; None where none is open."""
    group = "yes" if yes else "no"
    answer = next(each for each in _ANSWERS if each.group == group)
    about = [prompt for prompt in heard.prompts if topic and prompt.topic is topic]
    hit = _bound(answer, about or heard.prompts, language)
    return replace(hit, language=language) if hit is not None else None


def to_a_visit(heard: Heard, *, keeps: bool, language: str | None) -> Hit | None:
    """Return that a visit is kept, or given up."""
    return _bound(_ANSWERS[0] if keeps else _DECLINE, heard.prompts, language)


def reaction(heard: Heard) -> Hit | None:
    """A tap on one of our texts: a thumbs-up answers yes/no and confirm, no number (rule 18)."""
    if heard.reaction is None or heard.flat.words:
        return None
    if heard.reaction is Reaction.UP and (hit := _bound(_THUMB, heard.prompts, None)):
        return hit
    if heard.reaction is Reaction.DOWN:
        return _UNCLEAR
    if heard.reaction is Reaction.ASKS:
        return None
    return Hit(intent=Intent.thanks_no_action)


def is_auto_reply(heard: Heard) -> bool:
    """Return whether a phone wrote this by itself: driving mode, do not disturb, out of office."""
    return _machine(heard) is not None


def auto_reply(heard: Heard) -> Hit | None:
    """Record what a phone wrote by itself; it never is an answer (care rule 18)."""
    return Hit(intent=Intent.thanks_no_action, language=_machine(heard), hint=Hint.auto_reply)


def _machine(heard: Heard) -> str | None:
    category = heard.words["auto_reply"]
    match = next(category.matches(heard.flat), None)
    return category.opens(heard.spoken) or (match.language if match else None)


def callback(heard: Heard) -> Hit | None:
    """Words that ask for a call, whatever else the text answers."""
    match = next(heard.words["call"].matches(heard.spoken), None)
    return _bound(_CALL, heard.prompts, match.language) if match else None


def pause(heard: Heard) -> Hit | None:
    """Words that ask for a pause, whatever else the text answers."""
    match = next(heard.words["pause"].matches(heard.spoken), None)
    return _bound(_PAUSE, heard.prompts, match.language) if match else None


def question(heard: Heard) -> Hit | None:
    """A question mark, a question word at the start, or words that announce one."""
    category = heard.words["question"]
    if not heard.asks and heard.whole("thanks"):
        return None
    language = category.opens_clause(heard.spoken)
    match = next(category.matches(heard.spoken), None)
    if not (heard.asks or language or match):
        return None
    return Hit(
        intent=Intent.question_for_staff,
        severity=Severity.next_business_day,
        language=language or (match.language if match else None),
    )


def thanks(heard: Heard) -> Hit | None:
    """Thanks and small talk that need nobody; beside anything else they say nothing."""
    language = heard.whole("thanks") or heard.whole("well")
    if not language and not heard.asks:
        language = heard.words["thanks"].is_made_up(heard.flat)
    return Hit(intent=Intent.thanks_no_action, language=language) if language else None
