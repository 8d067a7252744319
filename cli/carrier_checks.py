"""What `aftercare doctor` asks of the carrier's own set-up: who takes texts when we are away."""

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

from cli.checks import Finding, Found, note, ok, wrong
from messages.gateway import CarrierUnavailable, InboundRoute
from records import clinics
from records.base import Database
from schedules.clinic import ClinicFile
from worker.paging import fallback
from worker.settings import Settings

_SECONDS, _LARGEST = 5, 64 * 1024
_MEND = "Set it as docs/twilio-setup.md says: a static reply on another host, over https."
Look = Callable[[str], str | None]
_BY_HAND = "Look by hand, in the carrier's console."


def said_by(url: str) -> str | None:
    """Return what an address answers to an empty form, as the carrier would ask it."""
    # No words of anybody's are sent; the carrier posts a text's form here.
    request = urllib.request.Request(url, data=b"", method="POST")  # noqa: S310  The operator's.
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  The operator wrote it.
            return str(answer.read(_LARGEST).decode("utf-8", "replace"))
    except (OSError, ValueError):
        return None


def inbound_fallback(database: Database, settings: Settings, *, look: Look = said_by) -> Found:
    """Check each clinic's fallback, as the carrier has it and as it answers (care rule 14)."""
    with database.transaction() as session:
        files = [clinic.file for clinic in clinics.all_clinics(session)]
    for file in files:
        check = f"fallback {file.id}"
        try:
            routes = fallback.ask(settings, file)
        except CarrierUnavailable as error:
            yield note(check, f"it can't be checked: {error}", _BY_HAND)
            continue
        for route in routes:
            yield from _of(check, file, route, settings, look)


def _of(
    check: str, file: ClinicFile, route: InboundRoute, settings: Settings, look: Look
) -> Iterator[Finding]:
    bad = wrong if settings.mode == "live" else note
    stray = fallback.strays_from(route, settings.public_url)
    if stray is not None:
        mend = f"Its request URL has to be {settings.public_url}/twilio/inbound#rc=3&rp=all."
        yield bad(f"inbound {file.id}", stray, mend)
    if route.elsewhere:
        message = f"an application at the carrier decides for {route.owner}; it can't be checked"
        yield note(check, message, _BY_HAND)
        return
    fault = fallback.fault_of(route, settings.public_url)
    if fault is not None or route.fallback_url is None:
        yield bad(check, fault or "there is none", _MEND)
        return
    yield _says(check, route.fallback_url, look, strict=settings.mode == "live")


def _says(check: str, url: str, look: Look, *, strict: bool) -> Finding:
    """Look at what the fallback answers; some hosts answer nobody but the carrier."""
    host = urllib.parse.urlsplit(url).hostname
    said = look(url)
    if said is None:
        message = f"it lies on {host}; what it says can't be seen from here"
        return note(check, message, "Send a text while the web process is stopped, and read it.")
    missing = [word for word in fallback.NAMED if word not in said]
    if missing:
        message = f"the reply on {host} does not name {' and '.join(missing)}"
        return (wrong if strict else note)(check, message, _MEND)
    return ok(check, f"a reply on {host} names {' and '.join(fallback.NAMED)}")
