"""Stops, starts and calls for help: as a keyword alone, or said in a sentence.

A stop is a stop in any reasonable wording (47 CFR 64.1200(a)(10)), so punctuation, case, spacing,
emoji and invisible letters around a keyword lose nothing.
"""

from dataclasses import replace

from messages.binding import numeric
from messages.lexicon import lexicon
from messages.reading import Heard, Hint, Hit, Intent, Severity


def carrier_acts_on(body: str) -> str | None:
    """Return "stop", "start" or "help" if Twilio itself acts on this text and answers it.

    Twilio compares the whole body in any case, and nothing else: "Stop!" is ours to honour and to
    confirm. With `optout_handled_by: twilio` the app sends no answer of its own to these.
    """
    word = body.strip().casefold()
    for kind, words in lexicon().carrier.items():
        if word in words:
            return kind
    return None


def _keyword(kind: str, heard: Heard) -> tuple[str, str] | None:
    """Return the keyword that is the whole text, and its language."""
    words = heard.words.keywords[kind]
    for compact in heard.compacts:
        if compact in words:
            return compact, words[compact]
    said = set(heard.flat.words)
    if len(said) == 1 and (word := said.pop()) in words:  # "stop stop STOP"
        return word, words[word]
    return None


def stop(heard: Heard) -> Hit | None:
    """A keyword first, then a plain sentence; care rule 17 for the words that also mean a level."""
    level = _level(heard)
    if level and numeric(heard.prompts):
        high = level.startswith("alt")
        severity = Severity.call_today if high else Severity.next_business_day
        return Hit(intent=Intent.unclear, severity=severity, hint=Hint.scale_or_stop, language="es")
    keyword = _keyword("stop", heard)
    if keyword:
        hint = Hint.maybe_answer if heard.prompts and keyword[0] in _ALSO_ANSWERS else None
        return _stopped(keyword[0], keyword[1], hint)
    return _stop_sentence(heard)


def _level(heard: Heard) -> str | None:
    """Return the one word for high or low that the text is, "very" and the like left out."""
    said = [word for word in heard.flat.words if word not in heard.words.fillers]
    level = "".join(said)
    return level if level in heard.words.on_a_scale else None


# Words that stop by law and that a patient may have meant as an answer to what was asked.
_ALSO_ANSWERS = frozenset({"cancel", "cancelar", "end", "quit"})


def _stopped(value: str | None, language: str, hint: Hint | None = None) -> Hit:
    return Hit(
        intent=Intent.stop,
        value=value,
        severity=Severity.digest,
        opt_out=True,
        language=language,
        hint=hint,
    )


def _stop_sentence(heard: Heard) -> Hit | None:
    category = heard.words["stop"]
    for core in heard.cores:
        language = category.is_whole(core)
        if language:
            return _stopped(None, language)
    doubtful = False
    for text in heard.variants:
        doubtful = doubtful or category.appears(text)
        for match in category.matches(text):
            return replace(_stopped(None, match.language), severity=_severity(heard))
    if not doubtful:
        return None
    # "Don't text me before 9" asks for something, and may be a stop: a person decides today.
    return Hit(
        intent=Intent.unclear, severity=Severity.call_today, hint=Hint.maybe_stop, aside=True
    )


def _severity(heard: Heard) -> Severity:
    """Return when a person looks at a stop: today where it names an end.

    "Stop texting me til my exam is over" stops all the same: what goes on then, a person asks.
    """
    ends = heard.words["for_a_while"]
    named = any(next(ends.matches(said), None) for said in heard.variants)
    return Severity.call_today if named else Severity.digest


def wrong_number(heard: Heard) -> Hit | None:
    """The number reaches somebody else: stop at once, and a person looks at what went there."""
    category = heard.words["wrong_number"]
    language = heard.whole(category.name)
    match = None if language else next(category.matches(heard.spoken), None)
    if language is None and match is None:
        return None
    return Hit(
        intent=Intent.wrong_number,
        severity=Severity.call_today,
        opt_out=True,
        language=match.language if match else language,
    )


def is_theirs(heard: Heard) -> bool:
    """Whether a text says that the number is its writer's own, as it was: "still my number"."""
    return next(heard.words["own_number"].matches(heard.spoken), None) is not None


def start(heard: Heard) -> Hit | None:
    """START, or a text that asks for just that. A bare YES never gives consent (care rule 20)."""
    if _level(heard) and numeric(heard.prompts):
        # "Alta" is high there (care rule 17).
        return None
    keyword = _keyword("start", heard)
    category = heard.words["start"]
    language = keyword[1] if keyword else category.is_whole(heard.flat)
    if language:
        return Hit(intent=Intent.start, opt_in=True, language=language)
    match = next(category.matches(heard.flat), None)
    if match is None:
        return None
    # A wish inside other words lifts nothing by itself: a person asks.
    severity = Severity.next_business_day
    return Hit(intent=Intent.start, severity=severity, language=match.language)


def help_word(heard: Heard) -> Hit | None:
    keyword = _keyword("help", heard)
    return Hit(intent=Intent.help, language=keyword[1]) if keyword else None
