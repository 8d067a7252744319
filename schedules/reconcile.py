"""Compares the texts wanted with the rows that exist, and says what to add, move, cancel, revive.

A row's identity is (enrollment, step, occurrence, round), never a due time. A row without an
attempt can still change; a row with one is history. `round` rises only when the visit has another
start time than the one an attempt was made for, so nothing goes twice for one start time; or when
news that went since has taken back what the text said (`PlannedText.anew_since`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from schedules.facts import PlannedText
from schedules.reasons import HARMLESS_ENDS, CancelReason, SkipReason

#: Statuses in which a row may still be changed, in messages' words.
UNSENT = frozenset({"planned", "claimed"})
#: Statuses from which a row without an attempt may return.
WITHDRAWN = frozenset({"cancelled", "skipped"})
#: Reasons for which nobody needs a row that never existed.
NEEDS_NO_ROW = frozenset(
    {
        SkipReason.VISIT_CANCELLED,
        SkipReason.ENROLLMENT_ENDED,
        SkipReason.PATIENT_CLOSED,
        SkipReason.ANSWERED,
        SkipReason.NOT_REACHED,
    }
)
#: What a person withdrew by hand stays withdrawn.
STAFF_CANCELLED = "cancelled_by_staff"

Told = Literal[SkipReason.ALREADY_TOLD, CancelReason.ALREADY_SENT] | None


class ExistingRow(NamedTuple):
    """A row of the outbox, as far as planning and nudging need it, in `MessageStatus` words.

    A tuple, since every patient's rows of weeks are read whenever their plan is looked at.
    """

    id: UUID
    enrollment_id: UUID
    step: str
    occurrence: str
    round: int
    status: str
    attempts: int
    priority: int
    due_at: datetime
    latest_at: datetime
    anchor_at: datetime | None
    template: str
    reason: str | None = None
    expects: str | None = None
    nudge_for: str | None = None
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    answered_at: datetime | None = None
    answer_until: datetime | None = None

    @property
    def may_go(self) -> bool:
        """Whether the row would still be sent if nobody touched it."""
        return self.status in UNSENT

    @property
    def went(self) -> bool:
        """Whether an attempt was made: the patient may have been told."""
        return self.attempts > 0


@dataclass(slots=True, kw_only=True)
class Changes:
    """What the plan step writes for one enrollment.

    A text in `add` or `move` that has a `skip_reason` is written as skipped with it. `move` holds
    rows that get new times, `cancel` rows with the reason, `revive` withdrawn rows that go after
    all.
    """

    add: list[PlannedText] = field(default_factory=list)
    move: list[tuple[UUID, PlannedText]] = field(default_factory=list)
    cancel: list[tuple[UUID, str]] = field(default_factory=list)
    revive: list[tuple[UUID, PlannedText]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.add or self.move or self.cancel or self.revive)


def reconcile(
    wanted: Sequence[PlannedText],
    existing: Sequence[ExistingRow],
    now: datetime,
    *,
    leftover: CancelReason = CancelReason.NOT_PLANNED,
) -> Changes:
    """Say what turns the existing rows of ONE enrollment into the wanted texts.

    An unsent row whose latest time has passed is left to the send step, which ends it as expired.
    `leftover` is the reason of rows that are wanted no more (a caller who sees that the visit went
    beyond the horizon says so).
    """
    changes = Changes()
    if not existing:
        changes.add.extend(text for text in wanted if text.skip_reason not in NEEDS_NO_ROW)
        return changes
    rows: dict[tuple[str, str], list[ExistingRow]] = {}
    for row in existing:
        rows.setdefault((row.step, row.occurrence), []).append(row)
    for text in wanted:
        mine = rows.pop((text.step, text.occurrence), None)
        if mine is not None:
            _settle(text, sorted(mine, key=lambda row: row.round), now, changes)
        elif text.skip_reason not in NEEDS_NO_ROW:
            changes.add.append(text)
    for unwanted in rows.values():
        _withdraw(unwanted, now, changes, leftover)
    return changes


def _settle(text: PlannedText, rows: list[ExistingRow], now: datetime, changes: Changes) -> None:
    """Bring the rows of one occurrence, in order of their rounds, into line with what is wanted."""
    last = rows[-1]
    _withdraw(rows[:-1], now, changes)
    told = _told(rows, text)
    if last.may_go:
        _settle_unsent(text, last, told, now, changes)
    elif last.attempts == 0 and last.status in WITHDRAWN:
        _settle_withdrawn(text, last, told, now, changes)
    elif told is not CancelReason.ALREADY_SENT and (
        last.anchor_at != text.anchor_at or _is_taken_back(last, text)
    ):
        _add_round(text, last.round + 1, told, changes)


def _settle_unsent(
    text: PlannedText,
    row: ExistingRow,
    told: Told,
    now: datetime,
    changes: Changes,
) -> None:
    """Move, keep or cancel a row that would still be sent."""
    reason = text.skip_reason or told
    if text.skip_reason is not None and row.attempts == 0 and row.anchor_at != text.anchor_at:
        _skip_anew(text, row, changes)
    elif reason is not None:
        # A row whose time ran out while it waited was not withdrawn by anybody: it expires.
        if row.latest_at > now or reason is not SkipReason.TOO_LATE:
            changes.cancel.append((row.id, reason))
    elif row.went:
        # A retry of a text that may be out already speaks of the start time it was made for.
        if row.anchor_at != text.anchor_at:
            changes.cancel.append((row.id, CancelReason.NOT_PLANNED))
            _add_round(text, row.round + 1, None, changes)
    elif _differs(row, text):
        changes.move.append((row.id, text._replace(round=row.round)))


def _settle_withdrawn(
    text: PlannedText, row: ExistingRow, told: Told, now: datetime, changes: Changes
) -> None:
    """Let a row that never went come back while it is useful, or speak of the new start time."""
    if row.reason == STAFF_CANCELLED or told is not None:
        return
    if text.skip_reason is None and text.latest_at > now:
        changes.revive.append((row.id, text._replace(round=row.round)))
    elif row.anchor_at != text.anchor_at or _is_missed_now(row, text):
        _skip_anew(text, row, changes)
    elif text.skip_reason is SkipReason.VISIT_CANCELLED and row.reason not in HARMLESS_ENDS:
        # The call about it ends with the visit, and is opened anew if that takes place after all.
        changes.move.append((row.id, text._replace(round=row.round)))


def _is_missed_now(row: ExistingRow, text: PlannedText) -> bool:
    """Whether nobody needed a text when it was withdrawn, and it is too late for it now.

    A visit cancelled, or a record closed, by mistake; another visit whose text stood for this one
    too and that is gone.
    """
    return row.reason in HARMLESS_ENDS and text.skip_reason not in HARMLESS_ENDS


def _skip_anew(text: PlannedText, row: ExistingRow, changes: Changes) -> None:
    """Let a row that never went, and still will not, speak of the new start time.

    The call that a skipped instruction opens is then about the visit as it stands.
    """
    if text.skip_reason not in NEEDS_NO_ROW:
        changes.move.append((row.id, text._replace(round=row.round)))
    elif row.may_go:
        changes.cancel.append((row.id, text.skip_reason or CancelReason.NOT_PLANNED))


def _add_round(text: PlannedText, round_: int, told: SkipReason | None, changes: Changes) -> None:
    if text.skip_reason not in NEEDS_NO_ROW:
        changes.add.append(text._replace(round=round_, skip_reason=text.skip_reason or told))


def _told(rows: Sequence[ExistingRow], text: PlannedText) -> Told:
    """Say whether an attempt was already made for this very start time, and still counts.

    When another start time was texted since, the patient may hold the wrong one. It still does not
    go twice: the skipped row becomes a call for steps with `if_not_delivered`.
    """
    start = text.anchor_at
    tried = [
        row.anchor_at
        for row in rows
        if row.went and not row.may_go and not _is_taken_back(row, text)
    ]
    if start not in tried:
        return None
    return CancelReason.ALREADY_SENT if tried[-1] == start else SkipReason.ALREADY_TOLD


def _is_taken_back(row: ExistingRow, text: PlannedText) -> bool:
    """Whether the patient was told since to ignore what this row said."""
    since = text.anew_since
    return since is not None and (row.submitted_at or row.due_at) < since


def _withdraw(
    rows: Iterable[ExistingRow],
    now: datetime,
    changes: Changes,
    reason: CancelReason = CancelReason.NOT_PLANNED,
) -> None:
    """Cancel what would still be sent and is not wanted."""
    for row in rows:
        if row.may_go and row.latest_at > now:
            changes.cancel.append((row.id, reason))


def _differs(row: ExistingRow, text: PlannedText) -> bool:
    return (
        row.due_at != text.due_at
        or row.latest_at != text.latest_at
        or row.anchor_at != text.anchor_at
        or row.template != text.template
        or row.answer_until != text.answer_until
    )
