"""The product's log during a run: nothing is printed, and what failed is kept."""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

_ALWAYS_WRONG = frozenset({"carrier_and_record_differ", "page_has_nobody_to_go_to"})


@contextmanager
def collected() -> Iterator[list[str]]:
    """Keep the names of events that tell of a failure, for the time of the block."""
    before, failed = structlog.get_config(), list[str]()

    def keep(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        error = event.get("exc_info")
        if error:
            failed.append(f"{event['event']} ({_name(error)})")
        elif event["event"] in _ALWAYS_WRONG:
            failed.append(str(event["event"]))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield failed
    finally:
        structlog.configure(**before)


def _name(error: Any) -> str:
    """Return the kind of an error and where it was raised, never its words."""
    found = sys.exc_info()[1] if error is True else error
    if not isinstance(found, BaseException):
        return "no error"
    trace = found.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(found).__name__
    file = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
    return f"{type(found).__name__} at line {trace.tb_lineno} of {file}"
