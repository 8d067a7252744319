"""The benchmarks: a figure counts only where the load that it names was there."""

import pytest

from bench import reading
from bench.rig import BenchError
from bench.webhooks import check_load


def told(rate: float, **statuses: int) -> dict[str, object]:
    """Return what a load of 4000 posts says of itself."""
    answers = {name.removeprefix("s"): count for name, count in statuses.items()}
    return {"rate": rate, "count": 4000, "statuses": answers}


def test_a_load_that_came_near_its_rate_and_was_taken_counts() -> None:
    """A text is answered with 200, a callback with 204."""
    check_load(told(380.0, s200=1, s204=3999), 400)


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (told(379.0, s200=4000), "reached 379/s of 400/s"),
        (told(400.0, s200=3999, s503=1), "503"),
        (told(400.0, s200=3999, s0=1), "not taken"),
    ],
    ids=["too slow", "refused", "broken"],
)
def test_a_load_that_was_not_there_proves_nothing(load: dict[str, object], why: str) -> None:
    """Too slow, refused, or cut off: the run fails instead of telling a figure."""
    with pytest.raises(BenchError, match=why):
        check_load(load, 400)


def test_reading_is_measured_for_every_length_and_says_what_a_process_start_costs() -> None:
    """The longest a carrier sends is told as well, and has no budget."""
    found = {each.what: each for each in reading.measure(quick=True).figures}
    assert len(found) == 13
    assert found["300 letters, slowest"].budget == "<= 1"
    assert found["1,600 letters, slowest"].budget == ""
    assert all(each.median > 0 for each in found.values())
