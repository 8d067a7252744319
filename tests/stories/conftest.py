"""What makes a town for a story, with the sandbox and a mail server in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from messages import replies
from sandbox.config import Delays
from tests.sandbox.conftest import Lab, loop, open_lab, product, unused_port  # noqa: F401
from tests.stories.town import Make, Story, Town
from tests.support.databases import OwnDatabase
from tests.support.mail import MailServer, mail_server

AT_ONCE = Delays(queued=0, sending=0, sent=0, delivered=0, failed=0, ringing=0, answered=0)


@pytest.fixture(scope="session")
def box() -> Iterator[MailServer]:
    """The town's post office."""
    with mail_server() as made:
        yield made


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged, as values."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def make(
    database: OwnDatabase,
    open_lab: Callable[..., Lab],  # noqa: F811
    box: MailServer,
) -> Iterator[Make]:
    """What makes the town of a story that begins at an instant."""
    # The words that texts are read by are loaded before anybody waits, as `aftercare web` does.
    replies.read("hello")
    box.letters.clear()
    box.refusal = None
    with ExitStack() as stack:

        def made(at: datetime, **more: Any) -> Story:
            lab = open_lab(delays=AT_ONCE, services={}, inbound_url=None)
            town = stack.enter_context(Town(database, lab, box, at=at.astimezone(UTC)))
            return stack.enter_context(Story(world=town, box=box, **more))

        yield made
