"""Whose words a reaction quotes: ours are nobody's answer, the patient's own may be a plea."""

import pytest

from messages.quoting import is_one_of, unquoted
from messages.reading import Intent, Severity
from messages.replies import read, without_ours
from tests.messages.reply_cases import prompt

VISIT = "Riverside Care: you have a visit Tue 10:00 AM. Reply C to confirm or R to change."
CLOSED = "Riverside Care: we're closed and read this Monday. In danger? Call 911 or 988."
ASKED = prompt("appointment_reminder")
OURS = (VISIT, CLOSED)
WRITTEN = ("Liked “{}”", 'Emphasized "{}"', "Le encantó «{}»", "Loved \u2018{}\u2019")
PLEAS = (
    "Emphasized “I want to die”",
    "Emphasised 'I don't want to live anymore'",
    'Liked "I want to kill myself"',
    "Loved “i\u2019m going to kill myself tonight”",
    'Laughed at "I took too many pills"',
    'Disliked "i cant breathe and my chest hurts"',
    'Questioned "he hit me and i am scared to go home"',
    "Reacted 😢 to “I want to kill myself”",
    "😂 to “I want to kill myself”",
    "Le gustó «me quiero morir»",
    "Enfatizó “me quiero matar”",
    'Reaccionó con 😢 a "quiero morirme hoy"',
)


@pytest.mark.parametrize("text", PLEAS)
def test_a_reaction_that_quotes_a_plea_pages(text: str) -> None:
    """It is read as the plea that it quotes, also where nobody knows what went to the number."""
    for ours in (OURS, (), None):
        reading = read(text, ours=ours)
        assert reading.severity is Severity.page_now, (text, ours)
        assert reading.urgent


@pytest.mark.parametrize("ours", [VISIT, CLOSED])
@pytest.mark.parametrize(
    "said", ["Liked “{}”", 'Emphasized "{}"', "Le encantó «{}»", "Loved \u2018{}\u2019"]
)
@pytest.mark.parametrize("length", [30, 1000])
def test_a_reaction_to_a_text_of_ours_is_no_plea(ours: str, said: str, length: int) -> None:
    """Whole or cut off: danger in our own words is nobody's."""
    cut = ours if length > len(ours) else f"{ours[:length]}…"
    reading = read(said.format(cut), ours=OURS)
    assert reading.intent in {Intent.thanks_no_action, Intent.confirm}
    assert reading.severity is None


def test_a_reaction_to_other_words_is_put_before_a_person() -> None:
    """It answers nothing, confirms nothing and stops nothing, and is not dropped."""
    for said in ("Can I bring my dog?", "STOP", "C", "5", "yes that works"):
        reading = read(f"Liked “{said}”", prompts=[ASKED], ours=OURS)
        assert (reading.intent, reading.severity) == (Intent.unclear, Severity.next_business_day)
        assert not reading.opt_out
        assert reading.prompt_id is None


@pytest.mark.parametrize(
    "text",
    [
        "Loved “see you there” stop texting me",
        'Liked "I want to die" STOP',
        "Le gustó «ok» ya no me escriban",
    ],
)
@pytest.mark.parametrize("ours", [OURS, (), None])
def test_a_stop_after_a_quote_is_a_stop(text: str, ours: tuple[str, ...] | None) -> None:
    """The quote is old, or somebody else's; what stands behind it is said now."""
    reading = read(text, ours=ours)
    assert reading.opt_out
    assert reading.urgent is ("die" in text)
    assert not read("Loved “stop texting me”", ours=ours).opt_out


@pytest.mark.parametrize("stop", ["STOP", "stop texting me", "alto"])
def test_a_stop_hides_no_plea_that_only_sounds_like_one(stop: str) -> None:
    """No list holds the words quoted: what they resemble is heard for itself."""
    for quoted in ("told my sister who gets the dog when im gone", "i keep looking at the rope"):
        reading = read(f"Loved “{quoted}” {stop}", ours=OURS)
        assert (reading.opt_out, reading.urgent) == (True, True), quoted


def test_a_thumb_on_the_question_answers_it() -> None:
    """Care rule 18: it counts for yes/no and confirm."""
    assert read(f"Liked “{VISIT}”", prompts=[ASKED], ours=OURS).intent is Intent.confirm


def test_an_apostrophe_ends_no_quote() -> None:
    """What follows it is still the quote, and not what the patient wrote."""
    assert unquoted("Liked “we\u2019re closed”").quoted == "we\u2019re closed"
    assert unquoted("Liked 'we're closed' ok").body == " ok"


def test_a_beginning_must_be_long_enough_to_be_ours() -> None:
    """Many a text begins with "I"; a phone that cuts off keeps more."""
    assert is_one_of("Riverside Care: you…", OURS)
    assert not is_one_of("River", OURS)
    assert is_one_of("Ok.", ["OK"])


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f"Liked “{VISIT}”", ""),
        (f"Liked “{VISIT}” i want to", " i want to"),
        ("Emphasized “i want to”", "“i want to”"),
        ("i want to", "i want to"),
    ],
)
def test_texts_are_joined_without_our_words(body: str, left: str) -> None:
    """A burst is read as its writer's words alone."""
    assert without_ours(body, OURS) == left
