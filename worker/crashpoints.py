"""Named places at which a test may kill the process, to prove that a crash there loses nothing.

They do nothing unless AFTERCARE_CRASH_AT names one: `send.after_intent`, or
`send.after_intent:3` for its third passing. Live mode refuses the variable.
"""

import os
import signal
from collections import Counter

NAMES = frozenset(
    {
        "claim.before_commit",
        "claim.after_commit",
        "send.after_intent",
        "send.after_connect",
        "send.after_write",
        "send.after_response",
        "send.before_outcome_commit",
        "send.after_outcome_commit",
        "sweep.before_commit",
        "sweep.after_commit",
        "reconcile.listed",
        "reconcile.after_commit",
        "receipts.before_commit",
        "receipts.after_commit",
        "replies.before_commit",
        "replies.after_commit",
        "callback.before_commit",
        "callback.after_commit",
        "inbound.before_commit",
        "inbound.after_commit",
        "pull.page",
        "pull.before_commit",
        "plan.before_commit",
        "plan.after_commit",
        "publish.before_commit",
        "publish.after_commit",
        "apply.after_commit",
        "page.before_claim_commit",
        "page.after_claim_commit",
    }
)
VARIABLE = "AFTERCARE_CRASH_AT"

_armed, _, _nth = os.environ.get(VARIABLE, "").partition(":")
_passed: Counter[str] = Counter()

if _armed and _armed not in NAMES:
    raise ValueError(f"{VARIABLE} names {_armed!r}, which is no crashpoint: {sorted(NAMES)}")


def crashpoint(name: str) -> None:
    """Kill this process, as by `kill -9`, if `name` is armed and this is the passing meant."""
    if name == _armed:
        _passed[name] += 1
        if _passed[name] == int(_nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)
