"""Recognises what must reach a person whatever else a text says: danger, harm, symptoms, lapses.

Detection only routes to people. A denial ("not suicidal") raises no alarm, and still makes a
person read the text the same day; nothing here ever rules a risk out.
"""

from collections.abc import Callable

from messages.categories import Match
from messages.reading import Heard, Hint, Hit, Intent, Severity

Recogniser = Callable[[Heard], Hit | None]


def _found(name: str, heard: Heard) -> tuple[Match | None, bool]:
    """Return the first place that says it and is not denied, and whether any place denies it."""
    category, denied = heard.words[name], False
    # Punctuation can cut a phrase in two ("i want, to die"), so the words alone count as well. A
    # denial reads as one only within its clause: "no, I want to die" is none.
    for text in heard.variants:
        for match in category.matches(text):
            if not heard.words.denies(text, match.start):
                return match, False
            denied = True
        if denied:
            break
    return None, denied


def _safety(name: str, intent: Intent, value: str | None = None) -> Recogniser:
    def recognise(heard: Heard) -> Hit | None:
        language = heard.whole(name)
        match, denied = (None, False) if language else _found(name, heard)
        if language or match:
            return Hit(
                intent=intent,
                value=value,
                severity=Severity.page_now,
                language=language or (match.language if match else None),
            )
        if denied:
            return Hit(
                intent=Intent.unclear, severity=Severity.call_today, hint=Hint.denied, aside=True
            )
        return None

    return recognise


def _told(name: str, intent: Intent) -> Recogniser:
    """Return a recogniser of a symptom or a lapse, which a denial simply leaves out."""

    def recognise(heard: Heard) -> Hit | None:
        match, _ = _found(name, heard)
        language = match.language if match else _asked_for(name, heard) or heard.whole(name)
        if language is None:
            return None
        return Hit(intent=intent, severity=Severity.call_today, language=language)

    return recognise


def _asked_for(name: str, heard: Heard) -> str | None:
    """Return the language of what is a symptom only as an answer to how they are ("not good")."""
    asked = any(prompt.context in _HOW_ARE_YOU for prompt in heard.prompts)
    return heard.whole(f"{name}_asked") if asked and name in _ASKED else None


_HOW_ARE_YOU = frozenset({"side_effect_check", "scale:0-2"})
_ASKED = frozenset({"side_effect"})

emergency = _safety("medical_emergency", Intent.medical_emergency)
overdose = _safety("overdose", Intent.overdose)
self_harm = _safety("self_harm", Intent.crisis, "self_harm")
harm_to_others = _safety("harm_to_others", Intent.crisis, "harm_to_others")
abuse = _safety("abuse", Intent.crisis, "abuse")
dissociation = _safety("dissociation", Intent.side_effect)
side_effect = _told("side_effect", Intent.side_effect)
use_disclosed = _told("use_disclosed", Intent.use_disclosed)


def worry(heard: Heard) -> Hit | None:
    """Words that may mean danger or just a bad day: a person reads them today."""
    language = heard.whole("worry")
    match, denied = _found("worry", heard)
    if not language and match is None and not denied:
        return None
    return Hit(
        intent=Intent.unclear,
        severity=Severity.call_today,
        hint=Hint.possible_risk,
        language=language or (match.language if match else None),
        aside=True,
    )
