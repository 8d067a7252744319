"""Fixtures of the acceptance tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.house import Installation
from tests.support.databases import OwnDatabase
from tests.support.processes import Processes

Make = Callable[..., Installation]


@pytest.fixture
def make(processes: Processes, tmp_path: Path, database: OwnDatabase, redis_url: str) -> Make:
    """What makes an installation with its carrier running, and no process of ours yet."""

    def make(**more: Any) -> Installation:
        options = {"redis_url": redis_url, **more}
        return Installation(processes, tmp_path, database, **options)

    return make
