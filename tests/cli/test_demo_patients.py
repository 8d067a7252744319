"""The demo's patients: what they see in a text, and what they write."""

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cli.demo_data import write_sample
from cli.demo_patients import PERSONAS, Asked, Patients, Persona, asked
from messages.replies import Intent, read
from messages.templates import shipped

NUMBERS = {each.patient_id: f"+1212555{100 + n:04d}" for n, each in enumerate(PERSONAS)}
_ASKED = {
    "assess_48h": Asked.VISIT,
    "visit_7d": Asked.VISIT,
    "visit_48h": Asked.YES_OR_NO,
    "visit_24h_prep": Asked.VISIT,
    "visit_2h_ride": Asked.YES_OR_NO,
    "visit_eve_ride": Asked.YES_OR_NO,
    "followup_24h": Asked.VISIT,
    "followup_2h": Asked.VISIT,
    "followup_eve": Asked.VISIT,
    "daily_0_10": Asked.NUMBER,
    "reask": Asked.NUMBER,
    "confirm_ack": Asked.NOTHING,
    "crisis_reply_noalert": Asked.NOTHING,
}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("template", list(_ASKED))
def test_a_patient_sees_what_a_text_asks_for(template: str, language: str) -> None:
    """In the shipped wording, in both languages."""
    catalog = shipped()
    variables = dict.fromkeys(catalog.variables(template), "8 AM")
    assert asked(catalog.render(template, language, variables)) is _ASKED[template]


def test_personas_are_patients_of_the_examples(tmp_path) -> None:
    """And some patients of the examples have no persona: they stay silent."""
    sample = write_sample(tmp_path, datetime(2026, 11, 23, 9, 59, 30, tzinfo=ZoneInfo("UTC")))
    known = {row["patient_id"] for row in csv.DictReader(io.StringIO(_text(sample.folder)))}
    assert {each.patient_id for each in PERSONAS} < known
    assert sample.names["P-1001"] == "Ana"


def _text(folder) -> str:
    return (folder / "patients.csv").read_text(encoding="utf-8")


def test_one_of_each_kind_of_answer_is_shown() -> None:
    """Confirming, changing, a high number, stop, a crisis, something unclear, and silence."""
    said = [word for each in PERSONAS for words in each.answers.values() for word in words]
    intents = {read(body).intent for body in said}
    assert {Intent.stop, Intent.crisis, Intent.confirm, Intent.decline_reschedule} <= intents
    assert "9" in said
    assert [each.about for each in PERSONAS if not each.answers] == ["is silent"]


def test_a_patient_answers_after_a_while_and_each_question_as_often_as_they_have_words() -> None:
    """Then they are silent."""
    rosa = Persona(patient_id="P", about="", answers={Asked.NUMBER: ("hm", "5")}, seconds=7)
    patients = Patients({"P": "+12125550101"}, [rosa])
    for at in (0.0, 10.0, 20.0):
        patients.read("+12125550101", "Reply with one number.", at=at)
    patients.read("+12125550101", "Reply C to confirm", at=0)
    patients.read("+12125550199", "Reply with one number.", at=0)
    assert patients.written(at=6.9) == []
    assert patients.written(at=7.0) == [("+12125550101", "hm")]
    assert patients.writing == 1
    assert patients.written(at=99.0) == [("+12125550101", "5")]
