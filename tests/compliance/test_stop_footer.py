"""Care rule 30: texts that we start say how to stop and whom to call."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

import pytest

from messages.gateways.fake import throttle
from messages.templates import TemplateKind, shipped
from records import patients
from schedules.clinic import read_clinic
from schedules.clinic_parts import StopFooter
from schedules.telling import Telling
from tests.compliance.line import Line
from tests.support.source import ROOT
from tests.support.world import make_due, make_visits, phone_of
from worker import facts
from worker.effects import Change, effects_of
from worker.preview import PreviewedText, preview
from worker.rendering import Rendered, Subject, render
from worker.steps import reconcile, send

_PHONE = "212-555-0100"
_AT = datetime(2026, 9, 23, 14, 0, tzinfo=UTC)
_WITH_ROOM = "visit_booked"
_STARTED = [key for key, each in shipped().templates.items() if each.kind is TemplateKind.started]


def _written(template: str, language: str, **params: str) -> str:
    """Write a text of the example's clinic with `always`; the lint has its say."""
    return _rendered(template, language, footer=StopFooter.ALWAYS, params=params).body


def _rendered(
    template: str,
    language: str,
    *,
    telling: Telling = Telling.NOT_YET,
    footer: StopFooter = StopFooter.MONTHLY,
    params: Mapping[str, str] = MappingProxyType({}),
) -> Rendered:
    file = read_clinic(
        (ROOT / "examples/clinic.yaml").read_text("utf-8"), "clinic.yaml", sandbox=True
    )
    subject = Subject(
        clinic=file.model_copy(update={"stop_footer": footer}),
        telling=telling,
        now=_AT,
        starts_at=_AT + timedelta(days=1),
        params={"min": "0", "max": "10", "words": "See you soon", "link": "nside.test/a", **params},
    )
    return render(shipped(), template, language, subject)


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
        ("Call 212-555-0100", "212-555-0100. STOP ends texts"),
        ("Call 212-555-0100" + " soon" * 22 + "er", "sooner. STOP to end"),
    ],
)
def test_care_rule_30_what_is_added_stands_apart(words: str, end: str) -> None:
    """A full stop stands before it where there is none, and never behind a link."""
    assert _written("staff_text", "en", words=words).endswith(end)


@pytest.mark.parametrize(("language", "words"), [("en", "STOP to end"), ("es", "STOP termina")])
def test_care_rule_30_always_says_stop_in_each_started_text(
    line: Line, language: str, words: str
) -> None:
    """With `always` each says it once, in the patient's language and with the phone."""
    line.footer("always")
    patient_id = line.asks_daily(language=language)
    asked, next_one = line.reads()[-1], _sends(line, patient_id)

    assert words in asked
    assert [(text.count("STOP"), text.count(_PHONE)) for text in (asked, next_one)] == [(1, 1)] * 2


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
    assert not [text for text in answers if "STOP" in text]


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


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("template", _STARTED)
def test_care_rule_30_no_text_grows_by_a_part_before_it_must(template: str, language: str) -> None:
    """In the week before 30 days are over only a text with room says it, and the lint lets it."""
    plain = _rendered(template, language)
    early = _rendered(template, language, telling=Telling.WHERE_IT_FITS)
    must = _rendered(template, language, telling=Telling.NOW)

    assert early.segments == plain.segments
    assert early.tells_stop or early.body == plain.body
    assert must.tells_stop


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("template", ["daily_0_10", "visit_booked", "visit_day", "daily_count"])
def test_care_rule_30_what_most_patients_get_has_room_for_it(template: str, language: str) -> None:
    """The daily question, a booked visit and its day say it within their one part."""
    written = _rendered(template, language, telling=Telling.NOW)

    assert (written.tells_stop, written.segments) == (True, 1)


def _another(line: Line, patient_id: UUID, *, template: str = _WITH_ROOM) -> UUID:
    """Have another text of this patient due now; return it."""
    world = line.world
    with world.database.transaction() as session:
        start = world.now + timedelta(days=9)
        visits = make_visits(
            session, world.vault, world.clinic_id, [patient_id], start, label=f"{world.now}-"
        )
        [message_id] = make_due(
            session,
            world.clinic_id,
            world.sender_id,
            [patient_id],
            visits,
            due_at=world.now,
            starts_at=start,
            template=template,
        )
    return message_id


def _sends(line: Line, patient_id: UUID, *, days: int = 0, template: str = _WITH_ROOM) -> str:
    """Send this patient another text days and an hour later; return what they read."""
    line.world.advance(days=days, hours=1)
    message_id = _another(line, patient_id, template=template)
    line.world.send()
    [sent] = [one for one in line.world.texts() if one.id == message_id]
    assert sent.attempts
    return line.reads()[-1]


@pytest.mark.parametrize(("language", "words"), [("en", "STOP to end"), ("es", "STOP termina")])
def test_care_rule_30_monthly_says_stop_to_whoever_was_not_told(
    line: Line, language: str, words: str
) -> None:
    """A patient who was not told is told by the next started text, once, in their language."""
    line.footer("monthly")
    line.asks_daily(language=language)

    asked = line.reads()[-1]
    assert words in asked
    assert (asked.count("STOP"), asked.count(_PHONE)) == (1, 1)
    [sent] = line.texts_sent("daily_0_10")
    assert sent.segments == 1


def test_care_rule_30_monthly_says_it_once_in_thirty_days(line: Line) -> None:
    """A text with room says it in the fourth week, and none before; a clock change lies between."""
    line.world.clock.at = datetime(2026, 10, 20, 14, 0, tzinfo=UTC)
    [patient_id] = line.admits()
    said = ["STOP" in _sends(line, patient_id, days=days) for days in (0, 1, 21, 1, 1, 21, 2)]

    assert said == [True, False, False, True, False, False, True]


def test_care_rule_30_a_text_without_room_says_it_on_the_thirtieth_day(line: Line) -> None:
    """It waits for a text with room until then, and no longer: that one takes two parts."""
    [patient_id] = line.admits()
    _sends(line, patient_id)
    long = {"template": "weekly_days"}
    before = _sends(line, patient_id, days=28, **long)
    read = _sends(line, patient_id, days=2, **long)

    assert "STOP" not in before
    assert (read.count("STOP"), read.count(_PHONE)) == (1, 1)


def test_care_rule_30_welcome_counts_as_telling(line: Line) -> None:
    """Whoever was welcomed has read STOP and the phone: the next texts add nothing."""
    line.has_imported_before()
    line.admits_by_file()
    line.world.plan()
    line.send_due("welcome")
    assert "STOP" in line.reads()[-1]

    assert "STOP" not in _sends(line, line.person().id)


def test_care_rule_30_help_counts_as_telling(line: Line) -> None:
    """The answer to HELP says STOP and the phone; what we start next need not."""
    line.handled_by("app")
    [patient_id] = line.admits()
    line.says("HELP")
    assert "STOP" in line.reads()[-1]

    assert "STOP" not in _sends(line, patient_id)


def test_care_rule_30_a_text_that_ended_unsent_told_nobody(line: Line) -> None:
    """A claim that was given up before anything went: the next text says it."""
    [patient_id] = line.admits()
    first = _another(line, patient_id)
    _claim_and_die(line)
    assert line.world.message(first).tells_stop
    line.world.execute("UPDATE message SET status = 'cancelled' WHERE id = :id", id=first)

    assert "STOP" in _sends(line, patient_id)


def test_care_rule_30_a_text_claimed_again_says_it_once(line: Line) -> None:
    """A worker dies with the claim: the text goes with the same words, and the next one without."""
    [patient_id] = line.admits()
    _another(line, patient_id)
    _claim_and_die(line)
    line.world.execute("UPDATE message SET lease_until = clock_timestamp() - interval '1 second'")
    reconcile.sweep(line.world.services)
    line.world.send()

    [read] = line.reads()
    assert read.count("STOP") == 1
    assert "STOP" not in _sends(line, patient_id)


def _claim_and_die(line: Line) -> None:
    """Claim what is due as a worker that is killed before it opens an attempt."""

    def dies(point: str) -> None:
        if point == "claim.after_commit":
            raise KeyboardInterrupt

    dying = replace(line.world.services, crashpoint=dies)
    with pytest.raises(KeyboardInterrupt):
        send.run(dying, line.world.carrier, line.world.sender_id)


def test_care_rule_30_a_text_that_came_back_told_nobody(line: Line) -> None:
    """What the carrier could not deliver was not read: the next text says it."""
    [patient_id] = line.admits()
    first = _another(line, patient_id)
    line.world.send()
    line.reports(first, "undelivered", code=30003)

    assert "STOP" in _sends(line, patient_id)


def test_care_rule_30_a_refused_text_says_it_when_it_goes(line: Line) -> None:
    """The carrier takes no more for now: the text that goes later still has the words."""
    [patient_id] = line.admits()
    _another(line, patient_id)
    line.world.gateway.script(throttle(1.0))
    line.world.send()
    line.world.advance(minutes=2)
    line.world.send()

    [read] = line.reads()
    assert read.count("STOP") == 1
    assert "STOP" not in _sends(line, patient_id)


def test_care_rule_30_a_new_number_is_told_anew(line: Line) -> None:
    """Whoever has the number now has read nothing yet."""
    [patient_id] = line.admits()
    assert "STOP" in _sends(line, patient_id)
    world = line.world
    with world.database.transaction() as session:
        person = patients.by_id(session, patient_id)
        patients.seal_identity(
            world.vault,
            person,
            external_id="P0",
            first_name="Ana",
            phone=phone_of(5),
            details={},
        )
    world.advance(hours=1)
    _another(line, patient_id)
    world.send()

    assert "STOP" in line.reads(phone_of(5))[-1]


def test_care_rule_30_the_preview_shows_the_text_that_says_it(line: Line) -> None:
    """The question that says it is the same in the preview and on the phone, now and weeks on."""
    world = line.world
    patient_id = world.enroll_by_hand()
    world.plan()
    first = _previewed(line, patient_id)
    assert [one.tells_stop for one in first] == [True] + [False] * (len(first) - 1)
    world.advance(hours=7)
    line.send_due("daily_0_10")
    assert first[0].body == line.reads()[-1]

    world.execute(
        "UPDATE message SET submitted_at = submitted_at - interval '20 days' WHERE attempts > 0"
    )
    later = _previewed(line, patient_id)
    assert [one.tells_stop for one in later[:5]] == [False, False, True, False, False]
    assert {one.segments for one in later} == {1}
    for one in later[:4]:
        world.advance(days=1)
        world.plan()
        line.send_due("daily_0_10")
        assert one.body == line.reads()[-1]


def _previewed(line: Line, patient_id: UUID) -> list[PreviewedText]:
    world = line.world
    shown = preview(world.services, patient_id, at=world.now + timedelta(minutes=1), days=14)
    return [one for one in shown.texts if one.template == "daily_0_10"]


def test_care_rule_30_a_forecast_counts_the_parts_it_costs(line: Line) -> None:
    """A clinic that changes to `always` reads before how many parts more its texts take."""
    world = line.world
    world.book(starts_in=timedelta(days=9))
    world.plan()
    with world.database.transaction() as session:
        clinic = facts.clinic_context(session, world.clinic_id)
    always = clinic.file.model_copy(update={"stop_footer": StopFooter.ALWAYS})
    change = Change(clinic_id=world.clinic_id, file=always, protocols=clinic.protocols)
    found = effects_of(world.services, change)

    assert found.before.texts == found.after.texts
    assert found.before.segments < found.after.segments
