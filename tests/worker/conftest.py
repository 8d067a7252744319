"""The world that tests of the steps live in."""

from collections.abc import Iterator

import pytest

from tests.support.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A clinic on a Monday morning, with a carrier in memory and a database of its own."""
    with World(database_url) as made:
        yield made
