"""What a text resembles where the word lists understood too little: a second reader.

It only ever adds. What the lists found stands, though something else may stand before it; a denial
they found is never overruled; and numbers, a start, and a stop in a word or two are left
to them. Learned readers (`messages.ensemble`) give probabilities, `data/resemblance.yaml` says
from which on they count.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from messages import datafiles, keywords
from messages.answers import answered
from messages.detached import Detached, look
from messages.ensemble import BODILY, GRAVE, Alike, danger_in, ending_in, is_danger
from messages.reading import Heard, Hint, Hit, Intent, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From which probability on a resemblance counts."""

    page: float
    page_short: float
    page_tiny: float
    page_joined: float
    agreed: float
    look: float
    maybe_stop: float
    stop: float
    stop_short: float
    stop_asked: float
    stop_beside: float
    wrong_asked: float
    wrong_number: float
    other: float
    other_tiny: float
    surely_tiny: float
    nobody_looks: float
    besides: float
    rather: float
    hardly: float
    surely: float
    barely: float
    everyday: float
    everyday_meant: float


@lru_cache(maxsize=1)
def thresholds() -> Thresholds:
    """Return the shipped thresholds."""
    return Thresholds(**{name: float(value) for name, value in datafiles.load(_FILE).items()})


# Few words resemble much, and a word or two too much.
_FEW_WORDS, _TINY = 5, 2
_FILE = "data/resemblance.yaml"
# Each goes to a person or needs nobody; none changes a score, a consent or a visit by itself. A
# start is a wish for one, and help is answered as HELP is.
_OTHERS: Mapping[str, Severity | None] = {
    Intent.side_effect: Severity.call_today,
    Intent.use_disclosed: Severity.call_today,
    Intent.callback_request: Severity.call_today,
    Intent.question_for_staff: Severity.next_business_day,
    Intent.thanks_no_action: None,
    Intent.pause: Severity.digest,
    Intent.start: Severity.next_business_day,
    Intent.help: Severity.next_business_day,
}
# What a text about texts is answered with says nothing to somebody in need.
_SERVED = frozenset({Intent.help, Intent.start})
# What is said besides is for a person, as soon as it would be alone.
_READ_BY: Mapping[str, Severity | None] = {
    **_OTHERS,
    Intent.confirm: Severity.next_business_day,
    Intent.decline_reschedule: Severity.call_today,
    Intent.running_late: Severity.call_today,
}
_ANSWERS = frozenset({Intent.confirm, Intent.decline_reschedule, Intent.running_late})


def resembling(
    heard: Heard, alike: Alike, hits: Sequence[Hit], *, joined: bool = False
) -> list[Hit]:
    """Return what a text says by its resemblance besides what the lists found in it.

    `joined` texts resemble more together than any of them says.
    """
    told = sum(word.isalpha() for word in alike.words)
    if not told:
        return []
    if any(hit.severity is Severity.page_now for hit in hits):
        return _another_danger(alike, hits)
    if any(hit.opt_out and hit.value for hit in hits):
        # A keyword is the whole text, in whatever letters and dots: it says nothing else.
        return []
    found = alike.together
    likely = _likely(heard, found.first, told, hits)
    limits = _limits(told, joined=joined)
    first = [hit for hit in _first(heard, likely, limits, hits) if hit is not None]
    return [*first, *_besides(found.said, limits, [*first, *hits])]


def _first(
    heard: Heard, likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]
) -> list[Hit | None]:
    """Return what a text is above all, where that is none of what the lists found in it."""
    found = [
        _danger(heard, likely, limits, hits),
        _stop(heard, likely, limits, hits),
        _wish_back(likely, limits, hits),
    ]
    if any(not hit.aside for hit in hits):
        found.append(_graver(likely, limits, hits) or _rather(heard, likely, limits, hits))
    elif all(hit is None or hit.aside for hit in found):
        found.append(_other(heard, likely, limits, hits))
    return found


def _likely(
    heard: Heard, likely: Mapping[str, float], told: int, hits: Sequence[Hit]
) -> Mapping[str, float]:
    """Return how likely the text is what.

    A word or two keep a visit or give it up only where they surely do and ask nothing. Of a yes the
    lists know the short words, so what they take for something else ("ok") is none.
    """
    if told > _TINY:
        return likely
    surely = thresholds().surely_tiny
    least = dict.fromkeys(_ANSWERS, math.inf if heard.asks else surely)
    if any(not hit.aside for hit in hits):
        least[Intent.confirm] = math.inf
    unsure = {name for name in _ANSWERS if likely.get(name, 0.0) < least[name]}
    return {name: 0.0 if name in unsure else share for name, share in likely.items()}


def _limits(told: int, *, joined: bool) -> Thresholds:
    """Return the thresholds of a text of so many words."""
    return _limits_of(min(told, _FEW_WORDS + 1), joined=joined)


@lru_cache
def _limits_of(told: int, *, joined: bool) -> Thresholds:
    limits = thresholds()
    if joined:
        return replace(limits, page=limits.page_joined)
    if told <= _TINY:
        page, other, never = limits.page_tiny, limits.other_tiny, math.inf
        return replace(
            limits,
            besides=never,
            page=page,
            look=other,
            other=other,
            surely=limits.surely_tiny,
            maybe_stop=other,
            stop=never,
            stop_asked=never,
            stop_beside=never,
            wrong_asked=never,
            wrong_number=never,
        )
    if told <= _FEW_WORDS:
        return replace(limits, page=limits.page_short, stop=limits.stop_short)
    return limits


def _danger(
    heard: Heard, likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]
) -> Hit | None:
    dangers = {label: share for label, share in likely.items() if is_danger(label)}
    whole = danger_in(likely)
    if any(hit.hint is Hint.denied for hit in hits):
        return None
    if whole >= max(limits.page, limits.agreed * _agreed(likely, hits)):
        named = {**dangers, Intent.side_effect.value: likely.get(Intent.side_effect, 0.0)}
        label = max(named, key=lambda each: named[each])
        # Who feels detached and alone is paged and answered as that (care rule 12), unless the text
        # much resembles one danger.
        detached = named[label] < limits.surely and look(heard.body) is Detached.ALARMED
        return _page(GRAVE if detached else label)
    if whole >= limits.look:
        return Hit(
            intent=Intent.unclear,
            severity=Severity.call_today,
            hint=Hint.possible_risk,
            aside=True,
        )
    return None


def _another_danger(alike: Alike, hits: Sequence[Hit]) -> list[Hit]:
    """Return the danger that a text surely tells of where the lists page for another one.

    Both are answered; which one first is what whoever is on call reads first. A body in danger
    never stands behind what somebody means to do. A page waits for no slow reader.
    """
    likely = alike.quick
    label = max(likely, key=lambda each: likely[each])
    first = next(hit for hit in hits if not hit.aside)
    bodily = label in BODILY or first.intent not in BODILY
    named = is_danger(label) and label != GRAVE and likely[label] >= thresholds().surely
    return [_page(label)] if named and bodily else []


def _agreed(likely: Mapping[str, float], hits: Sequence[Hit]) -> float:
    """Return how likely it is what both readers take the text for, danger left out; else 0."""
    others = {label: share for label, share in likely.items() if not is_danger(label)}
    label = max(others, key=lambda each: others[each])
    heard = next((hit.intent for hit in hits if not hit.aside), None)
    return others[label] if label == heard else 0.0


def _page(label: str) -> Hit:
    """Return the page for a danger; a symptom that is likelier than any one of them names it."""
    name, _, value = label.partition(":")
    return Hit(
        intent=Intent.side_effect if name == GRAVE else Intent(name),
        value=value or None,
        severity=Severity.page_now,
        hint=Hint.resembles,
    )


# A stop may be put as these; a pause, or that somebody is late, says that texts go on.
_POLITELY_PUT = frozenset(
    {Intent.callback_request, Intent.question_for_staff, Intent.thanks_no_action}
)


def _stop(
    heard: Heard, likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]
) -> Hit | None:
    """Return a stop that no list knows; asked as a question it is one too ("can you end these?").

    What is too little for that, a person asks about.
    """
    if any(hit.opt_out or hit.hint in {Hint.maybe_stop, Hint.scale_or_stop} for hit in hits):
        return None
    whole = ending_in(likely)
    wrong = likely.get("wrong_number", 0.0) > likely.get("stop", 0.0)
    said = {hit.intent for hit in hits if not hit.aside}
    only = said <= _POLITELY_PUT
    if not said:
        enough = limits.wrong_number if wrong else limits.stop
    elif wrong:
        # "Who gave you my number?" asks, and by itself says nothing of a stranger.
        enough = limits.wrong_asked
    else:
        enough = limits.stop_asked if only else limits.stop_beside
    back = likely.get(Intent.start, 0.0) > limits.hardly
    if whole >= enough and keywords.is_theirs(heard):
        return _asked_about()
    if whole >= enough and not _worries(hits) and not back:
        return Hit(
            intent=Intent.wrong_number if wrong else Intent.stop,
            severity=Severity.call_today,
            opt_out=True,
            hint=Hint.resembles,
        )
    return _asked_about() if whole >= limits.maybe_stop and only else None


def _asked_about() -> Hit:
    """Return that a person asks today whether it is a stop."""
    return Hit(
        intent=Intent.unclear, severity=Severity.call_today, hint=Hint.maybe_stop, aside=True
    )


def _wish_back(likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]) -> Hit | None:
    """Return a wish to be texted again beside a stop: "I said stop but I was drunk. Put me back".

    The stop is one all the same, and a person reads the text.
    """
    if likely.get(Intent.start, 0.0) < limits.other or not any(hit.opt_out for hit in hits):
        return None
    severity = _OTHERS[Intent.start]
    return Hit(intent=Intent.start, severity=severity, hint=Hint.resembles, aside=True)


_KEPT_OR_NOT = frozenset({Intent.confirm, Intent.decline_reschedule})


def _besides(said: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]) -> list[Hit]:
    """Return what a text says besides: "8, and my sister would like to come along".

    Somebody reads it; nothing is answered, given up or confirmed by it. Beside danger and what is
    not understood it adds nothing, since both are read anyway.
    """
    first = next((hit for hit in hits if not hit.aside), None)
    if first is None or any(hit.severity is Severity.page_now for hit in hits):
        return []
    known = {hit.intent for hit in hits}
    if first.intent is Intent.thanks_no_action:
        # "Good to go" confirms nothing that nobody asked for.
        known.add(Intent.confirm)
    if first.intent in _KEPT_OR_NOT:
        # A visit is kept or given up, and not both.
        known |= _KEPT_OR_NOT
    return [
        Hit(intent=Intent(label), severity=_READ_BY[label], aside=True)
        for label, share in said.items()
        if share >= limits.besides and Intent(label) not in known
    ]


def _graver(likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]) -> Hit | None:
    """Return a symptom or a lapse told beside an answer: "3, and I drank on Friday"."""
    label = max(likely, key=lambda each: likely[each])
    known = any(hit.intent in GRAVER or hit.opt_out for hit in hits)
    if known or label not in GRAVER or likely[label] < limits.other:
        return None
    return Hit(intent=Intent(label), severity=_OTHERS[label], hint=Hint.resembles)


GRAVER = frozenset({Intent.side_effect, Intent.use_disclosed})


# What a word in passing can make the lists hear, and what harms nobody where it is not answered
# first: symptoms, lapses and visits given up are, and a number, a start or a yes is said outright.
_HEARD_IN_PASSING = frozenset(
    {
        *(Intent.callback_request, Intent.pause, Intent.question_for_staff),
        *(Intent.running_late, Intent.thanks_no_action),
    }
)


def _rather(
    heard: Heard, likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]
) -> Hit | None:
    """Return what a text resembles where it hardly resembles what a word made the lists hear.

    "My boss added a double shift, could we do the weekend instead?" is no mere question. What the
    lists heard stays beside it, for whoever reads the text.
    """
    heard_first = next(hit for hit in hits if not hit.aside)
    passing = heard_first.intent in _HEARD_IN_PASSING
    if any(hit.opt_out for hit in hits) or heard_first.intent in _NEVER_BEHIND:
        return None
    least = limits.rather if passing else limits.surely
    most = limits.hardly if passing else limits.barely
    label = max(likely, key=lambda each: likely[each])
    if likely[label] < least or likely.get(heard_first.intent, 0.0) > most:
        return None
    if label == Intent.confirm and heard.asks and likely[label] < limits.surely:
        # No likeness makes a yes of a question that it is not sure of.
        return None
    if label == Intent.running_late and heard_first.intent is Intent.decline_reschedule:
        # "Cant make it, the bus is late": what is given up is not kept by being late.
        return None
    return _named(heard, label, likely, limits, hits)


# A number is what it says, and a wish to be texted again or for help is one.
_NEVER_BEHIND = frozenset({Intent.score, Intent.score_out_of_range, Intent.start, Intent.help})


def _other(
    heard: Heard, likely: Mapping[str, float], limits: Thresholds, hits: Sequence[Hit]
) -> Hit | None:
    label = max(likely, key=lambda each: likely[each])
    return _named(heard, label, likely, limits, hits) if likely[label] >= limits.other else None


def _worries(hits: Sequence[Hit]) -> bool:
    """Say whether the lists heard what may be danger, or one denied.

    A person reads such a text today, whatever it surely says besides; no likeness stops texts by
    it or confirms a visit.
    """
    return any(hit.hint in {Hint.possible_risk, Hint.denied} for hit in hits)


def _named(
    heard: Heard,
    label: str,
    likely: Mapping[str, float],
    limits: Thresholds,
    hits: Sequence[Hit],
) -> Hit | None:
    """Return a text as what it resembles, if that is anything that a likeness may name."""
    surely = label != Intent.confirm and likely[label] >= limits.surely
    if _worries(hits) and label in {*_ANSWERS, Intent.thanks_no_action} and not surely:
        return None
    if label in _SERVED and (_worries(hits) or danger_in(likely) >= limits.look):
        return None
    if label == Intent.start and heard.words["start"].is_excused(heard.flat):
        return None
    if label == Intent.thanks_no_action and likely[label] < limits.nobody_looks:
        # Nobody looks at thanks; at what only resembles them, somebody does.
        severity = Severity.next_business_day
        return Hit(intent=Intent.thanks_no_action, severity=severity, hint=Hint.resembles)
    if label in _OTHERS:
        return Hit(intent=Intent(label), severity=_OTHERS[label], hint=Hint.resembles)
    return answered(Intent(label), heard) if label in _ANSWERS else None
