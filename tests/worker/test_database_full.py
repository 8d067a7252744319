"""A PostgreSQL that has no room: no connection left, no block on the disk. It heals by itself."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from cli.embedded import THROWAWAY_SETTINGS, EmbeddedPostgres
from records import migrate
from tests.support.processes import wait_until
from tests.support.room import CAN_BE_FULL, NO_ROOM, fill, no_room
from tests.support.services import quick_place
from tests.worker.test_database_faults import Worker, working

DATABASE, OWNER, PROCESS = "aftercare", "owner", "process"


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the test's own, for few clients, with our schema."""
    settings = {**THROWAWAY_SETTINGS, "max_connections": "16"}
    with EmbeddedPostgres(settings=settings, place=quick_place()) as server:
        server.ensure_role(OWNER, "CREATEDB CREATEROLE")
        server.ensure_role(PROCESS)
        server.ensure_database(DATABASE, OWNER)
        migrate.upgrade(server.url(DATABASE, OWNER), server.url(DATABASE, PROCESS))
        yield server


@pytest.fixture
def worker(server: EmbeddedPostgres) -> Iterator[Worker]:
    """A worker at that server, whose own timer ticks."""
    with working(server.url(DATABASE, PROCESS)) as made:
        made.world.settings.dispatch_interval = 0.1
        yield made


def test_texts_go_on_once_connections_are_free_again(
    worker: Worker, server: EmbeddedPostgres
) -> None:
    """Others have them all, ours are cut off: nothing is lost, and nobody has to restart us."""
    worker.world.due(3)
    worker.world.database.close()
    with ExitStack() as others:
        refused = ""
        while not refused:
            try:
                taken = psycopg.connect(server.dsn(DATABASE, PROCESS))
                others.enter_context(taken)
            except psycopg.OperationalError as error:
                refused = str(error)
        assert "too many clients" in refused or "remaining connection slots" in refused
        worker.process.start()
        wait_until(lambda: worker.states["no connection"] >= 2, 20, what="it was refused as well")
        assert worker.world.gateway.calls == []
    wait_until(lambda: worker.world.statuses() == {"accepted": 3}, 30)
    worker.sent_once(3)


@pytest.mark.skipif(not CAN_BE_FULL, reason="only Linux can do this to a process")
def test_texts_go_on_once_the_disk_has_room_again(worker: Worker, server: EmbeddedPostgres) -> None:
    """Every change of a text's status has to be written down, and soon none can be."""
    fill(server.dsn(DATABASE, OWNER))
    worker.world.due(300)
    with no_room(server, DATABASE):
        worker.process.start()
        wait_until(lambda: worker.states[NO_ROOM] >= 2, 20, what="the disk was full")
        assert worker.world.statuses().get("accepted", 0) < 300
    # What was claimed and could not be written goes back when its lease is over: hastened here.
    worker.world.execute("UPDATE message SET lease_until = now() WHERE status = 'claimed'")
    wait_until(lambda: worker.world.statuses() == {"accepted": 300}, 40)
    worker.sent_once(300)
