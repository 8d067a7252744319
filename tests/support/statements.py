"""Compiled statements, shared by all databases that the tests of one process connect to.

A process of ours connects once and compiles each statement once. A test process connects anew for
each test and each command, and SQLAlchemy keeps what it compiled with the engine that it was
compiled for: compiling the same statements again took a fifth of the tests' time.
"""

from sqlalchemy import Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.util import LRUCache

_COMPILED: LRUCache[object, object] = LRUCache(4000)


class OneDialect(PGDialect_psycopg):
    """SQLAlchemy's own, of which each stands for every other: all servers here are alike."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OneDialect)

    def __hash__(self) -> int:
        return hash(OneDialect)

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=_COMPILED)


def share() -> None:
    """Have every engine that is made from now on use what others compiled."""
    registry.register("postgresql.psycopg", __name__, OneDialect.__name__)
