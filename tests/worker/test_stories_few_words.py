"""Stories of few words, in Spanish: what people answer to the very words of our texts."""

import pytest

from tests.support.world import World
from tests.worker.talk import Talk


@pytest.mark.parametrize("said", ["soy suicida", "me llevaron en ambulancia no respira"])
def test_a_word_that_english_knows_makes_no_text_english(world: World, said: str) -> None:
    """Care rule 23: whoever pleads in Spanish is answered in Spanish."""
    talk = Talk(world)
    talk.someone(language="es")
    talk.says(said)
    [answer] = talk.world.execute("SELECT language, kind FROM message")
    assert (answer.language, answer.kind) == ("es", "safety")
