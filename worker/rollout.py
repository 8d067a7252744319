"""Brings everybody to a published version: visits matched, then the plan step to its end.

The workers do the same beside it; a patient is planned by one process at a time, in one
transaction. Killed at any instant it is taken up by the workers, or by running it again.
"""

import time
from collections.abc import Callable
from uuid import UUID

from records import publishing
from worker import matching
from worker.services import Services
from worker.steps import plan

# Rows that a worker holds are free again within seconds.
_PATIENCE_SECONDS, _PAUSE_SECONDS = 30.0, 0.2


def roll_out(
    services: Services,
    clinic_id: UUID,
    protocol: str,
    number: int,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Plan everybody who does not follow this version yet; return how many could not be.

    `on_progress` is told how many patients follow it more than at the last call.
    """
    matching.match(services, clinic_id)
    left = behind(services, clinic_id, protocol, number)
    on_start(left)
    ends = time.monotonic() + _PATIENCE_SECONDS

    def tell() -> None:
        nonlocal left, ends
        now_left = behind(services, clinic_id, protocol, number)
        if now_left < left:
            ends = time.monotonic() + _PATIENCE_SECONDS
            on_progress(left - now_left)
            left = now_left

    while left and time.monotonic() < ends:
        plan.run(services, on_batch=tell)
        tell()
        if left and not _waiting(services, clinic_id):
            break
        if left:
            time.sleep(_PAUSE_SECONDS)
    return left


def behind(services: Services, clinic_id: UUID, protocol: str, number: int) -> int:
    """Count who follows the protocol and is not planned by this version yet."""
    with services.database.transaction() as session:
        return publishing.count_behind(session, clinic_id, protocol, number)


def _waiting(services: Services, clinic_id: UUID) -> int:
    """Count who still waits to be planned; whoever waits no more and is behind can't be planned."""
    with services.database.transaction() as session:
        return publishing.count_waiting(session, clinic_id)
