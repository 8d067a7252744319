"""Whatever a clinic's days ask of the database, an index answers, however much has gathered."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from cli.embedded import EmbeddedPostgres
from cli.simulation.database import OwnDatabase
from cli.simulation.life import Plan, simulate
from cli.simulation.sites import SETTINGS
from tests.support.services import quick_place

# What a clinic has a handful of, or one row a patient has at most for a while.
_FEW = frozenset({"clinic", "sender", "staff", "staff_absence", "protocol_version", "progress"})
# The simulator's own, of one row.
_CLOCK = "clock"
# Read once a night, by the comparison with the carrier.
_NIGHTLY = "page_delivery.reference"
_ASKS = re.compile(r"\s*(SELECT|UPDATE|WITH|DELETE)\b")
_READ_WHOLE = re.compile(r"Seq Scan on (\w+)")
_BY_INDEX = re.compile(r"Index (?:Only )?Scan (?:Backward )?(?:using|on) (\w+)")
# Those that hold no text, or attempt, of a state only: they grow as the outbox does.
_OF_ALL_TEXTS = frozenset(
    {"pk_message", "uq_message_sid", "uq_message_identity", "ix_message_patient"}
    | {"ix_message_appointment", "ix_message_accepted", "pk_attempt", "ix_attempt_sid"}
)


@contextmanager
def _asked() -> Iterator[dict[str, Any]]:
    """Yield the statements that are made in the block, each with its last values."""
    found: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        if _ASKS.match(statement) and not many:
            found[statement] = values

    event.listen(Engine, "after_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "after_cursor_execute", note)


def _read_whole(connection: psycopg.Connection[Any], statement: str, values: Any) -> set[str]:
    """Return the tables that a statement reads from end to end even where that is dear.

    An index that holds every text and is read without a condition is as dear: it is named instead.
    """
    plan = connection.execute(b"EXPLAIN " + statement.encode(), values).fetchall()
    lines = [line for (line,) in plan]
    found = {name for line in lines for name in _READ_WHOLE.findall(line)}
    for line, after in pairwise([*lines, ""]):
        if "Index Cond" not in after:
            found |= _OF_ALL_TEXTS & {*_BY_INDEX.findall(line)}
    return found - _FEW - {_CLOCK}


@pytest.mark.timeout(600)
def test_no_statement_of_a_clinics_days_reads_a_growing_table_whole() -> None:
    """Texts, replies, pages, items, plans, imports: with a year behind them they cost the same."""
    whole: dict[str, set[str]] = {}

    with (
        EmbeddedPostgres(settings=SETTINGS, place=quick_place()) as server,
        _asked() as asked,
    ):
        plan = Plan(
            patients=12,
            days=6,
            seed=3,
            faults=True,
            grain=timedelta(hours=1),
            ended=lambda own: whole.update(_plans(own, asked)),
        )
        assert simulate(server, plan).broken == []
    assert len(asked) > 200
    assert whole == {}


def _plans(own: OwnDatabase, asked: dict[str, Any]) -> dict[str, set[str]]:
    own.own.execute("ANALYZE")
    # Of the few texts here it is as cheap to read all as to look for some. Of a year's it is not.
    for way in ("seqscan", "mergejoin", "hashjoin"):
        own.own.execute(f"SET enable_{way} = off".encode())
    found = {
        statement: _read_whole(own.own, statement, values)
        for statement, values in asked.items()
        if _NIGHTLY not in statement
    }
    return {statement: tables for statement, tables in found.items() if tables}
