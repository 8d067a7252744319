"""Structured logs: a static event name, internal ids, counts. Never a number, a name or a body."""

import logging
import sys
from typing import Any

import structlog

_NOISY = (
    "twilio.http_client",
    "aiohttp",
    "alembic.runtime.migration",
    "celery",
    "kombu",
    "sqlalchemy.engine",
    "httpx",
    "httpcore",
)


def get_logger(name: str) -> Any:
    """Return the logger of a module."""
    return structlog.get_logger(name)


def _without_exception_text(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    # A database error quotes the row it refused, and a carrier's quotes the number: the type and
    # the place are logged, the words are not.
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["place"] = _place(error)
    return event


def _place(error: BaseException) -> str:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(frames[-6:])


def configure(log_format: str = "json", *, stream: Any = None) -> None:
    """Send all logs, ours and the libraries', to standard error in one form."""
    renderer: Any = structlog.processors.JSONRenderer()
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_exception_text,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
