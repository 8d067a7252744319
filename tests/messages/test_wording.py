"""A clinic's own wording: what it may say otherwise, and what it always keeps."""

import pytest

from messages.templates import shipped
from messages.wording import faults, is_safety, spoken

CATALOG = shipped()
VALUES = {"sms_name": "Riverside Care", "phone": "212-555-0100"}
EACH = [(key, language) for key in CATALOG.templates for language in CATALOG.languages(key)]

DAY = "{sms_name}: see you at {time} today. Late? Reply L. Another time? Reply R. {phone}"
CRISIS = "In danger? Call 911. 988 listens, free, 24/7: call or text. We've alerted our team."


@pytest.mark.parametrize(("key", "language"), EACH)
def test_the_shipped_wording_keeps_what_it_asks_for(key: str, language: str) -> None:
    """Written into a clinic's file as it stands, no text has a fault."""
    assert faults(CATALOG, {key: {language: CATALOG.wording(key, language).text}}, VALUES) == []


def test_another_way_of_saying_it_is_fine() -> None:
    """The same values, letters and lines of help in other words."""
    own = {"visit_day": {"en": DAY}, "crisis_reply": {"en": CRISIS}}
    assert faults(CATALOG, own, VALUES) == []
    said = spoken(CATALOG, own, VALUES)
    assert said.wording("visit_day", "en").text == DAY
    assert said.wording("visit_day", "es") == CATALOG.wording("visit_day", "es")
    assert said.overridden == {("visit_day", "en"), ("crisis_reply", "en")}


@pytest.mark.parametrize(
    ("key", "language", "before", "after", "told"),
    [
        ("visit_day", "en", "{sms_name}: ", "", "does not name the clinic"),
        ("visit_day", "en", "at {time} ", "", "no longer says {time}"),
        ("visit_day", "en", "Questions: {phone}", "", "no longer says {phone}"),
        ("visit_day", "en", "Reply L.", "Call us.", 'no longer asks for "L"'),
        ("visit_day", "en", "today", "{when}", "{when} is not known for this text"),
        ("visit_day", "en", "today", "{first_name}", "not a value that texts can name"),
        ("visit_day", "en", "today", "{time!r}", "not a bare name"),
        ("visit_day", "en", "Questions: ", "We'll call you: ", "promises a call"),
        ("visit_day", "en", "see you today", "your ketamine visit is", "ketamin"),
        ("visit_day", "en", "see you today", "see you today \u2013 as ever \u2013", "\u2013"),
        ("visit_day", "en", "see you today", "see you today " + "as ever " * 12, "takes 2 parts"),
        ("visit_day", "es", "nos vemos", "aquí le vemos", "í"),
        ("visit_booked", "en", "Reply C to confirm", "Reply YES to confirm", "YES"),
        ("visit_2h_ride", "en", "You must not drive after this visit. ", "", "not to drive"),
        ("visit_24h_prep", "en", "only water until {liq}", "only water", "no longer says {liq}"),
        ("daily_0_10", "en", "10 (strongest)", "9 (strongest)", "reaches 10"),
        ("welcome", "en", ", STOP to end", "", 'no longer says "STOP"'),
        ("welcome", "es", "STOP para", "BASTA para", 'no longer says "STOP"'),
        ("optout_confirm", "en", "Reply START to resume.", "", 'no longer says "START"'),
        ("help", "en", "988", "us", 'no longer says "988"'),
        ("crisis_reply", "en", "Call 911", "Call us", 'no longer says "911"'),
        ("crisis_reply_noalert", "en", "Nobody", "We've alerted our team. Nobody", "was alerted"),
        ("overdose_reply", "es", "naloxona", "lo que tenga", 'no longer says "naloxona"'),
    ],
)
def test_what_a_text_must_not_lose_is_named(
    key: str, language: str, before: str, after: str, told: str
) -> None:
    """One change to the shipped words, and the fault that tells of it with its place."""
    text = CATALOG.wording(key, language).text
    assert before in text
    found = faults(CATALOG, {key: {language: text.replace(before, after)}}, VALUES)
    assert any(told in str(fault) for fault in found), found
    assert {(fault.template, fault.language) for fault in found} == {(key, language)}
    assert all(fault.mend for fault in found)


def test_a_text_is_read_for_the_telling_words_of_both_languages() -> None:
    """English words in the place of the Spanish ones are read by the same people."""
    text = "{sms_name}: your dose and drug test: {when}. Traiga un adulto. {link} Responda C o R."
    found = faults(CATALOG, {"visit_7d": {"es": text}}, VALUES)
    assert [fault.message for fault in found] == ["it says 'dose'", "it says 'drug'"]


def test_a_text_that_does_not_exist_is_named_with_the_nearest() -> None:
    """A slip of the finger is mended at once."""
    [fault] = faults(CATALOG, {"visit_dya": {"en": DAY}}, VALUES)
    assert "visit_day" in fault.mend


def test_lengths_are_those_of_the_clinics_own_name() -> None:
    """What fits for one clinic is a letter too long for another."""
    room = 160 - len(DAY.format(sms_name="", time="10:30 AM", phone="212-555-0142"))
    text = DAY.replace(" today", " today" + "." * (room - 10))
    assert faults(CATALOG, {"visit_day": {"en": text}}, {"sms_name": "A" * 10}) == []
    [fault] = faults(CATALOG, {"visit_day": {"en": text}}, {"sms_name": "A" * 11})
    assert "2 parts" in fault.message


def test_what_no_longer_fits_is_said_in_the_shipped_words() -> None:
    """A later release may ask more of a text: the patient gets the text all the same."""
    own = {"visit_day": {"en": "See you!", "es": CATALOG.wording("visit_day", "es").text}, "x": {}}
    said = spoken(CATALOG, own, VALUES)
    assert said.wording("visit_day", "en") == CATALOG.wording("visit_day", "en")
    assert said.overridden == {("visit_day", "es")}


def test_what_may_call_somebody_is_safety_content() -> None:
    """Help lines, driving, food, and questions whose answer has rules; not the rest."""
    asked = {"daily_0_10", "weekly_days", "visit_48h", "medicines_taken", "checkin_missed"}
    warned = {"welcome", "help", "visit_24h_prep", "visit_2h_ride", "no_show", "high_score_ack"}
    replies = {key for key in CATALOG.templates if CATALOG.template(key).kind == "safety"}
    found = {key for key in CATALOG.templates if is_safety(CATALOG, key)}
    assert asked | warned | replies <= found
    assert not found & {"visit_day", "visit_booked", "visit_7d", "confirm_ack", "mood_form"}
