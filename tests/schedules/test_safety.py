"""Which changes are safety content: any change of one is found, and an edit without is none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.loader import load, shipped_files
from schedules.protocol import FollowUpRule, Protocol, Step
from schedules.safety import (
    CLINIC_SAFETY_FIELDS,
    clinic_safety_changes,
    is_safety_step,
    safety_changes,
)
from schedules.staffing import Severity

SHIPPED = {name: load(text, name) for name, text in shipped_files().items()}
protocols = st.sampled_from(sorted(SHIPPED)).map(SHIPPED.__getitem__)


def _with(protocol: Protocol, old: Step, new: Step | None) -> Protocol:
    steps = [new if step is old else step for step in protocol.steps]
    return replace(protocol, steps=tuple(step for step in steps if step is not None))


@st.composite
def _a_rule_changed(draw: st.DrawFn) -> tuple[Protocol, Protocol, str]:
    """A shipped protocol, and the same with one threshold otherwise, gone, or added."""
    protocol = draw(protocols.filter(lambda one: any(step.on_answer for step in one.steps)))
    step = draw(st.sampled_from([step for step in protocol.steps if step.on_answer]))
    at = draw(st.integers(0, len(step.on_answer) - 1))
    rule = step.on_answer[at]
    others = [one for one in Severity if one is not rule.severity]
    number = draw(st.integers(0, 99).filter(lambda n: n != rule.when.number))
    changed: list[FollowUpRule | None] = [
        None,
        replace(rule, when=replace(rule.when, number=number)),
        replace(rule, when=replace(rule.when, times=rule.when.times + 1)),
        replace(rule, severity=draw(st.sampled_from(others))),
        replace(rule, reason=f"{rule.reason}_x"),
    ]
    new = draw(st.sampled_from(changed))
    rules = [new if place == at else one for place, one in enumerate(step.on_answer)]
    edited = replace(step, on_answer=tuple(one for one in rules if one is not None))
    return protocol, _with(protocol, step, edited), step.id


@given(drawn=_a_rule_changed())
def test_any_change_of_a_threshold_is_found(drawn: tuple[Protocol, Protocol, str]) -> None:
    """Its number, its severity, its reason, how often; one that is gone and one that is new."""
    before, after, step = drawn
    for old, new in ((before, after), (after, before)):
        assert any(f"step {step}:" in each for each in safety_changes(old, new))


@given(protocol=protocols, data=st.data())
def test_a_step_that_is_renamed_or_gone_is_found(protocol: Protocol, data: st.DataObject) -> None:
    """With its rules it would otherwise vanish unseen."""
    step = data.draw(st.sampled_from(protocol.steps))
    gone = _with(protocol, step, None)
    renamed = _with(protocol, step, replace(step, id=f"{step.id}_x"))
    rules = (step.on_answer, step.unanswered, step.if_not_delivered, step.pause_after)
    holds = any(rules) or is_safety_step(step)
    assert bool(safety_changes(protocol, gone)) == holds
    assert bool(safety_changes(protocol, renamed)) == holds


@given(protocol=protocols, data=st.data())
def test_every_other_safety_content_is_found(protocol: Protocol, data: st.DataObject) -> None:
    """Silence, calls, whom it asks, the minute of a food, ride or after-dose text, tasks, gate."""
    step = data.draw(st.sampled_from(protocol.steps))
    edits: list[Protocol] = []
    if step.unanswered:
        edits.append(_with(protocol, step, replace(step, unanswered=step.unanswered[1:])))
        edits.append(_with(protocol, step, replace(step, answer_until=None)))
    if step.pause_after:
        edits.append(_with(protocol, step, replace(step, pause_after=step.pause_after + 1)))
    if step.if_not_delivered:
        edits.append(_with(protocol, step, replace(step, if_not_delivered=None)))
    if is_safety_step(step):
        later = replace(step.when, minutes=(step.when.minutes or 0) + 1)
        edits.append(_with(protocol, step, replace(step, when=later)))
        edits.append(_with(protocol, step, replace(step, template="other")))
    if protocol.duties:
        edits.append(replace(protocol, duties=protocol.duties[1:]))
    if protocol.detached:
        edits.append(replace(protocol, detached=None))
    if protocol.gate:
        edits.append(replace(protocol, gate=None))
    assert all(safety_changes(protocol, edited) for edited in edits)


@given(protocol=protocols, minutes=st.integers(1, 600), data=st.data())
def test_an_edit_of_time_or_title_needs_nobody(
    protocol: Protocol, minutes: int, data: st.DataObject
) -> None:
    """Where the step is no food, ride or after-dose text."""
    step = data.draw(st.sampled_from(protocol.steps))
    if is_safety_step(step):
        return
    when = replace(step.when, days=None, clock=None, minutes=minutes)
    edited = _with(protocol, step, replace(step, when=when, latest=when))
    assert safety_changes(protocol, replace(edited, title="Another")) == ()


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_nothing_changed_is_nothing(name: str) -> None:
    """The same words, read again."""
    assert safety_changes(SHIPPED[name], load(shipped_files()[name], name)) == ()


def test_the_first_version_holds_all_its_safety_content() -> None:
    """Publishing is adding, withdrawing is taking away."""
    protocol = SHIPPED["dosing-visit.yaml"]
    added, gone = safety_changes(None, protocol), safety_changes(protocol, None)
    assert all(each.endswith("(added)") for each in added)
    assert all(each.endswith("(taken away)") for each in gone)
    assert len(added) == len(gone) > 8


def test_words_that_ask_for_a_number_belong_to_its_thresholds() -> None:
    """Where 10 is best in one wording and worst in the other, 7 means something else."""
    protocol = SHIPPED["daily-check-in.yaml"]
    [step] = protocol.steps
    edited = _with(protocol, step, replace(step, template="daily_other_way_round"))
    assert safety_changes(protocol, edited)


def test_words_that_ask_for_a_yes_belong_to_its_rules() -> None:
    """A yes to "anything new with your health?" is told to a person; to "all ready?" it is not."""
    protocol = SHIPPED["dosing-visit.yaml"]
    [asked] = [step for step in protocol.steps if step.id == "visit_48h"]
    swapped = _with(protocol, asked, replace(asked, template="home_ready"))
    meant = "step visit_48h: what an answer means, and how soon a person looks (changed)"
    assert safety_changes(protocol, swapped) == (meant,)
    [confirmed] = [step for step in protocol.steps if step.id == "visit_7d"]
    assert confirmed.on_answer
    reworded = _with(protocol, confirmed, replace(confirmed, template="other"))
    assert safety_changes(protocol, reworded) == ()


@given(
    field=st.sampled_from(CLINIC_SAFETY_FIELDS),
    before=st.one_of(st.none(), st.integers(), st.dictionaries(st.text(), st.integers())),
    after=st.one_of(st.none(), st.integers(), st.dictionaries(st.text(), st.integers())),
)
def test_a_clinics_safety_fields_are_compared(field: str, before: object, after: object) -> None:
    """Fasting hours, who is on call, the lead, and whether anybody is; nothing else."""
    found = clinic_safety_changes({field: before, "caps": 1}, {field: after, "caps": 2})
    assert bool(found) == (before != after)


def test_who_phones_about_silence_and_what_is_done_first_are_safety_content() -> None:
    """Taken out of the file, nobody would hear of a silence on a closed day (care rule 28)."""
    before = {
        "closed_day_caller": {"name": "Kim", "phone": "+12125550191"},
        "playbook": {"crisis": ["Call the patient."]},
    }
    after = {"closed_day_caller": None, "playbook": {}}
    assert clinic_safety_changes(before, after) == (
        "closed_day_caller: {name Kim, phone +12125550191} -> nothing",
        "playbook: {crisis [Call the patient.]} -> nothing",
    )
