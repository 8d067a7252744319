"""Understands what a patient texts back: one pure function over a pipeline of recognisers.

The order is that of care: danger outranks a stop, a stop outranks an answer. Every recogniser
runs, so that a text that says two things loses neither. What nobody recognises is `unclear` and
goes to a person.
"""

from collections.abc import Iterable, Sequence

from messages import answers, keywords, safety, scores
from messages.lexicon import lexicon
from messages.reading import (
    Heard,
    Hint,
    Hit,
    Intent,
    OpenPrompt,
    Reading,
    Severity,
    most_urgent,
)
from messages.wordtools import fold, spoken

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
    answers.question,
    answers.thanks,
    safety.worry,
)


def read(body: str, *, prompts: Sequence[OpenPrompt] = (), language: str = "en") -> Reading:
    """Return how a reply is understood.

    `prompts` are the questions still open for this patient (the caller drops those past their
    `until`); `language` is the patient's own, used where the words don't show another.
    """
    heard = _hear(body, prompts)
    hits = [hit for recognise in PIPELINE if (hit := recognise(heard))]
    return _reading(hits, _language(hits, heard, language))


def _hear(body: str, prompts: Sequence[OpenPrompt]) -> Heard:
    folded = fold(body)
    words = spoken(folded)
    flat = " ".join(words.replace(",", " ").split())
    return Heard(
        body=body,
        folded=folded,
        spoken=words,
        flat=f" {flat} ",
        compact=flat.replace(" ", ""),
        asks="?" in folded or "\u00bf" in folded,
        prompts=tuple(prompts),
    )


_NOTHING = Hit(intent=Intent.unclear, severity=Severity.next_business_day)
_SAFETY = frozenset({Intent.crisis, Intent.overdose, Intent.medical_emergency})


def _reading(hits: Sequence[Hit], language: str) -> Reading:
    asides = [hit for hit in hits if hit.aside]
    first, *others = [hit for hit in hits if not hit.aside] or [_NOTHING]
    severity = most_urgent(first.severity, *(hit.severity for hit in [*others, *asides]))
    bound = next((hit for hit in [first, *others] if hit.prompt or hit.ambiguous), first)
    return Reading(
        intent=first.intent,
        value=first.value,
        also=_also(first, [*others, *asides]),
        severity=severity,
        prompt_id=bound.prompt.id if bound.prompt else None,
        ambiguous=bound.ambiguous,
        opt_out=any(hit.opt_out for hit in hits),
        urgent=severity is Severity.page_now,
        language=language,
        number=next((hit.number for hit in hits if hit.number), None),
        hint=next((hit.hint for hit in [first, *others, *asides] if hit.hint), None),
    )


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
    if recognised:
        return recognised
    said = set(heard.flat.split())
    known = {name: len(said & words) for name, words in lexicon().markers.items()}
    best = max(known.values(), default=0)
    leaders = [name for name, shared in known.items() if shared == best]
    return leaders[0] if best and len(leaders) == 1 else default
