"""What is wrong with a protocol although every line of it can be read.

Steps that wait for each other, phases that overlap, a text that can never be sent, a template that
wants what the step can't give. Each check speaks of a step or a task and points at its line. What
these rules let through is played through at last (`rehearsal`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from schedules import rule_faults, term_faults
from schedules.errors import Fault
from schedules.moments import days_on
from schedules.protocol import (
    COMES_AGAIN,
    DAY_ANCHORS,
    DEADLINE_ANCHORS,
    VISIT_ANCHORS,
    Anchor,
    Condition,
    ConditionKind,
    Duty,
    HistoryKind,
    Moment,
    Protocol,
    StaysOn,
    Step,
)
from schedules.reasons import SkipReason
from schedules.rehearsal import comes_about, gives_way_always, rehearse
from schedules.rule_faults import Found
from schedules.terms import Terms
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
#: Known only beside the texts of a day.
_ABOUT_A_TEXT = frozenset({ConditionKind.NO_DOSE_THAT_DAY, HistoryKind.NO_OTHER_NUMBER})

#: Any start of a visit serves to compare two moments that count from it.
_SOME_START = datetime(2026, 6, 3, 12, 0)  # noqa: DTZ001 - Wall-clock arithmetic without a zone.


def check(
    protocol: Protocol,
    file: Located,
    terms: Terms,
    templates: Mapping[str, frozenset[str]] | None = None,
) -> list[Fault]:
    """Give every fault of a readable protocol, seen from a clinic that knows these `terms`."""
    faults = [*_same_ids(protocol.steps, "steps", file), *_same_ids(protocol.duties, "tasks", file)]
    faults += _chains(protocol, file)
    told_apart = not faults
    faults += term_faults.of(protocol, file, terms)
    faulty: set[Step | Duty] = set()
    for at, step in enumerate(protocol.steps):
        found = [*_step_faults(protocol, step)]
        if templates is not None:
            found += _wording(protocol, step, templates)
        faulty |= {step} if found else set()
        faults += _placed(file, ("steps", at), f"step `{step.id}`", found)
    for at, duty in enumerate(protocol.duties):
        found = [*_duty_faults(protocol, duty)]
        faulty |= {duty} if found else set()
        faults += _placed(file, ("tasks", at), f"task `{duty.id}`", found)
    return [*faults, *_played(protocol, file, faulty)] if told_apart else faults


def _played(protocol: Protocol, file: Located, faulty: set[Step | Duty]) -> Iterator[Fault]:
    """Play through what no rule objects to: what never comes about has a fault after all."""
    for at, step in enumerate(protocol.steps):
        if faulty.isdisjoint((step, *protocol.sources(step))):
            yield from _placed(file, ("steps", at), f"step `{step.id}`", _never(protocol, step))
    for at, duty in enumerate(protocol.duties):
        if duty not in faulty and not comes_about(protocol, duty):
            mend = "Correct `when`, or what stands under `only_if`"
            never = [("when", "it never comes about, for no visit or patient", mend)]
            yield from _placed(file, ("tasks", at), f"task `{duty.id}`", never)


def _placed(
    file: Located, path: KeyPath, what: str, found: Iterable[tuple[str | None, str, str]]
) -> Iterator[Fault]:
    for key, message, mend in found:
        where: KeyPath = path if key is None else (*path, *_keys(key))
        yield file.fault(where, f"{what}: {message}", mend)


def _keys(dotted: str) -> KeyPath:
    return tuple(int(key) if key.isdigit() else key for key in dotted.split("."))


def _step_faults(protocol: Protocol, step: Step) -> Found:
    yield from _anchors(protocol, step)
    yield from _unknown_by_then(protocol, step)
    yield from _never_true(step)
    yield from _never_wanted(protocol, step.only_if)
    yield from _phases(step)
    yield from rule_faults.of_step(protocol, step)
    if step.needs_staffed_minutes and not _before(step.when):
        mend = "Leave it out, or count `when` back from the visit"
        yield "needs_staffed_hours", "staffed hours are counted up to a visit's start", mend


def _duty_faults(protocol: Protocol, duty: Duty) -> Found:
    if duty.when.anchor in DEADLINE_ANCHORS | {Anchor.STEP}:
        mend = "Count `when` from the visit or a day, since a task needs no text"
        yield "when", f"a task cannot count from {_named(duty.when)}", mend
    yield from _wrong_base(protocol, "when", duty.when)
    yield from _never_wanted(protocol, duty.only_if)
    for condition in duty.only_if:
        if condition.kind in _ABOUT_A_TEXT:
            mend = "Leave it out: a task is done on its day, whatever is asked"
            yield "only_if", f"`{condition.kind}` is about a text, and a task has none", mend


def _same_ids(parts: Sequence[Step | Duty], key: str, file: Located) -> Iterator[Fault]:
    counts = Counter(part.id for part in parts)
    for at, part in enumerate(parts):
        if counts[part.id] > 1:
            message = f"the id `{part.id}` is used {counts[part.id]} times"
            mend = f"Give each of the {key} an id of its own"
            yield file.fault((key, at, "id"), message, mend)


#: What is the matter with a step whose texts were all skipped, by the reason, first things first.
_NEVER = (
    (SkipReason.DOSE_DAY, "only_if", "its day is always the day of a dose"),
    (SkipReason.BOOKED, "only_if", "the visit that must not be booked always is"),
    (SkipReason.NOT_MEANT, "only_if", "its conditions hold for no visit or patient"),
    (SkipReason.CONFIRMED, "only_if", "its conditions hold for no visit or patient"),
    (SkipReason.NO_ALLOWED_MINUTE, "latest", "there is no minute at which it is allowed and true"),
    (SkipReason.STEP_SKIPPED, "when", "the step that it counts from is always skipped"),
    (SkipReason.TOO_LATE, "latest", "it is over before it is due"),
    (SkipReason.LATE_BOOKING, "latest", "it is over before its visit is known"),
)
_MEND_NEVER = "Correct `when`, `latest` or `only_if`, or leave it out"


def _never(protocol: Protocol, step: Step) -> Found:
    """Name what of a step no visit and no patient ever brings about."""
    found = rehearse(protocol, step)
    if not found.templates:
        fits = ((key, why) for reason, key, why in _NEVER if reason in found.reasons)
        key, why = next(fits, ("when", "what it counts from never happens, or is over by then"))
        yield key, f"it can never be sent: {why}", _MEND_NEVER
        return
    if found.always_early:
        yield (
            "latest",
            "it can never be sent at its own minute, since it is over by then",
            _MEND_NEVER,
        )
    elif step.template not in found.templates:
        mend = "Correct `when`, or make the other form the only one"
        yield "template", "it can never be sent in this form, only in its other one", mend
    if step.otherwise is not None and step.otherwise.template not in found.templates:
        mend = "Count it from a day on which it is still useful, or leave it out"
        yield "otherwise", "it can never be sent in its other form", mend
    for key in found.never(step):
        what = key.split(".")[0]
        yield key, _NEVER_AHEAD[what], _MEND_AHEAD[what]
    if gives_way_always(protocol, step):
        mend = "Ask on other days, or take `no other number that day` out"
        yield "only_if", "it can never be sent: other steps ask for a number on all its days", mend


_NEVER_AHEAD = {
    "answer_until": "the answer stops counting before it is asked for",
    "nudge": "it would come after the answer has stopped counting",
    "on_answer": "this deadline is over before the text goes",
    "unanswered": "this time is over before the text goes, or comes after its answer has stopped "
    "counting",
    "if_not_delivered": "this deadline is over before the text goes",
}
_MEND_AHEAD = {
    "answer_until": "Count it from `sending`, or to the visit's start",
    "nudge": "Shorten `after`, or let `answer_until` reach further",
    "on_answer": "Name a time after the text",
    "unanswered": "Name a time between the text and `answer_until`, or leave `at` out",
    "if_not_delivered": "Name a time after the text",
}


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
        yield from _wrong_base(protocol, key, moment)
    if step.stays_on is not None and step.when.anchor in DAY_ANCHORS:
        yield "stays_on", "`stays_on` is about a visit's day", "Leave it out"
    first = (step, *protocol.sources(step))[-1]
    for key, moment in _moments(step) if _leads_up(first.when) else ():
        after = (moment.minutes or 0) > 0 or (moment.days or 0) > 0
        if key.partition(".")[0] in _OPENS_ITEMS and moment.anchor in _STARTED and after:
            mend = "Name a time before it, so that the call is of use"
            yield key, "it lies after the visit that the text leads up to", mend


def _leads_up(when: Moment) -> bool:
    return when.anchor is Anchor.VISIT_START and _before(when)


#: Keys whose time is when staff call, and what has begun by then.
_OPENS_ITEMS = frozenset({"on_answer", "unanswered", "if_not_delivered"})
_STARTED = frozenset({Anchor.VISIT_START, Anchor.VISIT_END})


def _wrong_base(protocol: Protocol, key: str, moment: Moment) -> Found:
    """Find what the people of this protocol don't have: a visit, a day, a consent to start with."""
    if protocol.visits is None and moment.anchor in VISIT_ANCHORS:
        mend = "Count from enrollment, or enroll visits with `for: {visit: ...}`"
        yield key, f"`{moment.anchor}` needs a visit, and people are enrolled by hand", mend
    elif moment.anchor is Anchor.ENROLLMENT and (protocol.visits or protocol.with_consent):
        mend = "Count from the consent" if protocol.with_consent else "Count from the visit"
        yield key, "they enroll by themselves, on no day of their own", mend
    elif moment.anchor is Anchor.CONSENT and not protocol.with_consent:
        mend = "Write `enroll: with consent`, or count from something else"
        yield key, "only a protocol that starts with the consent counts from it", mend


#: What is known of any visit or patient, and what has happened where something else has.
_ALWAYS_KNOWN = frozenset(
    {
        *(Anchor.VISIT_START, Anchor.VISIT_END, Anchor.BOOKING, Anchor.SENDING, Anchor.STEP),
        *(Anchor.FOOD_CUT_OFF, Anchor.DRINK_CUT_OFF, Anchor.ENROLLMENT, Anchor.CONSENT),
    }
)
_DOSED = frozenset({Anchor.CHECK_OUT, Anchor.FIRST_DOSE, Anchor.LAST_DOSE})
_KNOWN_WITH = {
    Anchor.DOSE_CHECK_OUT: _DOSED,
    Anchor.FIRST_DOSE: frozenset({Anchor.LAST_DOSE}),
    Anchor.LAST_DOSE: frozenset({Anchor.FIRST_DOSE}),
    Anchor.ANNOUNCED_MOVE: frozenset({Anchor.TOLD_TIME}),
    Anchor.ANNOUNCED_CANCELLATION: frozenset({Anchor.TOLD_TIME}),
}


def _unknown_by_then(protocol: Protocol, step: Step) -> Found:
    """Find times that count from what may not have happened when the text goes."""
    anchor = (step, *protocol.sources(step))[-1].when.anchor
    known = _ALWAYS_KNOWN | {anchor} | _KNOWN_WITH.get(anchor, frozenset())
    for key, moment in _moments(step):
        if key != "when" and moment.anchor not in known:
            mend = f"Count from `sending`, or from `{anchor}` as `when` does"
            yield key, f"`{moment.anchor}` is not known for certain when the text goes", mend


def _named(moment: Moment) -> str:
    return f"`step {moment.step}`" if moment.anchor is Anchor.STEP else f"`{moment.anchor}`"


def _moments(step: Step) -> Iterator[tuple[str, Moment]]:
    yield "when", step.when
    yield "latest", step.latest
    if step.answer_until is not None:
        yield "answer_until", step.answer_until
    if step.otherwise is not None:
        yield "otherwise.when", step.otherwise.when
    for at, answer in enumerate(step.on_answer):
        if answer.due is not None:
            yield f"on_answer.{at}.by", answer.due
    for at, silence in enumerate(step.unanswered):
        if silence.at is not None:
            yield f"unanswered.{at}.at", silence.at
    # Unsaid, it is the step's `latest`, which is looked at already.
    if step.if_not_delivered is not None and step.if_not_delivered.call_by != step.latest:
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
        elif stays_on in (StaysOn.SAME_DAY, StaysOn.SAME_EVENING) and (when.days or 0) < 0:
            mend = "Write `stays_on: day before`, or count hours before"
            yield key, "it is true only on the day itself, and goes on an earlier one", mend
        elif stays_on is StaysOn.MORNING_AFTER and (_before(when) or when.days not in (None, 1)):
            mend = "Write it like `1 day after dose check-out at 09:30`"
            yield key, "it is true only in the morning of the next day, and goes on another", mend
    due, latest = _wall(step.when), _latest_wall(step)
    if due is not None and latest is not None and latest <= due:
        mend = "Put `latest` after `when`"
        yield "latest", "it can never be sent, since it is over before it is due", mend
    ends, stays = step.latest, step.stays_on
    if stays is not None and ends.anchor is step.when.anchor and (ends.days or 0) < days_on(stays):
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


def _never_wanted(protocol: Protocol, only_if: Sequence[Condition]) -> Found:
    """Find conditions that exclude each other, or that this protocol's people can't meet."""
    kinds = {condition.kind for condition in only_if}
    for pair in _OPPOSITES:
        if pair <= kinds:
            both = " and ".join(f"`{kind}`" for kind in sorted(pair))
            yield "only_if", f"it can never be sent: {both} exclude each other", "Keep one"
    if protocol.visits is None and (needless := kinds & _VISIT_CONDITIONS):
        mend = "Leave it out, or enroll visits with `for: {visit: ...}`"
        yield "only_if", f"`{min(needless)}` needs a visit", mend
    allowed = protocol.visits.routes if protocol.visits is not None else frozenset()
    for condition in only_if:
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
