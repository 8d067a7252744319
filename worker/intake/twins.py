"""Lines of one file about the same visit or patient that do not agree.

A record system leaves the old row of a visit that was moved beside the new one, or a number of
before beside that of today. Whichever were taken could be the wrong one, so that none is until
somebody says which holds; a line that only repeats another is another matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from worker.intake.table import Row, Table

#: What one line says: of whose, and what must agree; None where it can't be read.
Said = tuple[object, object] | None
_FEW = 5


def groups(table: Table, column: str) -> list[list[Row]]:
    """Return the rows that have an id in common and are not alike, by id."""
    seen: dict[str, int] = {}
    unlike = set()
    for row in table:
        if name := row.cells.get(column):
            digest = hash(tuple(sorted(row.cells.items())))
            if seen.setdefault(name, digest) != digest:
                unlike.add(name)
    if not unlike:
        return []
    found: dict[str, list[Row]] = defaultdict(list)
    for row in table:
        if (name := row.cells.get(column)) in unlike:
            found[name or ""].append(row)
    return list(found.values())


def contradicted(said: Iterable[Sequence[tuple[int, Said]]], what: str) -> Mapping[int, str]:
    """Return, by line, why it can't be taken: other lines of its group say something else."""
    found: dict[int, str] = {}
    for group in said:
        versions: dict[object, set[object]] = defaultdict(set)
        for _, each in group:
            if each is not None:
                versions[each[0]].add(each[1])
        unread = any(each is None for _, each in group)
        for line, each in group:
            if unread or (each is not None and len(versions[each[0]]) > 1):
                found[line] = _reason(what, [other for other, _ in group if other != line])
    return found


def _reason(what: str, others: Sequence[int]) -> str:
    lines = "line" if len(others) == 1 else "lines"
    listed = ", ".join(map(str, others[:_FEW])) + (" and more" if len(others) > _FEW else "")
    return (
        f"this {what} stands on {lines} {listed} as well, and they do not say the same: none of "
        "them is taken; keep the one that holds"
    )
