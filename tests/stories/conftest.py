"""What makes a town for a story, with the sandbox and a mail server in it."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.sandbox.conftest import Loop, Product, loop, product, unused_port  # noqa: F401
from tests.stories.conversation import BEGINS, Day
from tests.stories.table import Line
from tests.stories.town import Make, Story, begun
from tests.support.databases import Databases, OwnDatabase
from tests.support.mail import MailServer, mail_server
from tests.worker.desk import at


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
    loop: Loop,  # noqa: F811
    product: Product,  # noqa: F811
    box: MailServer,
) -> Iterator[Make]:
    """What makes the town of a story that begins at an instant."""
    with ExitStack() as stack:

        def made(at: datetime, **more: Any) -> Story:
            return stack.enter_context(begun(database, loop, product, box, at=at, **more))

        yield made


@pytest.fixture(scope="session")
def day(
    databases: Databases,
    loop: Loop,  # noqa: F811
    box: MailServer,
) -> dict[str, list[Line]]:
    """The day of all conversations, played once: by name what came of each line."""
    with (
        databases.migrated() as own,
        capture_logs(),
        begun(own, loop, Product(), box, at=at(BEGINS)) as story,
    ):
        return Day.of(story).play()
