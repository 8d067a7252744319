"""Short answers about visits and yes/no questions, questions back, and thanks."""

from collections.abc import Sequence
from dataclasses import dataclass

from messages.binding import APPOINTMENT, YES_NO, asked, first_fit
from messages.lexicon import lexicon
from messages.reading import Heard, Hit, Intent, OpenPrompt, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One group of answers: what it means, what it answers by itself, what it can answer too."""

    group: str
    intent: Intent
    native: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    needs_prompt: bool = False
    severity: Severity | None = None


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
    _Answer(group="confirm", intent=Intent.confirm, native=(APPOINTMENT,)),
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
    _Answer(group="thumb", intent=Intent.confirm, native=(YES_NO, APPOINTMENT), needs_prompt=True),
    _LATE,
    _CALL,
    _PAUSE,
)
# C, R, Y and N, "no" and "ok" belong to both languages and show none.
_SHARED = frozenset({"confirm", "yes", "no", "agree", "thumb"})
_SENTENCES = (_DECLINE, _LATE, _CALL, _PAUSE)


def visit_reply(heard: Heard) -> Hit | None:
    """Read a short answer; with a question mark it is a question ("C?"), not an answer."""
    if not heard.asks:
        for answer in _ANSWERS:
            language = _whole(answer.group, heard.flat)
            if language and (hit := _bound(answer, heard.prompts, language)):
                return hit
    return _sentence(heard)


def _sentence(heard: Heard) -> Hit | None:
    for answer in _SENTENCES:
        for match in lexicon()[answer.group].matches(heard.spoken):
            return _bound(answer, heard.prompts, match.language)
    return None


def _bound(answer: _Answer, prompts: Sequence[OpenPrompt], language: str) -> Hit | None:
    prompt, ambiguous = first_fit(prompts, asked(*answer.native), asked(*answer.loose))
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


def _cores(flat: str) -> tuple[str, ...]:
    """Return the text, then without polite words after it, then without those before it too."""
    before, after = lexicon().polite
    shorter = after.sub("", flat)
    return tuple(dict.fromkeys((flat, shorter, before.sub(" ", shorter))))


def _whole(group: str, flat: str) -> str | None:
    found = (lexicon()[group].is_whole(core) for core in _cores(flat))
    return next((language for language in found if language), None)


def question(heard: Heard) -> Hit | None:
    """A question mark, a question word at the start, or words that announce one."""
    category = lexicon()["question"]
    language = category.opens(heard.spoken)
    match = next(category.matches(heard.spoken), None)
    if not (heard.asks or language or match):
        return None
    return Hit(
        intent=Intent.question_for_staff,
        severity=Severity.next_business_day,
        language=language or (match.language if match else None),
    )


def thanks(heard: Heard) -> Hit | None:
    language = _whole("thanks", heard.flat)
    return Hit(intent=Intent.thanks_no_action, language=language) if language else None
