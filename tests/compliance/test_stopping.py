"""Rules 7 to 14: a stop in any wording, from the text to the last unsent row."""

from datetime import timedelta

import pytest

from messages.gateways.fake import refuse
from messages.lint import lint
from messages.templates import shipped
from records.followups import FollowUp
from records.patients import Consent
from tests.compliance.line import Line
from tests.support.world import phone_of
from worker.steps import consents

KEYWORDS = (
    "STOP", "stop.", " Stop ", "\uff33\uff34\uff2f\uff30", "STOPALL", "stop all", "Unsubscribe",
    "CANCEL", "End!", "quit", "REVOKE", "OPTOUT", "opt out", "Opt-Out", "s t o p",
    "STOP \U0001f6d1", "PARAR", "pare", "Cancelar", "BAJA", "alto", "ARRET",
)  # fmt: skip

SENTENCES = (
    "please stop texting me",
    "Remove me from your list",
    "no more texts",
    "dont contact me again",
    "take me off this",
    "I no longer wish to receive these messages",
    "unsubscribe me please",
    "ya no me manden mensajes",
    "no quiero recibir mas mensajes",
    "quitenme de su lista",
    "borren mi numero por favor",
    "stop with the messages already!!",
)


def test_rule_07_every_keyword_stops_in_the_storing_request(line: Line) -> None:
    """The webhook's own transaction revokes: no worker has run when it has answered."""
    line.someone(len(KEYWORDS))

    for number, body in enumerate(KEYWORDS):
        line.writes(body, phone=phone_of(number))

    assert [KEYWORDS[n] for n in range(len(KEYWORDS)) if not line.stop_of(phone_of(n))] == []
    assert {tuple(line.person(number).purposes) for number in range(len(KEYWORDS))} == {()}


def test_rule_08_a_sentence_stops_or_reaches_a_person(line: Line) -> None:
    """Each is applied or before a person; most of the plain ones are applied at once."""
    line.someone(len(SENTENCES))

    rows = [line.says(body, phone=phone_of(number)) for number, body in enumerate(SENTENCES)]

    stopped = [line.stop_of(phone_of(number)) is not None for number in range(len(SENTENCES))]
    assert sum(stopped) >= 0.75 * len(SENTENCES)
    for row, stop in zip(rows, stopped, strict=True):
        assert stop or row.follow_up_id is not None


@pytest.mark.parametrize("status", ["planned", "claimed"])
def test_rule_09_a_stop_cancels_everything_unsent(line: Line, status: str) -> None:
    """Planned and claimed texts end with the stop, of every visit, and nothing goes out later."""
    [first] = line.world.due()
    line.world.execute(
        "UPDATE message SET status = :status, claim_token = CASE WHEN :status = 'claimed'"
        " THEN uuidv7() END, lease_until = CASE WHEN :status = 'claimed'"
        " THEN clock_timestamp() + interval '1 minute' END",
        status=status,
    )

    line.writes("STOP")

    assert (line.world.message(first).status, line.world.message(first).reason) == (
        "cancelled",
        "stopped",
    )
    line.world.advance(hours=2)
    line.world.send()
    assert line.world.gateway.calls == []


def test_rule_09_nothing_is_left_scheduled_at_the_carrier(line: Line) -> None:
    """Texts are handed over only when due, so that none waits there for a stop to miss."""
    visit_id, _ = line.world.book(starts_in=timedelta(days=10))
    line.world.plan()
    line.world.send()

    assert visit_id
    assert all(text.due_at > line.world.now for text in line.world.texts())
    assert line.world.gateway.calls == []


@pytest.mark.parametrize(
    ("who", "body", "confirmations"),
    [
        ("twilio", "STOP", 0),
        ("twilio", "quit", 0),
        ("twilio", "stop!", 1),
        ("twilio", "parar", 1),
        ("twilio", "please stop texting me", 1),
        ("app", "STOP", 1),
        ("app", "parar", 1),
        ("app", "please stop texting me", 1),
    ],
)
def test_rule_10_one_confirmation_by_one_party(
    line: Line, who: str, body: str, confirmations: int
) -> None:
    """The carrier confirms its own keywords, else we do: once, at once, without promotion."""
    line.handled_by(who)
    line.someone()

    line.says(body)
    line.world.advance(minutes=1)
    line.says("STOP")
    line.says(body)

    assert len(line.reads()) == confirmations
    assert all("opted out" in text or "dado de baja" in text for text in line.reads())


def test_rule_11_a_refusal_for_a_stop_ends_all_texts(line: Line) -> None:
    """Code 21610 in the answer: the number is never tried again, and it is no patient's word."""
    [message_id] = line.world.due()
    line.world.gateway.always(phone_of(0), refuse(21610))

    line.world.send()
    line.world.advance(hours=3)
    line.world.send()

    assert line.world.message(message_id).status == "failed"
    assert len(line.world.gateway.calls) == 1
    stop = line.stop_of()
    assert stop is not None
    assert stop.reason == "carrier_21610"
    assert [row.action for row in line.rows(Consent) if row.actor == "patient"] == []


def test_rule_11_a_late_refusal_for_a_stop_ends_all_texts(line: Line) -> None:
    """Code 21610 in a receipt does the same, also to what is planned."""
    visit_id, _ = line.world.book(starts_in=timedelta(days=8))
    line.world.advance(days=1)
    line.world.plan()
    line.world.send()
    [sent] = [text for text in line.world.texts() if text.status == "accepted"]

    line.reports(sent.id, "failed", code=21610)
    calls = len(line.world.gateway.calls)
    line.waits_until("2026-12-08 12:00")

    assert visit_id
    stop = line.stop_of()
    assert stop is not None
    assert stop.reason == "carrier_21610"
    assert len(line.world.gateway.calls) == calls


@pytest.mark.parametrize("late", [False, True])
def test_rule_11_a_blocked_visit_text_reaches_staff(line: Line, *, late: bool) -> None:
    """Staff learn that a visit's text was blocked, and call."""
    [message_id] = line.world.due()
    if not late:
        line.world.gateway.always(phone_of(0), refuse(21610))
    line.world.send()
    if late:
        line.reports(message_id, "failed", code=21610)
    line.goes_on(minutes=5)

    assert "call_today" in {item.severity for item in line.rows(FollowUp)}


def test_rule_11_a_blocked_check_in_reaches_staff(line: Line) -> None:
    """Without a visit staff learn of the block too: the number may be somebody else's now."""
    line.arrives = False
    line.world.enroll_by_hand()
    line.goes_on()
    line.goes_on(hours=7)
    [asked] = line.texts_sent("daily_0_10")
    line.reports(asked.id, "failed", code=21610)
    line.goes_on(hours=20)

    assert line.rows(FollowUp) != []


@pytest.mark.parametrize(("stop", "lifted"), [("STOP", True), ("please stop texting me", False)])
def test_rule_12_start_lifts_a_keyword_stop_only(line: Line, stop: str, *, lifted: bool) -> None:
    """A stop in a sentence stays until staff and patient have spoken; START goes to a person."""
    line.someone()
    line.says(stop)
    line.world.advance(hours=1)
    row = line.says("START")

    assert (line.stop_of() is None) is lifted
    assert row.opt_change == ("start" if lifted else "start_refused")
    assert ("visits" in line.person().purposes) is lifted


def test_rule_12_yes_is_no_consent(line: Line) -> None:
    """YES lifts nothing and grants nothing."""
    line.someone()
    line.says("STOP")
    for body in ("YES", "Yes.", "si", "ok"):
        line.says(body)

    assert line.stop_of() is not None
    assert line.person().purposes == []


@pytest.mark.parametrize("word", ["YES", "CANCEL", "END", "QUIT", "INFO", "START"])
def test_rule_12_no_template_asks_for_a_carriers_keyword(word: str) -> None:
    """A text that asks for a word which the carrier acts on does not pass the lint."""
    findings = lint(f"Riverside Care: reply {word} to go on.", language="en", template_key="reask")
    assert findings

    for key in shipped().templates:
        for language in shipped().languages(key):
            body = shipped().sample(key, language)
            assert lint(body, language=language, template_key=key) == (), key


@pytest.mark.parametrize(
    ("who", "body", "answers"),
    [("twilio", "HELP", 0), ("twilio", "ayuda", 1), ("app", "HELP", 1), ("app", "info", 1)],
)
def test_rule_13_help_is_answered_once_by_one_party(
    line: Line, who: str, body: str, answers: int
) -> None:
    """The answer names the program, a contact, the rates and how to stop."""
    line.handled_by(who)
    line.someone()

    line.says(body)

    assert len(line.reads()) == answers
    for text in line.reads():
        for part in ("Riverside Care", "212-555-0100", "STOP", "rates"):
            assert part in text


@pytest.mark.parametrize("status", ["planned", "claimed"])
def test_rule_14_staff_record_a_stop_by_other_means(line: Line, status: str) -> None:
    """A revocation by voice counts at once, also for a claimed text, and says who took it down."""
    [message_id] = line.world.due()
    line.world.execute(
        "UPDATE message SET status = :status, claim_token = CASE WHEN :status = 'claimed'"
        " THEN uuidv7() END, lease_until = CASE WHEN :status = 'claimed'"
        " THEN clock_timestamp() + interval '1 minute' END",
        status=status,
    )

    consents.revoke(
        line.world.services,
        line.person().id,
        purposes=["visits", "check_ins", "health_questions"],
        method="voice",
        actor="kim@clinic.test",
    )
    line.goes_on(minutes=1)

    assert line.person().purposes == []
    assert line.world.message(message_id).status in {"skipped", "cancelled"}
    assert line.world.gateway.calls == []
    [entry] = line.rows(Consent)
    assert (entry.action, entry.method, entry.actor) == ("revoke", "voice", "kim@clinic.test")
