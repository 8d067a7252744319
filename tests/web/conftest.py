"""The application with its real database, and a clinic in it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from structlog.testing import capture_logs

from records.clinics import Clinic, Staff
from tests.support import browser as chromium
from tests.web.house import PASSWORD, House
from tests.web.served import Client, served


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged, as values; unconfigured, each error would be drawn with all its locals."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """A house without rows."""
    built = House.build(database_url)
    yield built
    built.services.database.close()


@pytest.fixture
def clinic(house: House) -> Clinic:
    """The clinic `riverside`, in New York."""
    return house.clinic()


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    """A client of the running application; redirects are for the test to look at."""
    with served(house.services) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, closed with its module.

    While Playwright's synchronous side is open, an event loop runs in this thread, and any other
    test's `asyncio.run` would fail.
    """
    with chromium.launched() as launched:
        yield launched


@pytest.fixture
def kim(house: House, clinic: Clinic, client: Client) -> Staff:
    """Kim, a coordinator who is signed in."""
    row: Staff = house.staff(clinic)
    client.sign_in("kim@clinic.test", PASSWORD)
    return row
