"""The line that tests of the rules live on."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.compliance.line import Line
from tests.support.world import World
from tests.web.served import served


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged, as values; unconfigured, each error would be drawn with all its locals."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    """A clinic on a Monday morning, with its web process, and a carrier in memory."""
    with World(database_url) as world, served(world.services) as client:
        yield Line(world, client)
