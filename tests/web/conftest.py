"""The application with its real database, and a clinic in it."""

from collections.abc import Iterator

import pytest

from records.clinics import Clinic
from tests.web.house import House
from tests.web.served import Client, served


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
