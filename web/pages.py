"""Pages: Jinja2 templates with everything escaped, and times as the clinic's wall clock shows them.

No page runs a script or loads anything from elsewhere (`web.headers`).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from messages.errors import BadPhone
from messages.formats import clock_in, when
from messages.phone import display, parse
from web import wording
from web.sessions import services_of
from web.typed import typed

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


@cache
def _version() -> str:
    """Return what the style sheet's address ends in, so that a new one is fetched at once."""
    return hashlib.sha256((STATIC / "console.css").read_bytes()).hexdigest()[:12]


def _local(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    return when(at, zone, now, "en")


def _hour(at: datetime, zone: ZoneInfo) -> str:
    return clock_in(at, zone, "en")


def _shown_phone(number: str) -> str:
    """Return a number as people write it; a short code or a carrier's word stays as it is."""
    try:
        return display(parse(number))
    except BadPhone:
        return number


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=wording, local=_local, hour=_hour, shown_phone=_shown_phone, style_version=_version()
    )
    return environment


def page(
    request: Request, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200
) -> HTMLResponse:
    """Return a page. `now` is the patients' clock; `person` is None where nobody is signed in.

    `refused` names the form that the page was asked for with, where it is shown again for more.
    """
    shown: dict[str, Any] = {"person": None, "notice": "", "refused": "", "typed": typed(request)}
    shown |= {"now": services_of(request).now, **(values or {})}
    return HTMLResponse(_environment().get_template(template).render(shown), status_code=status)
