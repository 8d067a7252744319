"""Lists as Twilio pages them: filters, page tokens, and the addresses of neighbouring pages."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from sandbox import clock
from sandbox.errors import ApiError, refusal

_DEFAULT_PAGE = 50
_LARGEST_PAGE = 1000


class Listed(Protocol):
    """What stands in a list has a SID and a number that is higher the younger it is."""

    @property
    def sid(self) -> str: ...

    @property
    def seq(self) -> int: ...


Item = TypeVar("Item", bound=Listed)


def instants(query: Mapping[str, str], name: str) -> Callable[[float | None], bool]:
    """A test for `DateSent=`, `DateSent<=` and `DateSent>=`; a day stands for its whole UTC day.

    A text that was not sent yet has no date and passes no such filter.
    """
    low, high = float("-inf"), float("inf")
    for mark in ("", "<", ">"):
        raw = query.get(name + mark)
        if not raw:
            continue
        first, last = _span(raw, whole_day=mark == "")
        if mark != "<":
            low = max(low, first)
        if mark != ">":
            high = min(high, last)
    if low == float("-inf") and high == float("inf"):
        return lambda _: True
    return lambda at: at is not None and low <= at <= high


def _span(raw: str, *, whole_day: bool) -> tuple[float, float]:
    """First and last instant meant. `DateSent=` has the grain of a day, whatever its form."""
    try:
        at = clock.parse(raw)
    except ValueError:
        raise ApiError(refusal(20001, value=raw)) from None
    if not whole_day and len(raw.strip()) > len("2026-12-01"):
        return at.timestamp(), at.timestamp()
    day = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return day.timestamp(), (day + timedelta(days=1)).timestamp() - 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some items, newest first, and where they stand."""

    items: list[Item]
    more: bool
    number: int
    size: int


def page(
    items: Iterable[Item], query: Mapping[str, str], find: Callable[[str], Item | None]
) -> Page[Item]:
    """One page of what is newest first. `find` gives the item of the SID in a page token."""
    size = min(max(_whole(query.get("PageSize"), _DEFAULT_PAGE), 1), _LARGEST_PAGE)
    number = max(_whole(query.get("Page"), 0), 0)
    token = query.get("PageToken", "")
    anchor = find(token[2:]) if token else None
    if token and anchor is None:
        raise ApiError(refusal(20404, value=f"page {token}"))
    if anchor is None:
        found = list(islice(items, number * size, (number + 1) * size + 1))
    elif token.startswith("PB"):
        newer: Iterator[Item] = (item for item in items if item.seq > anchor.seq)
        return Page(items=list(deque(newer, maxlen=size)), more=True, number=number, size=size)
    else:
        found = list(islice((item for item in items if item.seq < anchor.seq), size + 1))
    return Page(items=found[:size], more=len(found) > size, number=number, size=size)


def _whole(raw: str | None, default: int) -> int:
    return int(raw) if raw is not None and raw.isdigit() else default


def envelope(
    name: str,
    path: str,
    query: Mapping[str, str],
    found: Page[Item],
    render: Callable[[Item], dict[str, Any]],
) -> dict[str, Any]:
    """The list document of the 2010 API."""
    items, number, size = found.items, found.number, found.size
    kept = {k: v for k, v in query.items() if k not in {"Page", "PageToken", "PageSize"}}

    def address(to: int, token: str | None) -> str:
        asked = kept | {"PageSize": str(size), "Page": str(to)}
        return path + "?" + urlencode(asked | ({"PageToken": token} if token else {}))

    start = number * size
    following = "PA" + items[-1].sid if found.more and items else None
    return {
        "first_page_uri": address(0, None),
        "end": start + max(len(items) - 1, 0),
        "previous_page_uri": address(number - 1, "PB" + items[0].sid) if number and items else None,
        name: [render(item) for item in items],
        "uri": address(number, query.get("PageToken")),
        "page_size": size,
        "start": start,
        "next_page_uri": address(number + 1, following) if following else None,
        "page": number,
    }
