"""The schema for editors says what the loader says, and warnings name when nobody reads."""

import re
from datetime import date, time, timedelta
from typing import Any

import pytest
import yaml

from schedules import coverage
from schedules.loader import PROTOCOL_KEYS, STEP_KEYS, TASK_KEYS, load, shipped, shipped_files
from schedules.planner import plan
from schedules.schema import schema
from tests.schedules.planning import clinic, enrolled, local, patient, wall

SCHEMA = schema()


def faults(value: Any, wanted: dict[str, Any], path: str = "") -> list[str]:
    """Check a value as an editor would, as far as this schema goes."""
    found = []
    if "anyOf" in wanted and all(faults(value, one) for one in wanted["anyOf"]):
        found.append(f"{path}: none of the forms")
    if "const" in wanted and value != wanted["const"]:
        found.append(f"{path}: not {wanted['const']}")
    if "enum" in wanted and value not in wanted["enum"]:
        found.append(f"{path}: {value} unknown")
    kinds = {"string": str, "object": dict, "array": list, "integer": int, "number": (int, float)}
    if "type" in wanted and not isinstance(value, kinds[wanted["type"]]):
        return [f"{path}: not a {wanted['type']}"]
    if "pattern" in wanted and not re.search(wanted["pattern"], value):
        found.append(f"{path}: {value}")
    if wanted.get("type") == "object":
        found += [f"{path}: {key} missing" for key in wanted["required"] if key not in value]
        for key, each in value.items():
            known = wanted["properties"].get(key)
            found += (
                [f"{path}.{key}: strange"]
                if known is None
                else faults(each, known, f"{path}.{key}")
            )
    if wanted.get("type") == "array":
        for at, each in enumerate(value):
            found += faults(each, wanted["items"], f"{path}[{at}]")
    return found


@pytest.mark.parametrize("name", sorted(shipped_files()))
def test_every_shipped_file_is_as_the_schema_has_it(name: str):
    """Each line of each, so that an editor never marks what the loader takes."""
    assert faults(yaml.safe_load(shipped_files()[name]), SCHEMA) == []


def test_the_schema_has_exactly_the_loaders_keys():
    """A key added to one is in the other."""
    steps = SCHEMA["properties"]["steps"]["items"]["properties"]
    tasks = SCHEMA["properties"]["tasks"]["anyOf"][0]["properties"]
    assert (set(SCHEMA["properties"]), set(steps), set(tasks)) == (
        set(PROTOCOL_KEYS),
        set(STEP_KEYS),
        set(TASK_KEYS),
    )


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("when: 48 hours before visit start", "when: 48 hours before the visit begins"),
        ("only_if: not confirmed", "only_if: unconfirmed"),
        ("late_booking: send at once", "late_bookings: send at once"),
        ("severity: call_today,", "severity: soon,"),
    ],
)
def test_an_editor_marks_what_the_loader_refuses(said: str, instead: str):
    """A wrong moment, condition, key and word."""
    text = shipped_files()["assessment-visit.yaml"].replace(said, instead, 1)
    assert faults(yaml.safe_load(text), SCHEMA) != []


def test_questions_that_nobody_could_answer_in_time_are_named():
    """A check-in on a Friday evening, at a clinic closed on weekends."""
    now = local("2026-11-30 09:00")
    (warning,) = coverage.warnings(shipped()["daily-check-in"], clinic(), now=now)
    assert "`daily_0_10`" in warning
    assert "Friday, Saturday" in warning
    assert "Monday" not in warning
    assert coverage.warnings(shipped()["assessment-visit"], clinic(), now=now) == []
    assert coverage.warnings(shipped()["daily-check-in"], clinic(staffed=False), now=now) == []


def test_a_window_that_reaches_into_staffed_hours_is_fine():
    """The same question, with an answer that counts until Monday."""
    text = shipped_files()["daily-check-in.yaml"]
    text = re.sub(r"answer_until: \d+ hours after", "answer_until: 72 hours after", text)
    protocol = load(text, "p.yaml")
    assert coverage.warnings(protocol, clinic(), now=local("2026-11-30 09:00")) == []


def test_with_nobody_after_hours_check_ins_go_three_hours_before_closing():
    """Care rule 4; a patient's own hour wins, and a closed day keeps the protocol's."""
    place = clinic(before_closing=timedelta(hours=3))
    facts = enrolled("daily-check-in", day=date(2026, 12, 4))  # A Friday.
    now = local("2026-12-04 08:00")
    texts = plan(facts, patient(), place, now=now, horizon=timedelta(days=3))
    assert [wall(text) for text in texts][:3] == ["Fri 04 14:00", "Sat 05 17:00", "Sun 06 17:00"]
    own = patient(check_in_time=time(18))
    assert wall(plan(facts, own, place, now=now)[0]) == "Fri 04 18:00"
