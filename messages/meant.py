"""What few words say under what our last texts were about, where by themselves they say another.

"Took them all" answers whether the medicines were taken, "I will do it tonight" the reminder of a
form, and either may be a plea where nothing of that kind went out. Only a text that is nothing but
such words is read so; whatever stands beside them, it is read like any other.
"""

from collections.abc import Callable

from messages import answers, scores
from messages.binding import numeric
from messages.reading import Heard, Hint, Hit, Intent, Severity, Topic


def told(heard: Heard) -> list[Hit]:
    """Return what the whole text says under one of our topics; nothing where none is meant."""
    for topic, said in _SAID.items():
        if topic in heard.topics and (hits := said(heard)):
            return hits
    return _too_many(heard) or _as_every_day(heard)


def _medicines(heard: Heard) -> list[Hit]:
    """Taken as planned, or all of them: a yes. Whoever names all may mean more; a person looks."""
    answer = answers.whole("took_medicines", heard) or answers.whole("took_them", heard)
    if answer:
        return _kept(answers.to_a_question(heard, yes=True, language=answer))
    answer = answers.whole("took_all", heard)
    found = _kept(answers.to_a_question(heard, yes=True, language=answer)) if answer else []
    return [*found, _looked_at()] if found else []


def _ride(heard: Heard) -> list[Hit]:
    """Whoever means to drive has no ride home."""
    language = answers.whole("drives_alone", heard)
    return _kept(answers.to_a_question(heard, yes=False, language=language)) if language else []


def _form(heard: Heard) -> list[Hit]:
    """Filled in, or to be; of what somebody is going to do a person reads all the same."""
    said, later = answers.whole("form_said", heard), answers.whole("form_later", heard)
    if not said and not later:
        return []
    thanks = Hit(intent=Intent.thanks_no_action, language=said or later)
    return [thanks] if said else [thanks, _looked_at()]


#: The answers that the texts after a dose offer, in their own words and what people say for them.
_NUMBERS = {
    Topic.EVENING: {"0": ("well", "fine"), "1": ("bit_off",), "2": ("unwell",)},
    Topic.MORNING: {
        "0": ("well", "fine", "usual_self", "yes"),
        "1": ("bit_off", "almost"),
        "2": ("unwell", "not_usual_self", "no"),
    },
}
#: Three is a call, which a text offers only while somebody is there (care rule 11).
_OFFERS_A_CALL, _CALL = "side_effect_check", ("call", "wants_call")


def _number(topic: Topic) -> Callable[[Heard], list[Hit]]:
    """Read an option of a text after a dose that is told by its words: "fine", "2 unwell"."""
    options = _NUMBERS[topic]

    def said(heard: Heard) -> list[Hit]:
        contexts = {prompt.context for prompt in heard.prompts}
        if heard.asks or len(contexts) != 1 or not numeric(heard.prompts):
            return []
        offered = {"3": _CALL} if contexts == {_OFFERS_A_CALL} else {}
        for number, groups in (options | offered).items():
            if any(answers.whole(group, heard) for group in groups):
                return [scores.given(number, heard)]
        return []

    return said


_SAID = {
    Topic.MEDICINES: _medicines,
    Topic.RIDE: _ride,
    Topic.FORM: _form,
    Topic.EVENING: _number(Topic.EVENING),
    Topic.MORNING: _number(Topic.MORNING),
}


def beside(heard: Heard) -> list[Hit]:
    """Return what a text says besides about what it must not be: food before a dose."""
    if Topic.FOOD not in heard.topics or next(heard.words["ate"].matches(heard.flat), None) is None:
        return []
    return [Hit(intent=Intent.unclear, severity=Severity.call_today, aside=True)]


def _too_many(heard: Heard) -> list[Hit]:
    """Too many of what is counted is no number, and no overdose."""
    if not numeric(heard.prompts) or not answers.whole("too_many", heard):
        return []
    return [Hit(intent=Intent.unclear, severity=Severity.next_business_day)]


def _as_every_day(heard: Heard) -> list[Hit]:
    """Somebody's own medicines, in so many words ("took my meds"): a person reads it today."""
    language = answers.whole("own_medicines", heard)
    if not language or heard.asks:
        return []
    return [
        Hit(
            intent=Intent.unclear,
            severity=Severity.call_today,
            hint=Hint.possible_risk,
            language=language,
        )
    ]


def _kept(hit: Hit | None) -> list[Hit]:
    return [hit] if hit is not None else []


def _looked_at() -> Hit:
    return Hit(
        intent=Intent.unclear, severity=Severity.call_today, hint=Hint.possible_risk, aside=True
    )
