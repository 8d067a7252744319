"""Care rule 28: what is about safety changes with a second person's leave, and words at once."""

from typing import Any

import pytest

from records import clinics
from records.clinics import Staff
from schedules.clinic import ClinicFile
from tests.compliance.line import Line
from tests.support.secondperson import approve, clinician, propose
from tests.support.world import NUMBER
from worker.refusal import RefusedError
from worker.signoff import NeedsApprovalError
from worker.steps import clinics as step

_CRISIS = "In danger? Call 911. 988 listens, free, 24/7: call or text. We've alerted our team."
_WEEK = "{sms_name}: your visit: {when}. An adult takes you home, please. {link} Reply C or R."


@pytest.fixture
def people(line: Line) -> tuple[Staff, Staff]:
    """Two clinicians of a clinic that texts in two languages."""
    step.apply(line.world.services, _file(line), actor="test")
    return clinician(line.world, "lee"), clinician(line.world, "ray")


def _file(line: Line, **more: Any) -> ClinicFile:
    with line.world.database.transaction() as session:
        file = clinics.by_id(session, line.world.clinic_id).file
    return ClinicFile.from_json({**file.to_json(), "languages": ["en", "es"], **more})


def _worded(line: Line, key: str = "crisis_reply", text: str = _CRISIS) -> ClinicFile:
    return _file(line, wording={key: {"en": text}})


def _apply(line: Line, file: ClinicFile) -> Any:
    return step.apply(line.world.services, file, actor="test")


def test_care_rule_28_nobody_approves_their_own_proposal(
    line: Line, people: tuple[Staff, Staff]
) -> None:
    """A clinician who proposes it is one person all the same."""
    lee, ray = people
    proposal = propose(line.world, _worded(line), lee)
    with pytest.raises(RefusedError, match="another clinician"):
        approve(line.world, _worded(line), proposal, lee)
    approve(line.world, _worded(line), proposal, ray)
    assert _apply(line, _worded(line)).changed


def test_care_rule_28_safety_wording_needs_a_second_person(
    line: Line, people: tuple[Staff, Staff]
) -> None:
    """The crisis reply does; a reminder's words need nobody."""
    assert people
    with pytest.raises(NeedsApprovalError, match="crisis_reply"):
        _apply(line, _worded(line))
    assert _apply(line, _worded(line, "visit_7d", _WEEK)).changed


def test_care_rule_28_each_language_in_use_is_approved(
    line: Line, people: tuple[Staff, Staff]
) -> None:
    """One clinician reads the English, and the Spanish still waits."""
    lee, ray = people
    proposal = propose(line.world, _worded(line), lee)
    approve(line.world, _worded(line), proposal, ray, "en")
    with pytest.raises(NeedsApprovalError):
        _apply(line, _worded(line))
    approve(line.world, _worded(line), proposal, ray, "es")
    assert _apply(line, _worded(line)).changed


def test_care_rule_28_another_change_needs_another_approval(
    line: Line, people: tuple[Staff, Staff]
) -> None:
    """What was approved is these words, and no others."""
    lee, ray = people
    approve(line.world, _worded(line), propose(line.world, _worded(line), lee), ray)
    with pytest.raises(NeedsApprovalError):
        _apply(line, _worded(line, text=_CRISIS.replace("In danger?", "Trouble?")))


def test_care_rule_28_no_wording_takes_the_help_lines_away(line: Line) -> None:
    """Not even a clinic that has nobody to approve yet words them out."""
    with pytest.raises(RefusedError, match="911"):
        _apply(line, _worded(line, text="We're here for you. 988 listens, free, 24/7."))


def test_care_rule_28_changed_words_reach_queued_texts(line: Line) -> None:
    """A new phone, name and wording stand in what was planned before, at its own minute."""
    line.world.due()
    before = line.world.execute("SELECT due_at, next_at FROM message")
    step.apply(
        line.world.services,
        _file(line, sms_name="Riverside Team", wording={"visit_7d": {"en": _WEEK}}),
        actor="test",
    )
    assert line.world.execute("SELECT due_at, next_at FROM message") == before
    line.world.send()
    [body] = line.reads()
    assert body.startswith("Riverside Team: your visit: ")


def test_care_rule_28_a_stop_to_an_old_number_counts(line: Line) -> None:
    """The clinic texts from another number now; what is written to the old one is still read."""
    line.someone()
    sender = {"from": "+12125550111", "numbers": ["+12125550111"], "previous": [NUMBER]}
    described = _file(line).to_json()
    step.apply(
        line.world.services,
        ClinicFile.from_json({**described, "sender": {**described["sender"], **sender}}),
        actor="test",
    )
    line.says("STOP")
    assert line.stop_of() is not None
