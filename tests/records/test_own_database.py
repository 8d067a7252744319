"""The fixtures themselves: each test gets a migrated database and an empty Valkey of its own."""

import psycopg
import pytest
import redis

from records.base import APP_ROLE
from tests.support.databases import Databases, OwnDatabase


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_sees_another_tests_rows(database: OwnDatabase, redis_url: str, turn: int) -> None:
    """What one turn leaves, the other does not find."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("CREATE TABLE left_by_a_test ()")
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left by a test", turn)


def test_the_owner_migrates_and_the_processes_own_nothing(database: OwnDatabase) -> None:
    """The processes' login may act as the role of the processes, and owns no table."""
    with psycopg.connect(database.url.replace("+psycopg", "")) as connection:
        connection.execute(f'SET ROLE "{APP_ROLE}"'.encode())
        owned = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner ="
            " any(array[current_user, session_user]::text[])"
        ).fetchone()
        every = connection.execute(
            "SELECT count(*) > 0 FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    assert (owned, every) == ((0,), (True,))


def test_an_empty_database_has_no_schema(databases: Databases) -> None:
    """For tests of the migration itself."""
    with databases.empty() as own, psycopg.connect(own.owner_dsn) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    assert tables == (0,)
