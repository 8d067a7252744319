"""Turns what pydantic found wrong in a clinic file into faults that the clinic can read and mend.

pydantic knows the place in the data; the file's line map knows the line; the words are ours.
"""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schedules.errors import Fault
from schedules.yamlfile import KeyPath, Located

# What to write for a key that is missing or has the wrong shape.
EXAMPLES = {
    "id": "id: riverside",
    "name": "name: Riverside Center",
    "sms_name": "sms_name: Riverside Care",
    "phone": 'phone: "+12125550100"',
    "email": "email: sam@clinic.test",
    "timezone": "timezone: America/New_York",
    "languages": "languages: [en, es]",
    "send_window": 'send_window: {from: "09:00", to: "20:00"}',
    "staffed_hours": 'staffed_hours: {mon: ["08:00-12:00", "13:00-17:00"]}',
    "holidays": "holidays: {country: US, subdivision: NY}",
    "sender": 'sender: {from: "+12125550110", segments_per_second: 1}',
    "numbers": 'numbers: ["+12125550110"]',
    "previous": 'previous: ["+12125550111"]',
    "caps": "caps: {per_day: 2, per_week: 3}",
    "per_day": "per_day: 2",
    "per_week": "per_week: 3, or per_week: null for no weekly cap",
    "segments_per_second": "segments_per_second: 1, or what the carrier grants",
    "grace_seconds": "grace_seconds: 180",
    "recheck_seconds": "recheck_seconds: 60",
    "solids_hours": "solids_hours: 6",
    "fluids_hours": "fluids_hours: 2",
    "fasting": "fasting: {solids_hours: 6, fluids_hours: 2}",
    "on_call": 'on_call: [{name: Sam, phone: "+12125550190", hours: always}]',
    "weeks": 'weeks: {every: 2, from: "2026-11-30", at: "08:00"}',
    "every": "every: 2, for two who take turns",
    "from": 'from: "2026-11-30"',
    "lead": 'lead: {name: Kim, phone: "+12125550191"}',
    "closed_day_caller": 'closed_day_caller: {name: Kim, phone: "+12125550191"}',
    "playbook": 'playbook: {crisis: ["Call the patient.", "Then the emergency contact."]}',
    "unknown": "unknown: {policy: verify_then_retry, grace_seconds: 180, recheck_seconds: 60}",
    "protocols": "protocols: [dosing-visit, integration]",
    **{day: f'{day}: ["08:00-17:00"]' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
}

PATTERNS = {
    "id": "Use small letters, digits and hyphens, such as riverside",
    "messaging_service_sid": "Copy the service's SID: MG and 32 digits or letters from a to f",
    "email": "Write an address such as sam@clinic.test",
    "sms_name": "Write a neutral name without spaces at its ends, such as Riverside Care",
}

# pydantic names a default that breaks a rule by its field, not by its key in the file.
ALIASES = {"from_number": "from", "opens": "from", "closes": "to"}

KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list in [ ]",
    "model_type": "a set of keys",
    "model_attributes_type": "a set of keys",
    "dict_type": "a set of keys",
}

Part = type[BaseModel]


def faults_of(error: ValidationError, located: Located, model: Part) -> Iterator[Fault]:
    """Give one fault for each thing pydantic found, on the line where it stands."""
    for details in error.errors(include_url=False):
        path = _path(details, located.value)
        message, mend = _words(details, path, model)
        yield located.fault(path, message, mend)


def _path(details: ErrorDetails, value: Any) -> KeyPath:
    """Keep the parts of pydantic's place that are in the file; unions add names of their own.

    The last part may be a key that the file leaves out: a missing one, or one whose default
    breaks a rule between keys.
    """
    path: list[str | int] = []
    places = details["loc"]
    for number, part in enumerate(places):
        found, value = _step_into(value, part)
        last = number == len(places) - 1
        if found or (last and details["type"] in ("missing", "clinic")):
            path.append(ALIASES.get(str(part), part))
    return tuple(path)


def _step_into(value: Any, part: str | int) -> tuple[bool, Any]:
    if isinstance(value, dict) and part in value:
        return True, value[part]
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return True, value[part]
    return False, value


def _words(details: ErrorDetails, path: KeyPath, model: Part) -> tuple[str, str]:
    """Say what is wrong and how to mend it."""
    name, key = _name(path), str(path[-1]) if path else ""
    match details["type"]:
        case "clinic":
            context = details["ctx"]
            words = f"{name}: {context['message']}", context["mend"]
        case "missing":
            words = f"{name} is missing", f"Add {EXAMPLES.get(key, f'{key}: ...')}"
        case "extra_forbidden":
            words = f'"{name}" is no key of a clinic file', _nearest_key(path, model)
        case "enum" | "literal_error":
            words = _choice(name, details)
        case "string_pattern_mismatch":
            mend = PATTERNS.get(key, "Write at least one letter")
            words = f"{name}: {_shown(details)} is not written as it must be", mend
        case kind if kind in KINDS and not path:
            words = "this is no clinic file", f"Start it with {EXAMPLES['id']}; see the example"
        case kind if kind in KINDS:
            words = f"{name} must be {KINDS[kind]}", _example(key)
        case _:
            words = _measure(name, key, details)
    return words


def _measure(name: str, key: str, details: ErrorDetails) -> tuple[str, str]:
    """Word the limits of lengths and figures, and whatever pydantic adds some day."""
    context = details.get("ctx", {})
    match details["type"]:
        case "string_too_short":
            return f"{name} is empty", _example(key)
        case "string_too_long":
            most, length = context["max_length"], len(str(details["input"]))
            return (f"{name} has {length} letters; {most} are the most"), "Shorten it"
    rule = (
        details["msg"]
        .removeprefix("Input should be ")
        .replace("greater than or equal to", "at least")
    )
    rule = rule.replace("less than or equal to", "at most")
    return f"{name}: {_shown(details)} must be {rule}", _example(key)


def _choice(name: str, details: ErrorDetails) -> tuple[str, str]:
    expected = details.get("ctx", {})["expected"].replace(" or ", ", ").replace("'", "")
    near = difflib.get_close_matches(str(details["input"]), expected.split(", "), n=1)
    mend = f'Did you mean "{near[0]}"' if near else f"Write one of {expected}"
    return f"{name}: {_shown(details)} is not one of {expected}", mend


def _nearest_key(path: KeyPath, model: Part) -> str:
    keys = _keys(path[:-1], model)
    near = difflib.get_close_matches(str(path[-1]).lower(), keys, n=1)
    return f'Did you mean "{near[0]}"' if near else f"The keys here are {', '.join(keys)}"


def _keys(path: KeyPath, model: Part) -> list[str]:
    """List the keys that may stand at a place in the file."""
    for part in path:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:
            model = _model_in(fields[str(part)].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> Part | None:
    """Find the set of keys inside a list, an option or an annotated type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _name(path: KeyPath) -> str:
    """Write a place as "sender.numbers[0]", counting list items from one as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _example(key: str) -> str:
    return f"Write {EXAMPLES[key]}" if key in EXAMPLES else "Mend the value, or leave the key out"


def _shown(details: ErrorDetails) -> str:
    text = str(details["input"])
    return f'"{text if len(text) <= 60 else text[:57] + "..."}"'
