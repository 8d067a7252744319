"""What the lists find and no learned reader believes is a person's to decide, and no more."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.doubts import weighed
from messages.ensemble import Alike
from messages.lexicon import lexicon
from messages.reading import Hit, Intent, Severity
from messages.replies import hear, plain_words, read
from tests.corpus.reading import open_prompt
from tests.messages.reply_cases import reading

# Each holds a phrase that pages; none is a row of the corpora that the readers learned.
EVERYDAY = [
    ("kids barricaded me in the bathroom, demands: pizza", Intent.thanks_no_action),
    ("can u switch me to the nasal one, needles make me pass out lol", None),
    ("la novela estuvo buena, envenenaron al patron en la boda", None),
]
GRAVE = [
    "i jumped off the bridge and im still here, my legs wont move",
    "they gave me the needle an hour ago and she wont wake up",
    "i cant do this anymore, i took all of them just now",
    "quiero matarme, ya tengo todo listo para esta noche",
]


@pytest.mark.parametrize(("body", "intent"), EVERYDAY)
def test_a_phrase_of_danger_in_an_everyday_text_wakes_nobody(
    body: str, intent: Intent | None
) -> None:
    """Somebody reads it the same day all the same: nothing is ruled out."""
    found = reading(body)
    assert (found.urgent, found.severity) == (False, Severity.call_today)
    assert intent is None or found.intent is intent


@pytest.mark.parametrize("body", GRAVE)
def test_danger_that_a_reader_believes_pages(body: str) -> None:
    """One of them is enough."""
    assert reading(body).urgent


@pytest.mark.parametrize(
    "body",
    [
        "hes beating me. That integration playlist SLAYED",
        "she ODd. Yes health change, last year I had the bypass. all mended",
        "para mi todo bien, saludos! kiero matarlo, voy pa'lla",
        "jumped off the bridge today!! bungee, new zealand, for my 60th",
    ],
)
def test_a_sentence_that_a_reader_believes_by_itself_pages(body: str) -> None:
    """Whatever stands beside it: that may explain it, or only be harmless itself."""
    assert reading(body).urgent


@pytest.mark.parametrize("body", ["me siguen", "help me die", "ahogandome"])
def test_in_a_few_words_the_lists_are_not_doubted(body: str) -> None:
    """Each of them weighs much, and readers know little of it."""
    assert reading(body).urgent


@given(chatter=st.lists(st.sampled_from(EVERYDAY), min_size=4, max_size=6))
def test_a_long_text_is_not_doubted(chatter: list[tuple[str, Intent | None]]) -> None:
    """It may hide one line among many."""
    assert reading(". ".join(body for body, _ in chatter)).urgent


def test_a_clinics_own_words_are_not_doubted() -> None:
    """Its clinicians know what its patients mean by them, and no reader can."""
    own = lexicon({"en": {"self_harm": {"say": ["feeling the old friend"]}}})
    body = "feeling the old friend again on this lovely sunday"
    assert not read(body).urgent
    assert read(body, words=own).urgent


@pytest.mark.parametrize(
    "body",
    [
        "please remove me from the 2 o'clock, anything after 4 that same day?",
        "get me off that list for tomorrow, car wont start",
    ],
)
def test_a_visit_given_up_in_the_words_of_a_stop_stops_no_texts(body: str) -> None:
    """A person asks the same day whether a stop was meant."""
    found = read(body, prompts=[open_prompt("appointment_reminder")])
    assert (found.intent, found.opt_out) == (Intent.decline_reschedule, False)
    assert found.severity is Severity.call_today


@pytest.mark.parametrize("body", ["STOP", "stop please", "ALTO", "unsubscribe me from this list"])
def test_a_stop_is_doubted_by_nobody_who_reads_nothing_else_in_it(body: str) -> None:
    """Whatever was asked."""
    assert read(body, prompts=[open_prompt("yes_no")]).opt_out


def test_of_two_dangers_the_one_that_is_told_stands_first() -> None:
    """Both page; whoever is on call reads the first one first."""
    body = "she swallowed the whole bottle of her pills and her breathing is weird"
    assert reading(body).intent is Intent.overdose


def test_no_wish_to_die_stands_before_a_body_in_danger() -> None:
    """What can still be helped now is answered first."""
    assert reading("overdosed because I want to die").intent is Intent.overdose


class Unreadable(list[str]):
    """The words of a text over which each reader fails."""

    def __iter__(self) -> Iterator[str]:
        """Fail as a reader does for which there is no room."""
        raise MemoryError


def test_a_page_and_a_stop_wait_for_no_reader() -> None:
    """Where one fails, what the lists found stands; any other text's reading fails, and is seen."""
    heard = hear("i took them all and its done", (), lexicon())
    broken = Alike(words=Unreadable(), text=heard.folded)
    page = Hit(intent=Intent.overdose, severity=Severity.page_now)
    stop = Hit(intent=Intent.stop, severity=Severity.digest, opt_out=True)
    thanks = Hit(intent=Intent.thanks_no_action)
    assert weighed(heard, broken, [page, thanks]) == [page, thanks]
    assert weighed(heard, broken, [stop]) == [stop]
    with pytest.raises(MemoryError):
        weighed(heard, broken, [thanks])


def test_a_page_waits_for_no_reader_of_a_single_sentence() -> None:
    """Where one fails over it, the page stands, though all held the whole text for everyday."""
    body, _ = EVERYDAY[0]
    heard = hear(body, (), lexicon())
    alike = Alike(words=plain_words(heard), text=heard.folded)
    page = Hit(intent=Intent.crisis, severity=Severity.page_now)
    assert weighed(heard, alike, [page])[-1].severity is Severity.call_today
    broken = Alike(words=Unreadable(), text=heard.folded)
    assert weighed(heard, alike, [page], [broken]) == [page]
