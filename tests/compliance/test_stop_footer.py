"""Care rule 30: texts that we start say how to stop and whom to call."""

from datetime import UTC, datetime, timedelta

import pytest

from messages.templates import TemplateKind, shipped
from schedules.clinic import read_clinic
from schedules.clinic_parts import StopFooter
from tests.compliance.line import Line
from tests.support.source import ROOT
from tests.support.world import phone_of
from worker.preview import preview
from worker.rendering import Subject, render

_PHONE = "212-555-0100"
_AT = datetime(2026, 9, 23, 14, 0, tzinfo=UTC)
_STARTED = [key for key, each in shipped().templates.items() if each.kind is TemplateKind.started]


def _written(template: str, language: str, **params: str) -> str:
    """Write a text of the example's clinic with `always`; the lint has its say."""
    file = read_clinic(
        (ROOT / "examples/clinic.yaml").read_text("utf-8"), "clinic.yaml", sandbox=True
    )
    subject = Subject(
        clinic=file.model_copy(update={"stop_footer": StopFooter.ALWAYS}),
        now=_AT,
        starts_at=_AT + timedelta(days=1),
        params={"min": "0", "max": "10", "words": "See you soon", "link": "nside.test/a"} | params,
    )
    return render(shipped(), template, language, subject).body


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("template", _STARTED)
def test_care_rule_30_every_started_text_may_say_it(template: str, language: str) -> None:
    """With what is added each shipped text passes the lint, and says STOP and the phone once."""
    body = _written(template, language)

    assert (body.count("STOP"), body.count(_PHONE)) == (1, 1)


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("See you soon", "soon. STOP ends texts. 212-555-0100"),
        ("See you soon!", "soon! STOP ends texts. 212-555-0100"),
        ("Read nside.test/a", "nside.test/a STOP ends texts. 212-555-0100"),
        ("Call 212-555-0100", "212-555-0100. STOP ends texts."),
    ],
)
def test_care_rule_30_what_is_added_stands_apart(words: str, end: str) -> None:
    """A full stop stands before it where there is none, and never behind a link."""
    assert _written("staff_text", "en", words=words).endswith(end)


@pytest.mark.parametrize(("language", "words"), [("en", "STOP ends"), ("es", "STOP termina")])
def test_care_rule_30_always_says_stop_in_each_started_text(
    line: Line, language: str, words: str
) -> None:
    """With `always` the daily question says it in the patient's language, once, with the phone."""
    line.footer("always")
    line.asks_daily(language=language)

    asked = line.reads()[-1]
    assert asked.count("STOP") == 1
    assert f"{words} " in asked
    assert asked.count(_PHONE) == 1


def test_care_rule_30_nothing_is_said_twice(line: Line) -> None:
    """A text that says STOP itself gets no second one, only the phone it leaves out."""
    line.footer("always")
    line.world.due(template="assess_48h")
    line.world.send()

    [text] = line.reads()
    assert "Reply STOP to end texts." in text
    assert (text.count("STOP"), text.count(_PHONE)) == (1, 1)


def test_care_rule_30_an_answer_gets_no_footer(line: Line) -> None:
    """What answers the patient is as it is written, and so is a safety reply."""
    line.footer("always")
    line.asks_daily()
    before = len(line.reads())
    line.says("PAUSE")
    line.says("i want to die")

    answers = line.reads(phone_of(0))[before:]
    assert len(answers) > 1
    assert not [text for text in answers if "STOP ends" in text]


def test_care_rule_30_the_preview_shows_the_same_words(line: Line) -> None:
    """What staff see before is what the patient reads, with as many segments."""
    line.footer("always")
    patient_id = line.world.enroll_by_hand()
    line.world.plan()
    world = line.world
    shown = preview(world.services, patient_id, at=world.now, days=1)
    world.advance(hours=7)
    line.send_due("daily_0_10")

    daily = next(one for one in shown.texts if one.template == "daily_0_10")
    assert daily.body == line.reads()[-1]
    [sent] = line.texts_sent("daily_0_10")
    assert daily.segments == sent.segments


@pytest.mark.xfail(strict=True, reason="`stop_footer: monthly` adds nothing to a text")
def test_care_rule_30_monthly_says_stop_to_whoever_was_not_told(line: Line) -> None:
    """With `monthly` a patient who was not told for 30 days is told by the next started text."""
    line.footer("monthly")
    line.asks_daily()

    assert "STOP" in line.reads()[-1]
