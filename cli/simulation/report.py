"""What a run has to tell: counts, hours, days, items, reply times, and every broken promise.

Nothing in it comes from this machine's clock, and no id is shown: the same seed, the same report.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cli.simulation.clinic import START, ZONE
from cli.simulation.story import Broken

if TYPE_CHECKING:
    from cli.simulation.audit import Audit
    from cli.simulation.database import OwnDatabase
    from cli.simulation.faults import Faults
    from cli.simulation.life import Plan
    from cli.simulation.phones import Phones
    from cli.simulation.staff import StaffRoom

#: Upper ends of the bars of reply times, in minutes.
_REPLY_BARS = (1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 1440)
_MOST_SHOWN, _MOST_DAYS = 20, 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run's figures, each in an order that does not change."""

    title: str
    counts: Mapping[str, int]
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    hours: Mapping[str, int]
    days: Mapping[str, int]
    items: Mapping[str, int]
    intents: Mapping[str, int]
    replies: Mapping[str, int]
    faults: Mapping[str, int]
    broken: Sequence[Broken]

    @property
    def texts(self) -> int:
        """How many texts the carrier made."""
        return self.counts["texts made by the carrier"]

    def text(self) -> str:
        """Return the report as plain text."""
        lines = [self.title, "", *_table(self.counts), ""]
        for head, figures in (self.by_time(), *self.sections()):
            lines += [head, *_bars(figures), ""]
        return "\n".join([*lines, *self.verdict()]) + "\n"

    def sections(self) -> list[tuple[str, Mapping[str, int]]]:
        """Return the plots with their headings."""
        found = [
            ("Texts by status", self.statuses),
            ("Not sent, by reason", self.reasons),
            ("Started texts by the patient's hour", self.hours),
            ("Items by reason", self.items),
            ("Replies by meaning", self.intents),
            ("Minutes until patients answer", self.replies),
            ("Faults met", self.faults),
        ]
        return [(head, figures) for head, figures in found if figures]

    def by_time(self) -> tuple[str, Mapping[str, int]]:
        """Return the started texts of each day or, where those would fill pages, of each week."""
        days, counts = list(self.days), list(self.days.values())
        if len(days) <= _MOST_DAYS:
            return "Started texts a day", self.days
        return "Started texts in the week from", {
            days[at]: sum(counts[at : at + 7]) for at in range(0, len(days), 7)
        }

    def verdict(self) -> list[str]:
        """Return what was broken, or that nothing was."""
        if not self.broken:
            return ["Every promise was kept."]
        kinds = Counter(each.promise for each in self.broken)
        lines = [f"{len(self.broken)} broken promises:"]
        lines += [f"  {promise}: {count}" for promise, count in sorted(kinds.items())]
        for each in _a_few_of_each(self.broken):
            lines += ["", *each.lines()]
        return lines


def _a_few_of_each(broken: Sequence[Broken]) -> list[Broken]:
    told: Counter[str] = Counter()
    kept = []
    for each in broken:
        told[each.promise] += 1
        if told[each.promise] <= 3:
            kept.append(each)
    return kept[:_MOST_SHOWN]


def _table(figures: Mapping[str, int]) -> list[str]:
    return [f"  {name:<25} {count:>9,}" for name, count in figures.items()]


def _bars(figures: Mapping[str, int]) -> list[str]:
    widest = max(len(name) for name in figures)
    most = max(figures.values()) or 1
    return [
        f"  {name:<{widest}} {count:>8}  {'#' * round(30 * count / most)}".rstrip()
        for name, count in figures.items()
    ]


def gather(
    plan: "Plan",
    own: "OwnDatabase",
    audit: "Audit",
    phones: "Phones",
    room: "StaffRoom",
    faults: "Faults",
) -> Report:
    """Gather the figures of a run that has ended."""
    made = audit.network.created()
    answered = _by_minutes(phones.reply_minutes)
    died = {f"died at {name}": count for name, count in faults.died.items()}
    wrong = " with faults" if plan.faults else ""
    return Report(
        title=f"{plan.patients} patients, {plan.days} days, seed {plan.seed}{wrong}",
        counts={
            "patients": len(audit.desk.patients),
            "visits": len(audit.desk.visits),
            "rows planned": _one(own, "SELECT count(*) FROM message"),
            "texts made by the carrier": len(made),
            "started": sum(audit.hours.values()),
            "texts from patients": len(phones.written),
            "items opened": sum(room.opened.values()),
            "pages": _one(own, "SELECT count(*) FROM page"),
        },
        statuses=_counted(own, "SELECT status, count(*) FROM message GROUP BY 1"),
        reasons=_counted(
            own,
            "SELECT reason, count(*) FROM message WHERE status IN ('skipped', 'cancelled',"
            " 'expired', 'failed') GROUP BY 1",
        ),
        hours={f"{hour:02}:00": audit.hours.get(hour, 0) for hour in range(7, 23)},
        days={day.isoformat(): audit.days.get(day, 0) for day in _days(plan.days)},
        items=dict(sorted(room.opened.items(), key=_largest)),
        intents=_counted(
            own, "SELECT coalesce(intent, 'unread'), count(*) FROM inbound GROUP BY 1"
        ),
        replies=answered,
        faults=dict(sorted({**died, **faults.lost}.items())),
        broken=sorted(audit.broken, key=_in_time),
    )


def merged(parts: Sequence[Report]) -> Report:
    """Return the figures of all sites as those of one clinic."""

    def added(of: Callable[[Report], Mapping[str, int]], *, largest: bool = True) -> dict[str, int]:
        total: Counter[str] = Counter()
        for part in parts:
            total.update(of(part))
        return dict(sorted(total.items(), key=_largest)) if largest else dict(total)

    return Report(
        title=parts[0].title,
        counts=added(lambda part: part.counts, largest=False),
        statuses=added(lambda part: part.statuses),
        reasons=added(lambda part: part.reasons),
        hours=added(lambda part: part.hours, largest=False),
        days=dict(sorted(added(lambda part: part.days).items())),
        items=added(lambda part: part.items),
        intents=added(lambda part: part.intents),
        replies=added(lambda part: part.replies, largest=False),
        faults=dict(sorted(added(lambda part: part.faults).items())),
        broken=sorted((each for part in parts for each in part.broken), key=_in_time),
    )


def _in_time(broken: Broken) -> tuple[datetime, str, str]:
    return broken.at, broken.patient, broken.what


def _days(count: int) -> list[date]:
    first = START.astimezone(ZONE).date()
    return [first + timedelta(days=day) for day in range(count)]


def _largest(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _one(own: "OwnDatabase", query: str) -> int:
    return int(own.rows(query)[0][0])


def _counted(own: "OwnDatabase", query: str) -> Mapping[str, int]:
    rows: list[Any] = own.rows(query)
    return dict(sorted(((str(row[0]), int(row[1])) for row in rows), key=_largest))


def _by_minutes(minutes: Sequence[float]) -> Mapping[str, int]:
    bars = {f"up to {end}": 0 for end in _REPLY_BARS}
    bars["longer"] = 0
    for each in minutes:
        end = next((end for end in _REPLY_BARS if each <= end), None)
        bars["longer" if end is None else f"up to {end}"] += 1
    return bars
