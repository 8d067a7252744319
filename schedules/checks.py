"""What is wrong with a protocol although every line of it can be read.

Steps that wait for each other, phases that overlap, a text that can never be sent, a template that
wants what the step can't give. Each check speaks of a step and points at its line.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from schedules.errors import Fault
from schedules.protocol import (
    COMES_AGAIN,
    DAY_ANCHORS,
    DEADLINE_ANCHORS,
    EXPECTS_NOTHING,
    VISIT_ANCHORS,
    Anchor,
    AnswerTest,
    ConditionKind,
    HistoryKind,
    Moment,
    Protocol,
    StaysOn,
    Step,
)
from schedules.windows import SendWindow
from schedules.yamlfile import KeyPath, Located

#: Placeholders that any step can fill: the clinic's names and numbers, hours from its staffing.
ALWAYS_GIVEN = frozenset({"sms_name", "phone", "until", "window", "date"})
#: Placeholders that need a visit.
VISIT_GIVEN = ALWAYS_GIVEN | {"time", "when", "place", "food", "liq", "link"}

_OPPOSITES = (
    {ConditionKind.CONFIRMED, ConditionKind.NOT_CONFIRMED},
    {ConditionKind.FIRST_DOSE, ConditionKind.LATER_DOSE},
    {ConditionKind.IN_PERSON, ConditionKind.VIRTUAL},
)
_VISIT_CONDITIONS = (frozenset(ConditionKind) - {ConditionKind.NO_DOSE_THAT_DAY}) | {
    HistoryKind.NOT_BOOKED_AGAIN
}
_SCORE_TESTS = {AnswerTest.ANY_SCORE_AT_LEAST, AnswerTest.EVERY_SCORE_AT_LEAST}
_NUMBER_TESTS = frozenset(AnswerTest) - {AnswerTest.INTENT, AnswerTest.ANY_OTHER} - _SCORE_TESTS
_SCALES = {"craving_scale": (0, 10), "side_effect_check": (0, 3)}

#: Any start of a visit serves to compare two moments that count from it.
_SOME_START = datetime(2026, 6, 3, 12, 0)  # noqa: DTZ001 - Wall-clock arithmetic without a zone.


def check(
    protocol: Protocol, file: Located, templates: Mapping[str, frozenset[str]] | None = None
) -> list[Fault]:
    """Give every fault of a readable protocol."""
    faults = list(_same_ids(protocol, file))
    faults += _chains(protocol, file)
    for at, step in enumerate(protocol.steps):
        path = ("steps", at)
        for key, message, mend in _step_faults(protocol, step, templates):
            where: KeyPath = path if key is None else (*path, *_keys(key))
            faults.append(file.fault(where, f"step `{step.id}`: {message}", mend))
    return faults


def _keys(dotted: str) -> KeyPath:
    return tuple(int(key) if key.isdigit() else key for key in dotted.split("."))


#: A fault of a step: the key it is about, what is wrong, and how to mend it.
Found = Iterator[tuple[str | None, str, str]]


def _step_faults(
    protocol: Protocol, step: Step, templates: Mapping[str, frozenset[str]] | None
) -> Found:
    yield from _anchors(protocol, step)
    yield from _never_true(step)
    yield from _never_wanted(protocol, step)
    yield from _phases(step)
    yield from _questions(step)
    if templates is not None:
        yield from _wording(protocol, step, templates)


def _same_ids(protocol: Protocol, file: Located) -> Iterator[Fault]:
    counts = Counter(step.id for step in protocol.steps)
    for at, step in enumerate(protocol.steps):
        if counts[step.id] > 1:
            message = f"the id `{step.id}` is used {counts[step.id]} times"
            yield file.fault(("steps", at, "id"), message, "Give each step an id of its own")


def _chains(protocol: Protocol, file: Located) -> Iterator[Fault]:
    """Follow each step to the one it counts from, until a visit or a day, or round in a circle."""
    for at, step in enumerate(protocol.steps):
        seen = [step.id]
        while (source := step.when.step) is not None:
            found = protocol.step(source)
            message, mend = "", "Count one of them from the visit or from enrollment"
            if found is None:
                message = f"there is no step `{source}`"
                mend = f"Steps are {', '.join(each.id for each in protocol.steps)}"
            elif found.repeat:
                message = f"step `{source}` repeats, so nothing can count from it"
            elif source in seen:
                message = f"the steps wait for each other: {' -> '.join([*seen, source])}"
            if message or found is None:
                yield file.fault(("steps", at, "when"), f"step `{seen[0]}`: {message}", mend)
                break
            seen.append(source)
            step = found  # noqa: PLW2901 - The walk goes on from there.


def _anchors(protocol: Protocol, step: Step) -> Found:
    if step.when.anchor in DEADLINE_ANCHORS:
        mend = "Count `when` from the visit, a day or a step; use this in `latest`"
        yield "when", f"`when` cannot count from `{step.when.anchor}`", mend
    for key, moment in _moments(step):
        if key != "when" and moment.anchor is Anchor.STEP and moment.step != step.when.step:
            yield key, f"`{key}` counts from another step", "Count from `sending` instead"
        elif protocol.visits is None and moment.anchor in VISIT_ANCHORS:
            mend = "Count from enrollment, or enroll visits with `for: {visit: ...}`"
            yield key, f"`{moment.anchor}` needs a visit, and people are enrolled by hand", mend
        elif moment.anchor is Anchor.ENROLLMENT and (protocol.visits or protocol.with_consent):
            mend = "Count from the consent" if protocol.with_consent else "Count from the visit"
            yield key, "they enroll by themselves, on no day of their own", mend
    if step.when.anchor is Anchor.CONSENT and not protocol.with_consent:
        mend = "Write `enroll: with consent`, or count from something else"
        yield "when", "only a protocol that starts with the consent counts from it", mend
    if step.stays_on is not None and step.when.anchor in DAY_ANCHORS:
        yield "stays_on", "`stays_on` is about a visit's day", "Leave it out"


def _moments(step: Step) -> Iterator[tuple[str, Moment]]:
    yield "when", step.when
    yield "latest", step.latest
    if step.answer_until is not None:
        yield "answer_until", step.answer_until
    if step.otherwise is not None:
        yield "otherwise.when", step.otherwise.when
    if step.if_not_delivered is not None:
        yield "if_not_delivered.call_by", step.if_not_delivered.call_by


def _never_true(step: Step) -> Found:
    """Find a text whose span of useful minutes is empty."""
    for key, when, stays_on in (
        ("when", step.when, step.stays_on),
        *(
            [("otherwise", step.otherwise.when, step.otherwise.stays_on)]
            if step.otherwise is not None
            else []
        ),
    ):
        if stays_on is StaysOn.DAY_BEFORE and not _before(when):
            yield key, "it is true only the day before, and goes later", "Count days before"
        elif stays_on is StaysOn.DAY_BEFORE and (when.days or -1) < -1:
            yield key, "it is true only the day before, and goes earlier", "Write `1 day before`"
        elif stays_on is StaysOn.SAME_DAY and (when.days or 0) < 0:
            mend = "Write `stays_on: day before`, or count hours before"
            yield key, "it is true only on the day itself, and goes on an earlier one", mend
    due, latest = _wall(step.when), _latest_wall(step)
    if due is not None and latest is not None and latest <= due:
        mend = "Put `latest` after `when`"
        yield "latest", "it can never be sent, since it is over before it is due", mend
    ends, day = step.latest, 0 if step.stays_on is StaysOn.SAME_DAY else -1
    if step.stays_on is not None and ends.anchor is step.when.anchor and (ends.days or 0) < day:
        mend = "Put `latest` on the day on which the wording is true"
        yield "latest", "it can never be sent, since it is over before the day it is true", mend
    between, window = step.when.between, SendWindow()
    if between and (between[1] <= window.opens or between[0] >= window.closes):
        mend = "Choose a span that meets the send window (09:00-20:00 by default)"
        yield "when", "it can never be sent, since nobody is texted at that time of day", mend


def _before(when: Moment) -> bool:
    return (when.minutes or 0) < 0 or (when.days or 0) < 0


def _wall(moment: Moment) -> datetime | None:
    """Place a moment on the wall clock of a visit at noon, as far as that says anything."""
    if moment.minutes is not None:
        return _SOME_START + timedelta(minutes=moment.minutes)
    day = _SOME_START + timedelta(days=moment.days or 0)
    if moment.own_hour:
        return None
    return day if moment.clock is None else datetime.combine(day.date(), moment.clock)


def _latest_wall(step: Step) -> datetime | None:
    """Place `latest` beside `when`; None where the two can't be compared without a real visit."""
    latest, when = step.latest, step.when
    due = _wall(when)
    if latest.anchor is Anchor.SENDING and due is not None:
        if latest.minutes is not None:
            return due + timedelta(minutes=latest.minutes)
        day = due + timedelta(days=latest.days or 0)
        return day if latest.clock is None else datetime.combine(day.date(), latest.clock)
    # A clock time beside an instant depends on the hour of the visit: only like is compared.
    alike = (latest.minutes is None) == (when.minutes is None) and (
        (latest.clock is None) == (when.clock is None)
    )
    return _wall(latest) if latest.anchor is when.anchor and alike else None


def _never_wanted(protocol: Protocol, step: Step) -> Found:
    """Find conditions that exclude each other, or that this protocol's people can't meet."""
    kinds = {condition.kind for condition in step.only_if}
    for pair in _OPPOSITES:
        if pair <= kinds:
            both = " and ".join(f"`{kind}`" for kind in sorted(pair))
            yield "only_if", f"it can never be sent: {both} exclude each other", "Keep one"
    if protocol.visits is None and (needless := kinds & _VISIT_CONDITIONS):
        mend = "Leave it out, or enroll visits with `for: {visit: ...}`"
        yield "only_if", f"`{min(needless)}` needs a visit", mend
    allowed = protocol.visits.routes if protocol.visits is not None else frozenset()
    for condition in step.only_if:
        if condition.kind is ConditionKind.ROUTE and allowed and not condition.routes & allowed:
            routes = ", ".join(sorted(allowed))
            yield "only_if", f"it can never be sent: this protocol is for {routes}", "Correct one"


def _phases(step: Step) -> Found:
    ordered = sorted(step.repeat, key=lambda phase: phase.first_day)
    for earlier, later in pairwise(ordered):
        if later.first_day <= earlier.last_day:
            message = (
                f"the phases overlap: day {later.first_day} lies in the one that ends on day "
                f"{earlier.last_day}"
            )
            yield "repeat", message, f"Start it on day {earlier.last_day + 1} or later"
    if step.repeat and step.when.minutes is not None:
        mend = "Write it like `same day as enrollment at 17:00`"
        yield "when", "a repeat is counted in days, and this counts hours", mend
    if step.repeat and step.when.anchor in COMES_AGAIN:
        mend = "Count from enrollment, and write `again: for 7 days after last dose`"
        yield "when", f"a repeat cannot count from `{step.when.anchor}`, which comes again", mend
    if step.again is not None and not step.repeat:
        yield "again", "`again` takes up a repeat, and there is none", "Add `repeat: ...`"
    if step.repeat and step.otherwise is not None:
        yield "otherwise", "a repeated step has one form only", "Leave it out"


def _questions(step: Step) -> Found:
    """Find rules about answers that are never asked for, or never read that way."""
    asks = step.expects != EXPECTS_NOTHING
    low, high = _scale(step.expects)
    for at, rule in enumerate(step.on_answer):
        number = rule.when.number
        if rule.when.test in _NUMBER_TESTS and (number is None or not low <= number <= high):
            mend = "Name a number of its scale" if high else "Ask for a number in `expects`"
            yield f"on_answer.{at}", f"no answer can ever be `{number}` here", mend
        if (rule.when.test in _SCORE_TESTS) is not (step.form is not None):
            mend = "Say `form: ...` for scores, and test nothing else of a form"
            yield f"on_answer.{at}", "scores are those of a form, and it has nothing else", mend
    if step.needs_staffed_minutes and not _before(step.when):
        mend = "Leave it out, or count `when` back from the visit"
        yield "needs_staffed_hours", "staffed hours are counted up to a visit's start", mend
    if asks and step.answer_until is None:
        mend = "Write until when an answer counts, such as `24 hours after sending`"
        yield None, "it asks something, and `answer_until` is missing", mend
    if asks:
        return
    for key, given in (
        ("answer_until", step.answer_until),
        ("nudge", step.nudges),
        ("pause_after", step.pause_after),
        ("unanswered", step.unanswered),
        ("on_answer", step.on_answer),
    ):
        if given:
            yield key, f"it asks nothing, so `{key}` has no meaning", "Add `expects: ...`"


def _scale(expects: str) -> tuple[int, int]:
    """Give the numbers a context reads; (0, 0) when it reads none."""
    if expects.startswith("scale:"):
        low, _, high = expects.removeprefix("scale:").partition("-")
        return int(low), int(high)
    return _SCALES.get(expects, (0, 0))


def _wording(protocol: Protocol, step: Step, templates: Mapping[str, frozenset[str]]) -> Found:
    given = ALWAYS_GIVEN if protocol.visits is None else VISIT_GIVEN
    if step.form is not None:
        given |= {"link"}
    for template in step.templates():
        wanted = templates.get(template)
        if wanted is None:
            mend = "Use a key of the text catalogue, or add the text in every language"
            yield "template", f"there is no text `{template}`", mend
        elif (missing := sorted(wanted - given)) == ["link"]:
            mend = "Say which form: `form: ...`, or use another text"
            yield "template", f"the text `{template}` wants {{link}}, and nothing gives one", mend
        elif missing:
            names = ", ".join(f"{{{name}}}" for name in missing)
            mend = "Use another text, or enroll visits with `for: {visit: ...}`"
            yield "template", f"the text `{template}` wants {names}, which need a visit", mend
