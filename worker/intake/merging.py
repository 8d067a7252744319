"""What a file says, what it said before, and what is on record: which of them holds.

Staff's edits win over what the file merely repeats. Where the file has changed too, staff win and
the conflict is told (care rule 25). Values are plain JSON, so that what a file said can be kept
beside the row, sealed, and compared with the next one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from records.vault import Vault
from worker.intake.table import RowFault

#: Columns whose values say nothing about a person to whoever passes the screen.
SHOWN = frozenset(
    {
        "language",
        "timezone",
        "check_in_time",
        "phone_shared",
        "voicemail_ok",
        "interpreter",
        "starts_at",
        "modality",
        "setting",
        "status",
    }
)


#: Under what the columns are kept that the file and staff have both changed; no column's name.
_CONFLICTS = "conflicts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict(RowFault):
    """A cell that the file and staff have both changed; staff's value stays.

    `ours` is our name of the column, `zone` the one to show times in.
    """

    clinic_id: UUID
    ours: str
    zone: ZoneInfo | None
    on_record: Any = field(repr=False)
    in_file: Any = field(repr=False)

    @property
    def shown(self) -> bool:
        """Whether both values may stand on a shared screen."""
        return self.ours in SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Columns by what becomes of them; those that are in neither stay as they are on record."""

    taken: frozenset[str]
    conflicts: tuple[str, ...]


def merge(
    told: Mapping[str, Any], before: Mapping[str, Any] | None, on_record: Mapping[str, Any]
) -> Merged:
    """Compare, column by column.

    `before` is what the last file said; None for a row of the time before that was kept, which is
    taken to be as the last file had it. What is on record in a column that no file has told of was
    set by staff.
    """
    taken, conflicts = set(), []
    for column, value in told.items():
        here = on_record.get(column)
        last = here if before is None else before.get(column)
        if value in (here, last):
            continue
        if here == last:
            taken.add(column)
        else:
            conflicts.append(column)
    return Merged(taken=frozenset(taken), conflicts=tuple(conflicts))


def with_conflicts(before: Mapping[str, Any] | None, merged: Merged) -> dict[str, Any]:
    """Return what is remembered of the files before, with the conflicts that stand from now on."""
    known = set((before or {}).get(_CONFLICTS, ()))
    standing = sorted((known | set(merged.conflicts)) - merged.taken)
    return {**(before or {}), _CONFLICTS: standing}


def standing(imported: Mapping[str, Any] | None, on_record: Mapping[str, Any]) -> list[str]:
    """Name the columns where the file still says otherwise than staff, who changed them too."""
    known = imported or {}
    columns: list[str] = known.get(_CONFLICTS, [])
    return [each for each in columns if known.get(each) != on_record.get(each)]


def opened(vault: Vault, table: str, row: UUID, sealed: bytes | None) -> dict[str, Any] | None:
    """Return what the last file said of a row."""
    if sealed is None:
        return None
    found: dict[str, Any] = json.loads(vault.open(table, "imported", row, sealed))
    return found


def sealed(
    vault: Vault,
    table: str,
    row: UUID,
    before: Mapping[str, Any] | None,
    told: Mapping[str, Any],
) -> bytes:
    """Return what is to be remembered: what this file says, and what others said beyond it."""
    plain = json.dumps({**(before or {}), **told}, ensure_ascii=False, sort_keys=True)
    return vault.seal(table, "imported", row, plain)


def conflicts(
    merged: Merged,
    *,
    line: int,
    names: Mapping[str, str],
    clinic_id: UUID,
    here: Mapping[str, Any],
    told: Mapping[str, Any],
    zone: ZoneInfo | None = None,
) -> list[Conflict]:
    """Return what is told of a row's conflicts; `names` is what the file calls our columns."""
    return [
        Conflict(
            line=line,
            column=names.get(column, column),
            reason="the file and staff have both changed it; what staff set stays",
            clinic_id=clinic_id,
            ours=column,
            zone=zone,
            on_record=here.get(column),
            in_file=told[column],
        )
        for column in merged.conflicts
    ]
