"""What a carrier's error code means for us: retry, stop, alert or reconcile.

The table itself is data (`data/error_codes.yaml`). Carriers change codes without notice, so a code
that is not in it has a safe meaning: no retry, an alert, nothing assumed about the recipient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from messages import datafiles


class ErrorClass(StrEnum):
    """What kind of trouble an error code is."""

    permanent = "permanent"
    opt_out = "opt_out"
    transient = "transient"
    config = "config"
    content = "content"
    unknown = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """One row of the table.

    `retry_after_seconds` is None when the text must not be tried again. `max_hits` counts refusals
    of one text with this code, the first included; at that count it ends as `final_class`.
    `maybe_sent` means that the text may exist at the carrier and has to be reconciled.
    """

    code: int | None
    error_class: ErrorClass
    meaning: str
    retry_after_seconds: int | None = None
    max_hits: int | None = None
    final_class: ErrorClass | None = None
    opens_breaker: bool = False
    suspends_number: bool = False
    maybe_sent: bool = False
    alerts: bool = False

    def after(self, hits: int) -> ErrorClass:
        """Return the class once this code was met `hits` times for one text."""
        spent = self.max_hits is not None and hits >= self.max_hits
        return self.final_class if spent and self.final_class else self.error_class

    def may_retry(self, hits: int) -> bool:
        """Say whether the text may be tried again after `hits` refusals with this code."""
        if self.retry_after_seconds is None:
            return False
        return self.max_hits is None or hits < self.max_hits


def _rule(row: Mapping[str, Any], code: int) -> ErrorRule:
    error_class = ErrorClass(row["class"])
    then = row.get("then")
    config = error_class is ErrorClass.config
    return ErrorRule(
        code=code,
        error_class=error_class,
        meaning=row["meaning"],
        retry_after_seconds=_number(row, "retry_after_seconds"),
        max_hits=_number(row, "max_hits"),
        final_class=ErrorClass(then) if then else None,
        opens_breaker=config and row.get("breaker") != "false",
        suspends_number=row.get("suspends_number") == "true",
        maybe_sent=row.get("maybe_sent") == "true",
        alerts=error_class in {ErrorClass.config, ErrorClass.content},
    )


def _number(row: Mapping[str, Any], name: str) -> int | None:
    return int(row[name]) if name in row else None


@cache
def table() -> Mapping[int, ErrorRule]:
    """Return every known code with its rule."""
    rows = datafiles.rows("data/error_codes.yaml")
    return MappingProxyType(
        {int(code): _rule(row, int(code)) for row in rows for code in row["codes"]}
    )


_NOT_PROCESSED = ErrorRule(
    code=None,
    error_class=ErrorClass.transient,
    meaning="Too many requests at once; this one was not processed",
    retry_after_seconds=1,
)
_NO_ACCESS = ErrorRule(
    code=None,
    error_class=ErrorClass.config,
    meaning="The carrier refused the account or does not know the address called",
    opens_breaker=True,
    alerts=True,
)
_MAYBE = ErrorRule(
    code=None,
    error_class=ErrorClass.unknown,
    meaning="The carrier failed while answering; the text may exist",
    maybe_sent=True,
)
_UNLISTED = "The carrier gave a code that this version does not know"


def _by_http(status: int) -> ErrorRule | None:
    """Return the rule of a bare HTTP status (the SDK also hands these over as codes)."""
    if status >= 500:  # A server error says nothing about whether the text was created.
        return _MAYBE
    if status == 429:
        return _NOT_PROCESSED
    return _NO_ACCESS if status in {401, 403, 404} else None


def classify(code: int | None, http_status: int | None = None) -> ErrorRule:
    """Return what to do about a refusal.

    A 5xx is always "maybe sent", whatever its body says: only the carrier's definite no is a no.
    """
    if http_status is not None and http_status >= 500:
        return _MAYBE
    known = table().get(code) if code is not None else None
    if known:
        return known
    for status in (http_status, code if code is not None and code < 600 else None):
        rule = _by_http(status) if status is not None else None
        if rule:
            return rule
    return ErrorRule(code=code, error_class=ErrorClass.unknown, meaning=_UNLISTED, alerts=True)
