"""The chaos run's form of one minute; `make chaos SEED=1 MINUTES=30` is the whole one."""

from pathlib import Path

import pytest

from tests.chaos.run import run

SEED, MINUTES = 1, 1


@pytest.mark.timeout(300)
def test_a_minute_of_chaos_breaks_nothing(tmp_path: Path) -> None:
    """Real processes, faults under load, and the carrier's own log as the witness."""
    result = run(tmp_path, seed=SEED, minutes=MINUTES, short=True)
    assert result.broken == []
    assert result.totals["texts"] >= 300
    assert result.totals["sent"] >= 250
