"""Which of several visits a bare C answers (docs/understanding.md)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.binding import READ_TOGETHER
from messages.replies import Intent, OpenPrompt, read
from tests.messages.reply_cases import NOW, reading

VISIT, YES_NO = "appointment_reminder", "yes_no"
MINUTE = timedelta(minutes=1)


def about(visit: str, seen: timedelta | None, context: str = VISIT) -> OpenPrompt:
    """Return a question about a visit that reached the phone so long before now."""
    return OpenPrompt(
        id=f"{visit} {context}",
        context=context,
        asked_at=NOW - timedelta(days=9),
        until=NOW + timedelta(days=9),
        subject=visit,
        seen_at=None if seen is None else NOW - seen,
    )


@pytest.mark.parametrize(
    ("first", "second", "answered"),
    [
        (READ_TOGETHER + MINUTE, MINUTE, "v2"),
        (MINUTE, READ_TOGETHER + MINUTE, "v1"),
        (READ_TOGETHER, MINUTE, None),
        (timedelta(days=3), None, None),
        (None, timedelta(days=3), None),
    ],
    ids=["v2 last", "v1 last", "read together", "last not proved", "first not proved"],
)
@pytest.mark.parametrize("body", ["C", "c thanks", "yes", "SI", "Confirmo"])
def test_a_bare_c_answers_the_visit_seen_last(first, second, answered, body):
    """By when its text came to the phone, not by when it was handed to the carrier."""
    found = read(body, prompts=[about("v1", first), about("v2", second)])
    bound = None if answered is None else f"{answered} {VISIT}"
    assert (found.intent, found.prompt_id) == (Intent.confirm, bound)
    assert found.ambiguous == (answered is None)


@pytest.mark.parametrize(
    "body", ["R", "ok", "see you tomorrow", "C see you tuesday", "can't make it", "c, both", "👍"]
)
def test_no_other_answer_chooses_a_visit(body):
    """A change, and words that may name another day, stay between the two."""
    found = read(body, prompts=[about("v1", timedelta(days=3)), about("v2", MINUTE)])
    assert (found.prompt_id, found.ambiguous) == (None, True)


def test_a_yes_answers_a_question_before_it_confirms_a_visit():
    """Y or N was asked for in just that word."""
    prompts = [about("v1", timedelta(days=3)), about("v2", MINUTE), about("v1", MINUTE, YES_NO)]
    assert read("yes", prompts=prompts).prompt_id == f"v1 {YES_NO}"


@given(
    seen=st.lists(
        st.none() | st.integers(0, 10_000).map(lambda minutes: minutes * MINUTE),
        min_size=2,
        max_size=5,
    )
)
def test_a_bare_c_is_bound_only_where_no_other_visit_can_be_meant(seen):
    """Whatever is open: every text proved, and no other within the time of the last one."""
    prompts = [about(f"v{number}", ago) for number, ago in enumerate(seen)]
    found = read("C", prompts=prompts)
    known = sorted(ago for ago in seen if ago is not None)
    sure = len(known) == len(seen) and known[1] - known[0] >= READ_TOGETHER
    expected = prompts[seen.index(known[0])].id if sure else None
    assert (found.prompt_id, found.ambiguous) == (expected, not sure)


def test_a_yes_to_two_questions_stays_between_them():
    """Health news and a ride are no visits: whichever came last, both wait for an answer."""
    prompts = [about("v1", timedelta(days=3), YES_NO), about("v2", MINUTE, YES_NO)]
    assert read("yes", prompts=prompts).ambiguous


@pytest.mark.parametrize("body", ["y cafe", "y eso por que", "y mi cita", "y si llego tarde"])
def test_a_y_before_spanish_words_is_and(body: str) -> None:
    """It confirmed the visit."""
    assert reading(body, "appointment_reminder", language="es").intent is not Intent.confirm


@pytest.mark.parametrize("body", ["Y", "y gracias", "Y my sister drives", "Y, mi hermana me lleva"])
def test_a_y_that_answers_is_a_yes(body: str) -> None:
    """Alone, before a comma, and in English."""
    assert reading(body, "yes_no", language="es").intent is Intent.confirm


@pytest.mark.parametrize("body", ["luego le confirmo", "al rato les confirmo", "le confirmo luego"])
def test_whoever_confirms_later_has_not_confirmed(body: str) -> None:
    """It confirmed the visit."""
    found = reading(body, "appointment_reminder")
    assert (found.intent, found.prompt_id) == (Intent.unclear, None)


def test_after_all_and_not_after_all_are_answers_about_a_visit() -> None:
    """ "Siempre si" and "siempre no", as people say in Mexico."""
    assert reading("siempre no", "appointment_reminder").intent is Intent.decline_reschedule
    assert reading("siempre si voy", "appointment_reminder").intent is Intent.confirm
