"""Where a clinic lives: a small one at one site, a large one at two, at the same time.

Each site has a process, a server, a database and its share of the patients. How many there are
depends on the clinic alone and never on the machine, so that the same seed gives the same report.
"""

from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.synchronize import Event

from cli.embedded import THROWAWAY_SETTINGS, EmbeddedPostgres
from cli.simulation.life import GRAIN_OF_A_LARGE_CLINIC, Plan, simulate
from cli.simulation.report import Report, merged

#: From so many patients on a clinic has two sites.
LARGE = 100
#: Nobody watches this server's processes: telling what each does costs a tenth of it.
SETTINGS = {
    **THROWAWAY_SETTINGS,
    "synchronous_commit": "off",
    "max_wal_size": "4GB",
    "track_activities": "off",
    "update_process_title": "off",
}


def live(plan: Plan) -> Report:
    """Live a clinic's days at all its sites, and return what there is to tell of them together."""
    return live_at(plans_of(plan))


def plans_of(plan: Plan) -> list[Plan]:
    """Return what each site of a clinic is to live through."""
    if plan.patients < LARGE:
        return [plan]
    large = replace(plan, sites=2, grain=GRAIN_OF_A_LARGE_CLINIC)
    return [replace(large, site=site) for site in range(large.sites)]


def live_at(plans: list[Plan]) -> Report:
    """Live each of these in a process of its own, or in this one if it is the only one.

    Where one fails the others end, at their next jump, and its error is raised.
    """
    if len(plans) == 1:
        return _live(plans[0])
    context = get_context("spawn")
    over = context.Event()
    with ProcessPoolExecutor(
        len(plans), mp_context=context, initializer=_together, initargs=(over,)
    ) as pool:
        lives = [pool.submit(_live_beside, plan) for plan in plans]
        try:
            for life in as_completed(lives):
                life.result()
        finally:
            over.set()
        return merged([life.result() for life in lives])


class OverError(Exception):
    """Another site failed: nobody asks any more how this one went."""


class _Beside:
    """What a site's process knows of the others: whether one of them failed."""

    over: Event


def _together(over: Event) -> None:
    _Beside.over = over


def _goes_on() -> None:
    if _Beside.over.is_set():
        raise OverError


def _live_beside(plan: Plan) -> Report:
    return _live(replace(plan, goes_on=_goes_on))


def _live(plan: Plan) -> Report:
    with EmbeddedPostgres(settings=SETTINGS) as server:
        return simulate(server, plan)
