"""The reckoning: the carrier's own log and the database together, when all has come to rest."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from messages.status import from_carrier
from tests.chaos.house import Desk, House
from worker.carrier import SEND_GUARD_SECONDS

_UNSENT = {"skipped", "cancelled", "expired", "failed"}


@dataclass(slots=True, kw_only=True)
class Struck:
    """One fault of the run, and the texts that fell due from it until the next."""

    name: str
    at: datetime
    fired: int
    recovered_in: float | None
    texts: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    unsent: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class Reckoning:
    """What was counted; `broken` says in words which invariants do not hold."""

    struck: list[Struck]
    totals: dict[str, int]
    reasons: Counter[str]
    broken: list[str]


def reckon(house: House, desk: Desk, struck: list[Struck]) -> Reckoning:
    """Count. Nothing runs any more that could change a row."""
    made = _made_by_row(house.seen("create"))
    rows = _rows(house)
    broken = [f"{each.name}: it did not strike" for each in struck if not each.fired]
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    ending = _endings(house)
    starts = [each.at for each in struck]
    for row in rows:
        verdict = _judge(row, made.get(row["id"], []), ending)
        where = struck[max(0, bisect_right(starts, row["due_at"]) - 1)] if struck else None
        _count(totals, reasons, where, row, verdict)
        broken += [f"{fault}: {row['id']} {_shown(row)}" for fault in verdict.faults]
    missing = desk.due.keys() - {row["id"] for row in rows}
    broken += [f"a text that fell due has no row: {each}" for each in missing]
    broken += _inbound_faults(house, desk, totals)
    broken += [f"a text without a row: {each}" for each in made.keys() - {r["id"] for r in rows}]
    totals["receipts not applied"] = house.sql(
        "SELECT count(*) FROM receipt WHERE applied_at IS NULL"
    )[0][0]
    open_attempts = house.sql("SELECT count(*) FROM attempt WHERE closed_at IS NULL")[0][0]
    if open_attempts:
        broken.append(f"{open_attempts} attempts are still open")
    return Reckoning(struck=struck, totals=dict(totals), reasons=reasons, broken=broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    kind: str
    faults: Sequence[str]


def _judge(row: dict[str, Any], made: list[dict[str, Any]], ending: dict[str, str]) -> _Verdict:
    """Say what became of a row, and which invariants it breaks."""
    faults = []
    if len(made) > 1:
        faults.append("doubled")
    allowed = row["latest_at"] + timedelta(seconds=SEND_GUARD_SECONDS)
    if any(datetime.fromisoformat(one["at"]) > allowed for one in made):
        faults.append("late")
    if not made:
        if row["status"] not in _UNSENT:
            return _Verdict(kind="lost", faults=["lost"])
        if not row["reason"]:
            faults.append("unsent without a reason")
        if row["reason"] == "unfit_text":
            faults.append("ended by the machine's trouble: no text here is unfit")
        return _Verdict(kind="unsent", faults=faults)
    if row["sid"] not in [one["sid"] for one in made]:
        faults.append("sent, and the row does not know it")
    elif row["status"] != from_carrier(ending[row["sid"]]):
        faults.append(f"the carrier says {ending[row['sid']]}")
    return _Verdict(kind="sent", faults=faults)


def _count(
    totals: Counter[str],
    reasons: Counter[str],
    where: Struck | None,
    row: dict[str, Any],
    verdict: _Verdict,
) -> None:
    totals["texts"] += 1
    totals[verdict.kind] += 1
    for name in ("doubled", "late"):
        totals[name] += name in verdict.faults
    if verdict.kind == "unsent":
        useful = row["latest_at"] - row["due_at"]
        for_long = "" if useful < timedelta(minutes=1) else f" (useful for {useful})"
        reasons[f"{row['status']}: {row['reason']}{for_long}"] += 1
    if where is not None:
        where.texts += 1
        where.lost += verdict.kind == "lost"
        where.doubled += "doubled" in verdict.faults
        where.late += "late" in verdict.faults


def _rows(house: House) -> list[dict[str, Any]]:
    names = ("id", "kind", "status", "reason", "sid", "due_at", "latest_at", "attempts")
    question = f"SELECT {', '.join(names)} FROM message WHERE due_at <= %s"
    return [dict(zip(names, row, strict=True)) for row in house.sql(question, house.now)]


def _shown(row: dict[str, Any]) -> str:
    return f"{row['kind']} {row['status']} {row['reason']} after {row['attempts']} attempts"


def _made_by_row(created: list[dict[str, Any]]) -> dict[UUID, list[dict[str, Any]]]:
    """Return what the carrier made, by the row that its callback address names."""
    made: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for entry in created:
        query = parse_qs(urlsplit(entry.get("status_callback", "")).query)
        # Texts to staff are pages, and no rows of the outbox.
        if "delivery" not in query:
            made[UUID(query["message"][0])].append(entry)
    return made


def _endings(house: House) -> dict[str, str]:
    """Return the last status of each text, as the carrier has it: all phones take what comes."""
    return {entry["sid"]: "delivered" for entry in house.seen("create")}


def _inbound_faults(house: House, desk: Desk, totals: Counter[str]) -> list[str]:
    """D: each text received stands once, handled."""
    written = Counter(entry["sid"] for entry in house.seen("inbound"))
    rows = house.sql("SELECT sid, handled_at IS NOT NULL FROM inbound")
    stored = Counter(sid for sid, _ in rows)
    totals["inbound"], totals["inbound stored"] = len(written), stored.total()
    missing, strange = written - stored, stored - written
    faults = [f"an inbound text is missing: {sid}" for sid in missing]
    faults += [f"an inbound text stands twice: {sid}" for sid in strange]
    faults += [f"an inbound text was not handled: {sid}" for sid, handled in rows if not handled]
    faults += [f"the carrier forgot {sid}" for sid in set(desk.written) - written.keys()]
    return faults
