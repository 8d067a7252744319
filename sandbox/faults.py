"""Faults on request: which one strikes a request or a callback, and how often each has fired.

`spoil.py` acts out those that spoil an answer; callbacks.py and inbound.py those of webhooks.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sandbox.errors import SandboxError


class FaultError(SandboxError):
    """A fault was asked for in words the sandbox does not know."""


class Kind(StrEnum):
    """The faults there are. The first group spoils answers, the second what the carrier posts."""

    LATENCY = "latency"
    STATUS = "status"
    DROP = "drop"
    DRIP = "drip"
    GARBLED = "garbled"
    HTML = "html"
    HANG = "hang"
    BAD_CREDENTIALS = "bad_credentials"
    SUSPENDED = "suspended"
    LIST_LAG = "list_lag"
    EARLY_CALLBACKS = "early_callbacks"
    LOSE_CALLBACKS = "lose_callbacks"
    DUPLICATE_CALLBACKS = "duplicate_callbacks"
    SHUFFLE_CALLBACKS = "shuffle_callbacks"
    DELAY_CALLBACKS = "delay_callbacks"
    LOSE_INBOUND = "lose_inbound"
    DUPLICATE_INBOUND = "duplicate_inbound"


SPOILS = frozenset({Kind.STATUS, Kind.DROP, Kind.DRIP, Kind.GARBLED, Kind.HTML, Kind.HANG})
_EVERYWHERE = frozenset({Kind.BAD_CREDENTIALS, Kind.SUSPENDED})
_COMMON = frozenset({"kind", "count", "probability", "duration", "phone", "on"})
_OPTIONS: Mapping[Kind, frozenset[str]] = {
    Kind.LATENCY: frozenset({"ms", "jitter_ms", "when"}),
    Kind.STATUS: frozenset({"status", "code", "created", "retry_after"}),
    Kind.DROP: frozenset({"created", "how"}),
    Kind.DRIP: frozenset({"created", "interval"}),
    Kind.GARBLED: frozenset({"created", "style"}),
    Kind.HTML: frozenset({"created"}),
    Kind.HANG: frozenset({"created", "seconds"}),
    Kind.LIST_LAG: frozenset({"seconds"}),
    Kind.DELAY_CALLBACKS: frozenset({"ms"}),
    Kind.SHUFFLE_CALLBACKS: frozenset({"order"}),
}
_CHOICES: Mapping[str, frozenset[str]] = {
    "on": frozenset({"create", "list", "fetch", "update", "delete", "calls", "any"}),
    "when": frozenset({"before", "after"}),
    "how": frozenset({"close", "reset"}),
    "style": frozenset({"truncated", "no_sid", "empty"}),
    "order": frozenset({"random", "reverse"}),
}
_NUMBERS = frozenset(
    {"count", "probability", "duration", "ms", "jitter_ms", "status", "code"}
    | {"retry_after", "interval", "seconds"}
)


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    """One active fault with what is left of it. `until` is on the event loop's clock."""

    id: int
    kind: Kind
    options: Mapping[str, Any]
    count: int | None
    probability: float
    until: float | None
    phone: str | None
    on: str
    fired: int = 0

    def number(self, name: str, default: float) -> float:
        return float(self.options.get(name, default))

    @property
    def created(self) -> bool:
        """Whether the request takes effect though its answer is spoiled. A 429 never does."""
        if self.kind is Kind.STATUS and self.options.get("status", 500) == 429:
            return False
        return bool(self.options.get("created", self.kind not in {Kind.STATUS, Kind.HANG}))

    def as_json(self) -> dict[str, Any]:
        left = {"count": self.count, "probability": self.probability, "phone": self.phone}
        head = {"id": self.id, "kind": self.kind, "on": self.on, "fired": self.fired}
        return head | left | dict(self.options)


def _checked(request: Mapping[str, Any]) -> Kind:
    try:
        kind = Kind(request.get("kind", ""))
    except ValueError:
        raise FaultError(f"kind: one of {', '.join(Kind)}.") from None
    known = _COMMON | _OPTIONS.get(kind, frozenset())
    for name, value in request.items():
        if name not in known:
            raise FaultError(f"{name}: not an option of {kind}. Use {', '.join(sorted(known))}.")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise FaultError(f"{name}: one of {', '.join(sorted(_CHOICES[name]))}.")
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if name in _NUMBERS and value is not None and (not plain or value < 0):
            raise FaultError(f"{name}: a number of at least 0.")
        if name == "created" and not isinstance(value, bool):
            raise FaultError("created: true or false.")
    return kind


@dataclass(slots=True)
class Faults:
    """The faults switched on, oldest first, and a count of every firing ever."""

    active: list[Fault] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    _ids: int = 0

    def add(self, request: Mapping[str, Any]) -> Fault:
        """Switches a fault on. FaultError names what was not understood."""
        kind = _checked(request)
        self._ids += 1
        duration, count = request.get("duration"), request.get("count")
        fault = Fault(
            id=self._ids,
            kind=kind,
            options={k: v for k, v in request.items() if k not in _COMMON and v is not None},
            count=None if count is None else int(count),
            probability=float(request.get("probability") or 1.0),
            until=None if duration is None else asyncio.get_running_loop().time() + duration,
            phone=request.get("phone"),
            on=request.get("on", "any" if kind in _EVERYWHERE else "create"),
        )
        self.active.append(fault)
        return fault

    def remove(self, fault_id: int) -> bool:
        before = len(self.active)
        self.active = [fault for fault in self.active if fault.id != fault_id]
        return len(self.active) < before

    def fire(
        self, kinds: Iterable[Kind], *, phone: str | None = None, on: str | None = None
    ) -> Fault | None:
        """The oldest active fault of these kinds that strikes now, its count spent; else None."""
        if not self.active:
            return None
        now = asyncio.get_running_loop().time()
        for fault in list(self.active):
            if fault.until is not None and now >= fault.until:
                self.active.remove(fault)
            elif fault.kind in kinds and self._strikes(fault, phone, on):
                self._spend(fault)
                return fault
        return None

    @staticmethod
    def _strikes(fault: Fault, phone: str | None, on: str | None) -> bool:
        if fault.count == 0 or (fault.phone is not None and fault.phone != phone):
            return False
        if on is not None and fault.on not in (on, "any"):
            return False
        return fault.probability >= 1.0 or random.random() < fault.probability

    def _spend(self, fault: Fault) -> None:
        fault.fired += 1
        self.fired[fault.kind] += 1
        if fault.count is not None:
            fault.count -= 1
            if fault.count == 0:
                self.active.remove(fault)

    def lag_seconds(self) -> float:
        """How young a text may be and still be missing from lists."""
        fault = self.fire((Kind.LIST_LAG,))
        return 0.0 if fault is None else fault.number("seconds", 60.0)
