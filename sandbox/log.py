"""The sandbox's own log: what tests and operators believe when the product says otherwise.

One JSON object a line, appended, written at least every 50 ms and when the sandbox stops. The
newest entries also stay in memory for `GET /sandbox/log`.
"""

import asyncio
import json
import os
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sandbox import clock

_FLUSH_SECONDS = 0.05
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _micros(at: float) -> int:
    return round(at * 1_000_000)


class Log:
    """Append-only. `at` is the shifted clock, `t` the real one, `seq` rises by one."""

    def __init__(self, *, path: Path | None, fsync: bool, keep: int, offset: float) -> None:
        self.offset = offset
        self.counts: Counter[str] = Counter()
        self._entries: deque[dict[str, Any]] = deque(maxlen=keep)
        self._pending: list[dict[str, Any]] = []
        self._fsync = fsync
        self._seq = 0
        self._timer: asyncio.TimerHandle | None = None
        self._file: BinaryIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)

    def write(self, kind: str, /, **fields: Any) -> None:
        """Adds an entry; absent values are left out."""
        self._seq += 1
        real = clock.now(0.0)
        entry = {
            "seq": self._seq,
            "at": clock.iso(real + self.offset),
            "t": real,
            "kind": kind,
            **{name: value for name, value in fields.items() if value is not None},
        }
        self.counts[kind] += 1
        self._entries.append(entry)
        if self._file is not None:
            self._pending.append(entry)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Hands what is buffered to the operating system, and to the disk where that was asked."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._file is None or not self._pending:
            return
        lines = "".join(_encode(entry) + "\n" for entry in self._pending)
        self._pending.clear()
        rest = memoryview(lines.encode())
        while rest:
            rest = rest[self._file.write(rest) :]
        if self._fsync:
            os.fsync(self._file.fileno())

    def read(
        self, *, kinds: frozenset[str], since: str | None, match: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Entries kept in memory, oldest first. `since` is a `seq` or an ISO instant, exclusive."""
        after_seq = int(since) if since is not None and since.isdigit() else None
        # In whole microseconds, as `at` is written: an entry's own `at` does not find itself.
        after_at = _micros(clock.parse(since).timestamp()) if since and after_seq is None else None
        for entry in list(self._entries):
            if kinds and entry["kind"] not in kinds:
                continue
            if after_seq is not None and entry["seq"] <= after_seq:
                continue
            if after_at is not None and _micros(entry["t"] + self.offset) <= after_at:
                continue
            if all(str(entry.get(name)) == value for name, value in match.items()):
                yield entry

    def clear(self) -> None:
        """Forgets what is in memory. The file is append-only and keeps everything."""
        self._entries.clear()
        self.counts.clear()

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
