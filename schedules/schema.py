"""A JSON Schema of protocol files, for editors that complete and check while somebody types.

Made from the loader's own words, so that the two can't part. It says what a line may look like;
`aftercare protocols check` says the rest, such as whether a step waits for one that exists.
"""

from enum import StrEnum
from typing import Any

from schedules.clinic_parts import UnknownPolicy
from schedules.followups import FollowUpReason
from schedules.loader import (
    BY_HAND,
    LEAD,
    MISSES_AT_MOST,
    NOTHING,
    PROTOCOL_KEYS,
    SETTINGS,
    STEP_KEYS,
    TASK_KEYS,
    VISIT_KINDS,
    WITH_CONSENT,
)
from schedules.phrases import INTENT_WORDS, NAMING
from schedules.protocol import (
    Anchor,
    ConditionKind,
    HistoryKind,
    Importance,
    LateBooking,
    Purpose,
    StaysOn,
    Worse,
)
from schedules.staffing import Severity
from schedules.terms import Terms, shipped

Schema = dict[str, Any]

_ANCHORS = "|".join(anchor for anchor in Anchor if anchor is not Anchor.STEP)
_MOMENT = (
    rf"^((\d+ (minute|hour|day|week)s? (before|after))|same day as|at) (the )?({_ANCHORS}|step \S+)"
    r"( at \d{1,2}:\d{2}( or their own hour)?)?(,? between \d{1,2}:\d{2} and \d{1,2}:\d{2})?$"
)
_PHASE = (
    r"^(on day \d+"
    r"|from day \d+ to day \d+, (every (\d+ )?(day|week)s?|on [a-z]+((, | and )[a-z]+)*))$"
)
_AGAIN = rf"^for \d+ days? after ({Anchor.LAST_DOSE}|{Anchor.LAPSE})( or [a-z ]+)?$"
_LENGTH = r"^\d+ (minute|hour|day)s?$"
_ID = "^[a-z][a-z0-9_-]{0,63}$"
_EXPECTS = (
    r"^(appointment_reminder|yes_no|side_effect_check|craving_scale|none|scale:\d{1,3}-\d{1,3})$"
)
_ANSWERS = (
    rf"^(({'|'.join(INTENT_WORDS)})( (twice|\d times) running)?"
    r"|\d+( or (more|less))?( (twice|\d times) running)?|(up|down) by \d+|any other answer"
    r"|(any|every) score \d+ or more)$"
)


def schema(terms: Terms | None = None) -> Schema:
    """Return the schema (draft 2020-12) as plain values; `terms` are a clinic's, else the shipped.

    They are the routes and substances that a file may name.
    """
    terms = terms or shipped()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Aftercare protocol",
        **_mapping(_top(terms), required=("id", "title", "steps")),
        "oneOf": [{"required": ["for"]}, {"required": ["enroll"]}],
    }


def _top(terms: Terms) -> dict[str, Schema]:
    found = {
        "id": _pattern(_ID),
        "title": {"type": "string"},
        "for": _mapping(
            {
                "visit": _one_or_more(_words(VISIT_KINDS)),
                "routes": _one_or_more(_words(terms.route_names)),
                "setting": _one_or_more(_words(SETTINGS)),
            },
            required=("visit",),
        ),
        "enroll": _words((BY_HAND, WITH_CONSENT)),
        "substances": _one_or_more(_words(terms.substance_names)),
        "gate": _pattern(_ID),
        **_defaults(),
        "detached": _mapping(
            {"within": _pattern(_LENGTH), "recheck": _pattern(_LENGTH)},
            required=("within", "recheck"),
        ),
        "steps": {"type": "array", "minItems": 1, "items": _step(terms)},
        "tasks": _one_or_more(_mapping(_task(terms), required=("id", "when", "open", "severity"))),
    }
    return {key: found[key] for key in PROTOCOL_KEYS}


def _defaults() -> dict[str, Schema]:
    return {
        "purpose": _enum(Purpose),
        "importance": _enum(Importance),
        "unknown": _enum(UnknownPolicy),
    }


def _step(terms: Terms) -> Schema:
    moment, opens = _pattern(_MOMENT), _opens()
    late = _mapping({**opens, "call_by": moment, "unproved_minutes": {"type": "integer"}})
    found = {
        "id": _pattern(_ID),
        "template": {"type": "string"},
        "when": moment,
        "repeat": _one_or_more(_pattern(_PHASE)),
        "again": _pattern(_AGAIN),
        "stays_on": _enum(StaysOn),
        "otherwise": _mapping(
            {"template": {"type": "string"}, "when": moment, "stays_on": _enum(StaysOn)},
            required=("template", "when"),
        ),
        "latest": moment,
        **_defaults(),
        "expects": _pattern(_EXPECTS),
        "worse": _enum(Worse),
        "answer_until": moment,
        "form": _pattern(_ID),
        "nudge": _one_or_more(
            _mapping(
                {"after": _pattern(_LENGTH), "template": {"type": "string"}},
                required=("after", "template"),
            )
        ),
        "pause_after": _misses(),
        "only_if": _one_or_more(_condition(terms)),
        "late_booking": _enum(LateBooking),
        "needs_staffed_hours": {"type": "number", "minimum": 0, "maximum": 80},
        "on_answer": _one_or_more(_mapping({**opens, "when": _answer(), "by": moment})),
        "unanswered": _one_or_more(_mapping({**opens, "misses": _misses(), "at": moment})),
        "if_not_delivered": {"anyOf": [{"const": NOTHING}, late]},
    }
    known = {key: found[key] for key in STEP_KEYS}
    return _mapping(known, required=("id", "template", "when", "latest"))


def _misses() -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": MISSES_AT_MOST}


def _task(terms: Terms) -> dict[str, Schema]:
    found = {
        "id": _pattern(_ID),
        "when": _pattern(_MOMENT),
        "only_if": _one_or_more(_condition(terms)),
        **_opens(),
        "for": {"const": LEAD},
    }
    return {key: found[key] for key in TASK_KEYS}


def _opens() -> dict[str, Schema]:
    return {"open": _enum(FollowUpReason), "severity": _enum(Severity)}


def _condition(terms: Terms) -> Schema:
    plain = [kind for kind in (*ConditionKind, *HistoryKind) if kind not in NAMING]
    several = "(%s)((, | or )(%s))*"
    routes, substances = "|".join(terms.route_names), "|".join(terms.substance_names)
    return {
        "anyOf": [
            _words(tuple(plain)),
            _pattern("^route (not )?" + several % (routes, routes) + "$"),
            _pattern("^substance is " + several % (substances, substances) + "$"),
        ]
    }


def _answer() -> Schema:
    """Describe an answer; a bare number is one too."""
    return {"anyOf": [{"type": "integer"}, _pattern(_ANSWERS)]}


def _mapping(keys: dict[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": keys,
        "required": list(required),
        "additionalProperties": False,
    }


def _one_or_more(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _enum(kind: type[StrEnum]) -> Schema:
    return _words(tuple(kind))


def _words(known: tuple[str, ...]) -> Schema:
    return {"enum": [str(word) for word in known]}


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}
