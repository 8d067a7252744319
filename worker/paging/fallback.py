"""The carrier's fallback: what a patient is told by somebody else when nothing of ours answers.

Care rule 14. The carrier posts a text there when our webhook fails, so that a plea at that hour is
told of 911 and 988. It has to lie on another host than ours, or it is away when we are. What it
says, and that the other host is another machine, the carrier does not know; `aftercare doctor`
looks at the first, and the second is the operator's to see to.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from messages.gateway import InboundRoute
from messages.gateways.inbound import inbound_routes
from schedules.clinic import ClinicFile
from worker.settings import Settings

Ask = Callable[[Settings, ClinicFile], Sequence[InboundRoute]]
#: What the static reply has to name.
NAMED = ("911", "988")
_OURS = "/twilio/inbound"


def ask(settings: Settings, file: ClinicFile) -> Sequence[InboundRoute]:
    """Ask the carrier by which addresses a clinic's texts come in. Raises CarrierUnavailable."""
    return asyncio.run(
        inbound_routes(
            account_sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token.get_secret_value(),
            api_url=settings.carrier_url,
            service=file.sender.messaging_service_sid,
            numbers=file.sender.numbers,
        )
    )


def faults(settings: Settings, files: Iterable[ClinicFile], *, asking: Ask = ask) -> Iterator[str]:
    """Name what is wrong with the fallback of each clinic. Raises CarrierUnavailable."""
    for file in files:
        for route in asking(settings, file):
            fault = fault_of(route, settings.public_url)
            if fault is not None:
                yield f"{file.id}: {fault}"


def fault_of(route: InboundRoute, public_url: str) -> str | None:
    """Say what is wrong with one route's fallback; None where nothing is, or nobody can tell."""
    if not route.known:
        return f"the account has no {route.owner}, so no text to it comes in"
    if route.elsewhere:
        return None
    if route.fallback_url is None:
        return f"{route.owner} has no fallback address for texts that come in"
    parts, ours = urlsplit(route.fallback_url), urlsplit(public_url)
    if parts.hostname == ours.hostname:
        return f"the fallback of {route.owner} lies on our own host {ours.hostname}"
    if parts.scheme != "https":
        return f"the fallback of {route.owner} is not https, and patients' words are posted to it"
    return None


def strays_from(route: InboundRoute, public_url: str) -> str | None:
    """Say where texts go, if it is not to us."""
    wanted = f"{public_url}{_OURS}"
    if route.elsewhere or not route.known:
        return None
    there = (route.inbound_url or "nowhere").partition("#")[0]
    return None if there == wanted else f"texts to {route.owner} are posted to {there}"
