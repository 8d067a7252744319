"""What every table shares: the connection, the naming convention, the column types.

Rows enter and leave through :class:`Database`; nothing outside `records/` imports SQLAlchemy.
The processes connect with one login but act as the role `aftercare_app`, which owns nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Self
from uuid import UUID

import uuid_utils.compat as uuid_utils
from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    ForeignKeyConstraint,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    create_engine,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

APP_ROLE = "aftercare_app"

__all__ = ["APP_ROLE", "Base", "DBAPIError", "Database", "Session", "crossed", "new_id", "refuses"]


class RecordsError(Exception):
    """Something kept in the database is not as it has to be; the message says what to do."""


class NaiveDatetimeError(RecordsError, TypeError):
    """A datetime without a zone reached a column: give every instant its zone (UTC inside)."""


def new_id() -> UUID:
    """Return a UUID of version 7: unique, and in the order of creation for the indexes."""
    return uuid_utils.uuid7()


def as_array(values: Iterable[UUID | datetime | None]) -> str:
    """Return values as PostgreSQL writes an array, several times faster than the driver does."""
    return "{" + ",".join("NULL" if one is None else f'"{one}"' for one in values) + "}"


def refuses(error: Exception) -> bool:
    """Whether it failed by what was to be written: that fails again, however often it is tried.

    A server that is away, a deadlock or a lock held too long is no such error.
    """
    return isinstance(error, DataError | IntegrityError | ValueError | TypeError | ArithmeticError)


#: A deadlock, transactions that could not be serialized, and a lock held too long (SQLSTATE).
_CROSSED = frozenset({"40P01", "40001", "55P03"})


def crossed(error: Exception) -> bool:
    """Whether it only stood in somebody else's way: the very same goes through once they are done.

    What such a transaction was about may be in perfect order.
    """
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CROSSED


class PutOff(IntEnum):
    """What is written as a transaction ends, in this order, that of the plan step.

    One order for all: two transactions that end with both never wait for each other crosswise.
    """

    PLANS_ASKED = 1
    ANSWERED = 2
    STORIES = 3
    TRAILS = 4


Write = Callable[[Session, list[Any]], None]


def put_off(session: Session, turn: PutOff, write: Write, what: object) -> None:
    """Have `write` called at the end of the transaction, once, with all that was put off for it.

    For what nothing reads within the transaction: what many rows ask for is then one statement,
    and its locks are held for the last moment only. Within a savepoint, which may be rolled back by
    itself, it is written at once.
    """
    if session.in_nested_transaction():
        write(session, [what])
    else:
        session.info.setdefault(_PUT_OFF, defaultdict(list))[turn, write].append(what)


def _write_put_off(session: Session) -> None:
    waiting: dict[tuple[PutOff, Write], list[Any]] = session.info.pop(_PUT_OFF, {})
    for turn, write in sorted(waiting, key=lambda each: each[0]):
        write(session, waiting[turn, write])


_PUT_OFF = "put_off"


class Instant(TypeDecorator[datetime]):
    """A TIMESTAMPTZ that refuses naive datetimes on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is not None and value.tzinfo is None:
            raise NaiveDatetimeError(NaiveDatetimeError.__doc__)
        return value


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it from the class.
        datetime: Instant,
        bytes: LargeBinary,
        str: Text,
        dict[str, Any]: JSONB,
        list[str]: JSONB,
    }


# The second half of every key is the clinic: a foreign key can then never cross clinics.
Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
ClinicId = Annotated[UUID, mapped_column(primary_key=True)]
# Sealed by records.vault, bound to its table, column and row.
Sealed = Annotated[bytes, mapped_column(LargeBinary)]
# A keyed hash by records.vault: equal values can be found, none can be read.
Blind = Annotated[bytes, mapped_column(LargeBinary)]
CreatedAt = Annotated[datetime, mapped_column(server_default=text("now()"))]


def within_clinic(column: str, table: str, **options: Any) -> ForeignKeyConstraint:
    """Return a foreign key from (`column`, clinic_id) to `table`, so that rows stay in a clinic."""
    return ForeignKeyConstraint(
        [column, "clinic_id"], [f"{table}.id", f"{table}.clinic_id"], **options
    )


class Database:
    """The one door to PostgreSQL: short transactions that commit or leave nothing behind."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def connect(cls, url: str, *, application: str, pool_size: int = 8, ping: bool = True) -> Self:
        """Return a database that processes use, acting as `aftercare_app`.

        `ping` asks a connection that was at rest whether it still lives: a round trip for each
        transaction, which only somebody whose server can't go away saves.
        Timeouts bound every wait: a statement 15 s, a lock 5 s, an idle transaction 15 s.
        """
        options = (
            f"-c role={APP_ROLE} -c timezone=UTC -c statement_timeout=15s"
            " -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s"
        )
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=10,
            pool_pre_ping=ping,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": f"aftercare-{application}",
                "options": options,
                "keepalives_idle": 30,
                "tcp_user_timeout": 30_000,
            },
        )
        return cls(engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a session that commits at the end of the block and rolls back on any error.

        After an error at COMMIT assume nothing: the rows say what happened.
        """
        with Session(self.engine, expire_on_commit=False) as session, session.begin() as mine:
            yield session
            if mine.is_active:
                # Not rolled back within the block, as a rehearsal is.
                _write_put_off(session)

    def reachable(self) -> bool:
        """Return whether a trivial statement succeeds now."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True

    def close(self) -> None:
        """Give all connections back to the server."""
        self.engine.dispose()


def database_now(session: Session) -> datetime:
    """Return the database's clock, the only one that all processes share (UTC)."""
    now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now
