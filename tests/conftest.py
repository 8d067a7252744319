"""Fixtures for all tests: servers, databases, processes, the browser, and a closed network.

Servers start with the first test that asks for one; `tests.support.services` tells how they end.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
import structlog
from hypothesis import HealthCheck, settings

from cli.embedded import THROWAWAY_SETTINGS, EmbeddedPostgres, EmbeddedRedis
from tests.support import network, services
from tests.support.processes import Processes

# The pure tests take a second; they shall not wait for SQLAlchemy's and Playwright's imports.
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.support.databases import Databases, OwnDatabase

network.install()

# What makes cycles here is small; the words that replies are read by are hundreds of thousands of
# objects, which a test process keeps and looked through every few seconds.
gc.set_threshold(700, 10, 100)

# How long a case takes on a busy machine says nothing of what it states.
settings.register_profile(
    "facts", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("facts")

# Drawn with the locals of each frame, as is usual, a logged error takes seconds.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.set_exc_info,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        services.announce_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        services.end_run()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and keep what was collected out of later looks.

    Thousands of tests and all modules live as long as the run; going over them again and again
    takes a third of the time of collecting.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _stays_on_this_machine() -> Iterator[None]:
    """Fail a test whose code tried to leave, even where it caught the error."""
    before = len(network.attempts)
    yield
    assert network.attempts[before:] == []


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Take back how a command of ours has logs written, which is for its whole process."""
    form = structlog.get_config()
    yield
    structlog.configure(**form)


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """Which of pytest's workers this is; 0 when there is only one."""
    name = getattr(request.config, "workerinput", {}).get("workerid", "gw0")
    return int(name.removeprefix("gw"))


@pytest.fixture(scope="session")
def servers() -> services.Services:
    """The run's PostgreSQL and Valkey."""
    return services.ask()


@pytest.fixture(scope="session")
def databases(servers: services.Services, worker_number: int) -> Databases:
    """What makes databases, for a test that needs several or an empty one."""
    from tests.support.databases import Databases  # noqa: PLC0415 - See the top.

    return Databases(servers, services.run_folder(), str(worker_number))


@pytest.fixture
def database(databases: Databases) -> Iterator[OwnDatabase]:
    """A database of this test's own at the newest schema, gone after the test."""
    with databases.migrated() as own:
        yield own


@pytest.fixture
def database_url(database: OwnDatabase) -> str:
    """DATABASE_URL: the role of the processes."""
    return database.url


@pytest.fixture
def owner_url(database: OwnDatabase) -> str:
    """DATABASE_OWNER_URL of the same database: the role that migrates."""
    return database.owner_url


@pytest.fixture(scope="session")
def redis_numbers(worker_number: int) -> Iterator[int]:
    """Numbers of Valkey databases; each worker counts in a range of its own."""
    span = services.REDIS_DATABASES // 16
    first = worker_number % 16 * span
    return (first + number % span for number in count())


@pytest.fixture
def redis_url(servers: services.Services, redis_numbers: Iterator[int]) -> str:
    """REDIS_URL: an empty numbered database of the run's Valkey."""
    url = servers.redis_url(next(redis_numbers))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """A Valkey that the test may stop, kill, pause and start."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL, without our schema, that the test may restart or kill. Takes half a second."""
    with EmbeddedPostgres(settings=THROWAWAY_SETTINGS, place=services.quick_place()) as server:
        yield server


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """What starts real processes; none of them outlives the test."""
    with Processes(tmp_path) as own:
        yield own


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    from tests.support import browser as chromium  # noqa: PLC0415 - See the top.

    with chromium.launched() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page, with cookies of its own."""
    with browser.new_context() as context:
        yield context.new_page()
