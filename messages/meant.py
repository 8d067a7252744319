"""What few words say under what our last texts were about, where by themselves they say another.

"Took them all" answers whether the medicines were taken, "I will do it tonight" the reminder of a
form, and either may be a plea where nothing of that kind went out. Only a text that is nothing but
such words is read so; whatever stands beside them, it is read like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from messages import answers, meant_unasked, scores
from messages.binding import APPOINTMENT, YES_NO, numeric
from messages.meaning import ASKED as _ASKED
from messages.meaning import RISK as _RISK
from messages.meaning import SOON as _SOON
from messages.meaning import THANKS as _THANKS
from messages.meaning import TODAY as _TODAY
from messages.meaning import Said as _Said
from messages.meaning import contexts as _contexts
from messages.meaning import looked_at as _looked_at
from messages.meaning import told as _told
from messages.meaning import whole as _whole
from messages.reading import Heard, Hint, Hit, Intent, Severity, Topic


def told(heard: Heard) -> list[Hit]:
    """Return what the whole text says under one of our topics; nothing where none is meant.

    Whoever may want the call that was offered is called, and no question is answered by it: "yes".
    """
    unasked = _under(meant_unasked.SAID, heard)
    if any(hit.intent is Intent.callback_request for hit in unasked):
        return unasked
    found = _under(_SAID, heard) or unasked
    # Whatever is said by many is all that a text says.
    return found or (_first(_BY_MANY, heard) if heard.wholly else [])


def _under(table: Mapping[Topic, tuple[_Said, ...]], heard: Heard) -> list[Hit]:
    if not heard.topics:
        return []
    found = (_first(said, heard) for topic, said in table.items() if topic in heard.topics)
    return next(filter(None, found), [])


def beside(heard: Heard, hits: Sequence[Hit]) -> list[Hit]:
    """Return what a text says besides that staff must know before a dose, today.

    Food that was eaten, or must be; a question about food or medicines; news about health. A yes
    to that question is called about already.
    """
    if Topic.FOOD in heard.topics:
        if _says("ate", heard) or _says("must_eat", heard):
            return [Hit(intent=Intent.unclear, severity=_TODAY, aside=True)]
        if any(hit.intent is _ASKED for hit in hits) and _says("food_asked", heard):
            return [Hit(intent=_ASKED, severity=_TODAY, aside=True)]
    told_so = any(hit.intent is Intent.confirm and hit.prompt for hit in hits)
    if Topic.HEALTH in heard.topics and not told_so and _says("health_news", heard):
        return [Hit(intent=Intent.unclear, severity=_TODAY, aside=True)]
    return meant_unasked.read_today(heard, hits)


def _says(group: str, heard: Heard) -> bool:
    return next(heard.words[group].matches(heard.flat), None) is not None


def _first(readings: tuple[_Said, ...], heard: Heard) -> list[Hit]:
    return next((hits for said in readings if (hits := said(heard))), [])


def _answer(*groups: str, yes: bool, looked_at: bool = False, topic: Topic | None = None) -> _Said:
    """Read words as the yes or no that was asked for; where they may mean more, a person looks."""

    def said(heard: Heard) -> list[Hit]:
        language = None if heard.asks else _whole(groups, heard)
        if language is None:
            return []
        found = answers.to_a_question(heard, yes=yes, language=language, topic=topic)
        if found is None:
            return []
        return [found, _looked_at()] if looked_at else [found]

    return said


def _visit(*groups: str, keeps: bool) -> _Said:
    """Read words as that a visit is kept or given up, where no yes or no is asked for as well."""

    def said(heard: Heard) -> list[Hit]:
        language = None if heard.asks or YES_NO in _contexts(heard) else _whole(groups, heard)
        found = answers.to_a_visit(heard, keeps=keeps, language=language) if language else None
        return [] if found is None else [found]

    return said


def _form_later(heard: Heard) -> list[Hit]:
    """To be filled in; of what somebody is going to do a person reads all the same."""
    language = heard.whole("form_later")
    return [Hit(intent=_THANKS, language=language), _looked_at()] if language else []


def _rest(heard: Heard) -> list[Hit]:
    """A rest from what the text offers one from; in these words somebody may mean another."""
    language = heard.whole("rests")
    pause = Hit(intent=Intent.pause, severity=Severity.digest, language=language)
    return [pause, _looked_at()] if language else []


#: What texts offer by number, in their own words and what people say for them.
_NUMBERS: dict[Topic, dict[str, tuple[str, ...]]] = {
    Topic.EVENING: {"0": ("well", "fine", "fine_and_you"), "1": ("bit_off",), "2": ("unwell",)},
    Topic.MORNING: {
        "0": ("well", "fine", "fine_and_you", "usual_self", "yes"),
        "1": ("bit_off", "almost"),
        "2": ("unwell", "not_usual_self", "no"),
    },
    Topic.CRAVING: {"10": ("worst",)},
    Topic.COUNT: {"0": ("none_told",), "1": ("one_counted",), "2": ("two_counted",)},
    Topic.CONFIDENCE: {"0": ("not_at_all",), "10": ("wholly",)},
    Topic.SLEEP: {"0": ("no_one",), "7": ("every_one",)},
    Topic.WEEK: {"0": ("no_one", "on_plan"), "7": ("every_one",)},
}
#: Three is a call, which a text offers only while somebody is there (care rule 11).
_OFFERS_A_CALL, _CALL = "side_effect_check", ("call", "wants_call")
_AFTER_A_DOSE = frozenset({Topic.EVENING, Topic.MORNING})
#: "Fine, and you?" asks for nothing.
_ASKED_BACK: dict[str, tuple[str, ...]] = {"0": ("fine_and_you",)}


def _number(topic: Topic) -> _Said:
    """Read an option of a text that is told by its words: "fine", "2 unwell"."""

    def said(heard: Heard) -> list[Hit]:
        contexts = {prompt.context for prompt in heard.prompts}
        if len(contexts) != 1 or not numeric(heard.prompts):
            return []
        options = _NUMBERS[topic] | ({"3": _CALL} if contexts == {_OFFERS_A_CALL} else {})
        if heard.asks:
            options = _ASKED_BACK if topic in _AFTER_A_DOSE else {}
        number = next((each for each, groups in options.items() if _whole(groups, heard)), None)
        return [] if number is None else [scores.given(number, heard)]

    return said


#: After a dose that is how somebody is, and no wish to be left out.
_CONFUSED = _told("confused_now", intent=Intent.side_effect, severity=_TODAY)


def _once(heard: Heard) -> list[Hit]:
    """Read "once" as one time, but from who texts in Spanish, in which it is eleven."""
    language = heard.whole("counted_once")
    sure = language == heard.language or len(heard.flat.words) > 1
    only = len(heard.prompts) == 1 and not heard.asks
    return [scores.given("1", heard)] if language and sure and only else []


def _left_open(heard: Heard) -> list[Hit]:
    """Nothing to talk about gives no visit up; it may answer a yes or no as well."""
    return [] if YES_NO in _contexts(heard) else _told("nothing_to_say", severity=_SOON)(heard)


def _no_news(heard: Heard) -> list[Hit]:
    """Nothing is new with who is fine; where a visit or a ride was asked about since, it is a yes.

    "All good" may keep that visit.
    """
    asked = [prompt for prompt in heard.prompts if prompt.context in {YES_NO, APPOINTMENT}]
    last = max(asked, key=lambda prompt: prompt.asked_at, default=None)
    others = sum(prompt.context == YES_NO for prompt in asked) > 1
    if others or last is None or not (last.topic is Topic.HEALTH or len(asked) == 1):
        return []
    groups = ("nothing_new", "no_news", "well", "fine")
    return _answer(*groups, yes=False, topic=Topic.HEALTH)(heard)


def _of_no_visit(heard: Heard) -> list[Hit]:
    """C confirms a visit, where one can be; to a question about health it says nothing."""
    if APPOINTMENT in _contexts(heard) or heard.whole("yes"):
        return []
    return _told("confirm", severity=_SOON)(heard)


def _cancelled(heard: Heard) -> list[Hit]:
    """Give up the visit that a text of ours names: "cancel it", and no more than that word, stops.

    It says nothing to a question with yes or no that is open as well.
    """
    language = heard.whole("cancels_it")
    of_visits = tuple(each for each in heard.prompts if each.context == APPOINTMENT)
    asked = replace(heard, prompts=of_visits)
    hit = answers.to_a_visit(asked, keeps=False, language=language) if language else None
    return [hit] if hit is not None else []


_OF_A_VISIT: tuple[_Said, ...] = (
    _cancelled,
    _visit("keeps_as_is", keeps=True),
    _left_open,
    _visit("old_time", keeps=False),
    # It may be a stranger's, or about another visit: a person asks the same day.
    _told("not_booked", "other_visit", severity=_TODAY, hint=Hint.maybe_stop),
)

_SAID: dict[Topic, tuple[_Said, ...]] = {
    Topic.MEDICINES: (
        _answer("own_medicines", "took_medicines", "took_them", yes=True),
        # Whoever names all may mean more.
        _answer("took_all", "took_everything", yes=True, looked_at=True),
        _answer("took_not", "missed_medicines", yes=False),
        # "Stopped" and "I'm out" may be meant for the texts.
        _answer("ran_out", yes=False, looked_at=True),
        _told("takes_now", severity=_TODAY, hint=_RISK),
    ),
    Topic.RIDE: (
        _cancelled,
        _answer("drives_alone", "walks_home", "no_way_home", yes=False, topic=Topic.RIDE),
        _answer("rides_with", "ride_named", "ride_set", yes=True, topic=Topic.RIDE),
        # Whether a taxi will do, a clinic says.
        _answer("ride_paid", yes=True, looked_at=True, topic=Topic.RIDE),
        _told("wont_drive", severity=_SOON),
    ),
    Topic.HEALTH: (
        _cancelled,
        _no_news,
        _of_no_visit,
        _told("small_medicines", severity=_TODAY),
    ),
    Topic.PLAN: (
        _answer("plan_set", "has_plan", yes=True),
        # Elsewhere it is the plan of somebody who means to die.
        _answer("a_plan", yes=True, looked_at=True),
        _answer("no_plan", yes=False),
    ),
    Topic.NEXT: (
        _answer("not_now", "not_next", "no_call", yes=False),
        _told("booked_already", severity=_SOON),
        # It may be said of our texts too.
        _answer("no_more", yes=False, looked_at=True),
    ),
    Topic.HOME: (_answer("not_ready", yes=False),),
    Topic.FORM: (
        _told("form_said", "form_took", intent=_THANKS),
        _told("form_not_now", severity=_SOON),
        _form_later,
        _told("form_wont", severity=_TODAY, hint=_RISK),
    ),
    Topic.EVENING: (
        _CONFUSED,
        _told("drives_now", severity=_TODAY),
        _told("wont_drive", intent=_THANKS),
        _number(Topic.EVENING),
    ),
    Topic.MORNING: (_CONFUSED, _number(Topic.MORNING)),
    Topic.CRAVING: (_number(Topic.CRAVING), _rest),
    Topic.COUNT: (_once, _number(Topic.COUNT), _rest),
    Topic.CONFIDENCE: (_number(Topic.CONFIDENCE), _rest),
    Topic.SLEEP: (_number(Topic.SLEEP), _told("bad_nights", severity=_SOON), _rest),
    Topic.WEEK: (_number(Topic.WEEK), _rest),
    Topic.FOOD: (
        # Nothing was eaten: neither a "no" to the visit nor a yes.
        _told("fasting", intent=_THANKS),
        _told("pills_asked", "must_eat", intent=_ASKED, severity=_TODAY),
        *_OF_A_VISIT,
    ),
    Topic.VISIT: _OF_A_VISIT,
    Topic.CHANGE: (_cancelled,),
}


def _trouble(heard: Heard) -> list[Hit]:
    """What hinders somebody and gives no visit up; before one, it is for today."""
    asked = _contexts(heard)
    groups = ("link_trouble", "link_broken", *(("without_papers",) if APPOINTMENT in asked else ()))
    return _told(*groups, intent=_ASKED, severity=_TODAY if APPOINTMENT in asked else _SOON)(heard)


def _unsure(heard: Heard) -> list[Hit]:
    """Whoever is not sure of what was asked; unasked, "no estoy segura" may say "not safe"."""
    asked = _contexts(heard)
    severity = _TODAY if asked & {APPOINTMENT, YES_NO} else _SOON
    return _told("unsure", severity=severity)(heard) if asked else []


def _after_all(heard: Heard) -> list[Hit]:
    """Whoever comes after all speaks of the visit, and of no question that is open without one."""
    return [] if APPOINTMENT in _contexts(heard) else _told("after_all", severity=_TODAY)(heard)


def _no_longer(heard: Heard) -> list[Hit]:
    """No more of what was asked about; unasked, of our texts."""
    language = heard.whole("no_longer")
    if not language or not _contexts(heard):
        return []
    found = answers.to_a_question(heard, yes=False, language=language)
    asked_about = Hit(
        intent=Intent.unclear, severity=_TODAY, hint=Hint.maybe_stop, language=language
    )
    return [found or asked_about]


def _refused(heard: Heard) -> list[Hit]:
    """A no to our texts, where nothing else was asked that it may be a no to."""
    language = heard.whole("refuses_texts")
    if not language or _contexts(heard) or heard.asks:
        return []
    severity = Severity.digest
    return [Hit(intent=Intent.stop, severity=severity, opt_out=True, language=language)]


def _too_many(heard: Heard) -> list[Hit]:
    """Too many of what is counted is no number, and no overdose."""
    return _told("too_many", severity=_SOON)(heard) if numeric(heard.prompts) else []


def _wrong_figure(heard: Heard) -> list[Hit]:
    """Who answered a number a moment ago has that wrong, and not we theirs."""
    groups = ("figure_slip", "wrong_figure") if heard.number_given else ("figure_slip",)
    return _told(*groups, severity=_TODAY, hint=Hint.maybe_stop)(heard)


def _sent_already(heard: Heard) -> list[Hit]:
    """Say of "I did" under a number that it is none, and tells of no lapse."""
    return _told("answered_already", severity=_SOON)(heard) if numeric(heard.prompts) else []


#: Said by many whatever was asked, and resembling what it is not.
_ANYWHERE: tuple[_Said, ...] = (
    _too_many,
    _wrong_figure,
    _sent_already,
    # Somebody's own medicines, in so many words ("took my meds").
    _told("own_medicines", severity=_TODAY, hint=_RISK),
    _trouble,
    _unsure,
    _after_all,
    _no_longer,
    _refused,
    _told("no_call", "no_pause", "own_mistake", severity=_SOON),
    _told("no_talk", severity=_TODAY, hint=_RISK),
    _told("wants_texts", intent=Intent.start, severity=_SOON),
    _told("had_emergency", "emergency_past", severity=_TODAY, hint=_RISK),
    _told("another_visit", severity=_TODAY),
    _told("best_effort", intent=_THANKS),
    # Often a stranger's first words, and the answer to a welcome; a person compares the names.
    _told("introduces", severity=_SOON),
    _told("asks_why", intent=_ASKED, severity=_SOON),
)
_BY_MANY = (*_ANYWHERE, *meant_unasked.ANYWHERE)
