"""Which changes need a clinician: safety content, compared between two versions (care rule 28).

`safety_changes` is the only judge of that for protocols, `clinic_safety_changes` for a clinic's
file. Both name each change, so that whoever approves reads what they approve. Texts and times that
hold no safety content may change without anybody's leave.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from schedules.protocol import EXPECTS_NOTHING, Anchor, Importance, Protocol, Step


class SafetyContent(StrEnum):
    """What of a protocol is safety content, in words that a clinician reads."""

    THRESHOLDS = "what an answer means, and how soon a person looks"
    SILENCE = "what silence means"
    CALLS = "the call when a text does not arrive"
    ASKED = "whom a question with such rules is asked, and how often"
    INSTRUCTIONS = "a food or ride text"
    AFTER_DOSE = "a text after a dose"
    DUTIES = "what a person must do at a time"
    DETACHED = "how long feeling detached is expected"
    GATE = "what must be settled before the protocol may be used"
    FOR_WHOM = "for whom the protocol is"


#: Of a clinic's file: fasting hours, who is called in which order, who phones about silence on
#: closed days, whose silence is urgent, its own lists of words, what whoever takes an item does
#: first, and who answers for what a gated protocol asks to be settled.
CLINIC_SAFETY_FIELDS = (
    "fasting",
    "on_call",
    "lead",
    "after_hours",
    "closed_day_caller",
    "substances",
    "words",
    "playbook",
    "gates",
)

_DOSE_ANCHORS = frozenset(
    {
        *(Anchor.CHECK_OUT, Anchor.DOSE_CHECK_OUT, Anchor.UNRECORDED_CLOSING),
        *(Anchor.FIRST_DOSE, Anchor.LAST_DOSE),
    }
)
_INSTRUCTIONS = frozenset({Importance.FOOD, Importance.RIDE})
#: Whose answers are read alike whatever the words say: a confirmation, and danger told unasked.
_ASKS_NOTHING_TO_JUDGE = frozenset({EXPECTS_NOTHING, "appointment_reminder"})


def safety_changes(before: Protocol | None, after: Protocol | None) -> tuple[str, ...]:
    """Name each change of safety content from one version to the next, with its step.

    None stands for a protocol that does not exist: publishing the first version adds all its
    safety content, withdrawing the last takes it away. Nothing named: nobody has to approve.
    """
    old, new = _content(before), _content(after)
    return tuple(
        _named(place, content, old.get((place, content)), new.get((place, content)))
        for place, content in dict.fromkeys([*old, *new])
        if old.get((place, content)) != new.get((place, content))
    )


def clinic_safety_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the safety fields of a clinic's file that differ, given both as plain values."""
    return tuple(
        f"{field}: {_said(before.get(field))} -> {_said(after.get(field))}"
        for field in CLINIC_SAFETY_FIELDS
        if before.get(field) != after.get(field)
    )


def is_safety_step(step: Step) -> bool:
    """Whether the whole text is safety content, its wording and its minute too."""
    after_dose = step.importance is Importance.AFTER_DOSE or step.when.anchor in _DOSE_ANCHORS
    return after_dose or step.importance in _INSTRUCTIONS


Contents = dict[tuple[str, SafetyContent], object]


def _content(protocol: Protocol | None) -> Contents:
    """Give all safety content of a version by its place; what is empty is left out."""
    if protocol is None:
        return {}
    found: Contents = {}
    for step in protocol.steps:
        found |= {(f"step {step.id}", kind): value for kind, value in _of_step(step) if value}
    for duty in protocol.duties:
        found[f"task {duty.id}", SafetyContent.DUTIES] = _plain(duty)
    if protocol.detached is not None:
        found["the protocol", SafetyContent.DETACHED] = _plain(protocol.detached)
    if protocol.gate is not None:
        found["the protocol", SafetyContent.GATE] = protocol.gate
    if found:
        found["the protocol", SafetyContent.FOR_WHOM] = _for_whom(protocol)
    return found


def _for_whom(protocol: Protocol) -> object:
    # An on/off pair, since "nobody by itself" must differ from "not said".
    return _plain(protocol.visits), protocol.with_consent


def _of_step(step: Step) -> Iterator[tuple[SafetyContent, object]]:
    """Give the safety content of a step, each kind with what is compared."""
    silence = step.unanswered or step.pause_after
    rules = step.on_answer or silence or step.if_not_delivered
    # What a 7 or a yes means is said by the words that ask for it.
    words = () if step.expects in _ASKS_NOTHING_TO_JUDGE else tuple(step.templates())
    yield (
        SafetyContent.THRESHOLDS,
        step.on_answer and (step.expects, step.worse, words, _plain(step.on_answer)),
    )
    yield (
        SafetyContent.SILENCE,
        silence
        and (
            _plain(step.unanswered),
            step.pause_after,
            _plain(step.answer_until),
            _plain(step.nudges),
        ),
    )
    yield SafetyContent.CALLS, step.if_not_delivered and _plain(step.if_not_delivered)
    yield (
        SafetyContent.ASKED,
        rules and (step.purpose, step.form, *map(_plain, (step.only_if, step.repeat, step.again))),
    )
    if is_safety_step(step):
        after_dose = step.importance not in _INSTRUCTIONS
        kind = SafetyContent.AFTER_DOSE if after_dose else SafetyContent.INSTRUCTIONS
        yield kind, _plain(step)


def _plain(value: Any) -> object:
    """Give frozen values of ours as tuples, which compare and read alike in every version."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple((one.name, _plain(getattr(value, one.name))) for one in fields(value))
    if isinstance(value, frozenset):
        return tuple(sorted(map(str, value)))
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _named(place: str, content: SafetyContent, old: object, new: object) -> str:
    how = "added" if old is None else "taken away" if new is None else "changed"
    return f"{place}: {content.value} ({how})"


def _said(value: Any) -> str:
    if value in (None, [], {}, ()):
        return "nothing"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} {_said(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_said, value))}]"
    return str(value)
