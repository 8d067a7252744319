"""Who writes what when, and what each text leaves: read, answered, put before a person."""

import pytest

from tests.stories.conversation import sections
from tests.stories.table import Line, as_told, shown

_TOLD = {name: table for name, _, table in sections()}


@pytest.mark.parametrize("name", _TOLD)
def test_a_conversation_leaves_what_it_says(day: dict[str, list[Line]], name: str) -> None:
    """Through the signed webhook, the steps and the carrier, amid all the others of that day."""
    assert shown(day[name]) == as_told(_TOLD[name])
