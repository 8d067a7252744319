"""Progress, not liveness: when each process and each sweep last got something done.

Instants here are the database's clock: they guard against double work, not patients' days.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from records.base import Base, CreatedAt

#: The carrier's list of received texts was read to its end, for every number of ours.
PULLED = "pulled"


class Progress(Base):
    """The last success of something that must go on: `tick`, `worker:host`, `sweep:leases`."""

    __tablename__ = "progress"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[CreatedAt]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


def mark(session: Session, name: str, details: dict[str, Any] | None = None) -> None:
    """Note that `name` has just succeeded."""
    row = {"at": text("clock_timestamp()"), "details": details or {}}
    statement = insert(Progress).values(name=name, **row)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


_TAKE = text("""
    INSERT INTO progress (name, at) VALUES (:name, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET at = clock_timestamp()
    WHERE progress.at <= clock_timestamp() - make_interval(secs => :every)
    RETURNING name
""")


def take_turn(session: Session, name: str, *, every: float) -> bool:
    """Return whether it is time for `name` again (seconds); only one caller is told yes."""
    return session.execute(_TAKE, {"name": name, "every": every}).first() is not None


_AGES = text("SELECT name, extract(epoch FROM clock_timestamp() - at)::float8 FROM progress")


def ages(session: Session) -> dict[str, float]:
    """Return the seconds since each last success."""
    return {row[0]: row[1] for row in session.execute(_AGES)}


def details(session: Session, name: str) -> dict[str, Any]:
    """Return what was noted with the last success of `name`."""
    return session.scalar(select(Progress.details).where(Progress.name == name)) or {}


def last(session: Session, name: str) -> datetime | None:
    """Return when `name` last succeeded (the database's clock)."""
    return session.scalar(select(Progress.at).where(Progress.name == name))


def named(session: Session, prefix: str) -> list[str]:
    """Return the marks whose names begin so, the oldest first."""
    mine = select(Progress.name).where(Progress.name.startswith(prefix, autoescape=True))
    return list(session.scalars(mine.order_by(Progress.at)))


def forget(session: Session, name: str, *, since: datetime | None = None) -> None:
    """Remove the mark of something that has ended in good order; with `since`, no later mark."""
    mine = delete(Progress).where(Progress.name == name)
    session.execute(mine if since is None else mine.where(Progress.at == since))
