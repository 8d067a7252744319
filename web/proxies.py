"""Whom a request comes from, where it came through a proxy: wrong passwords are counted by it."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from worker.logs import get_logger
from worker.settings import Networks

log = get_logger(__name__)

_HEADER = b"x-forwarded-for"
# An address as proxies write it: bare, or with a port, one of version 6 then within brackets.
_ENTRY = re.compile(
    r"\[([0-9a-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}|([0-9a-f:.]+)", re.IGNORECASE
)


class ForwardedClient:
    """Puts the client's address in the place of a proxy's, if the proxy is one that was named.

    Nothing else of what a proxy says is believed: scheme and host are those of PUBLIC_URL.
    """

    def __init__(self, app: ASGIApp, *, proxies: Networks) -> None:
        self._app = app
        self._proxies = proxies
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == _HEADER]
            if given:
                self._put_client(scope, b",".join(given).decode("latin-1"))
        await self._app(scope, receive, send)

    def _put_client(self, scope: Scope, forwarded: str) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        if is_named(peer, self._proxies):
            scope["client"] = (client_of(peer, forwarded, self._proxies), 0)
        elif not self._told:
            # Once, so that no client can fill the log; and without the address, which may be its.
            self._told = True
            log.warning("forwarded_header_not_believed", named=len(self._proxies))


def client_of(peer: str, forwarded: str, proxies: Networks) -> str:
    """Return whom the named proxies heard, by the header of a request that one of them handed on.

    Each proxy adds to the right whom it heard itself, and what a client wrote stands to the left
    of that: the first who is no proxy, read from the right, is the client. Where an entry before
    that can't be read, or nobody else is in it, it is the peer.
    """
    for entry in reversed(forwarded.split(",")):
        found = _ENTRY.fullmatch(entry.strip())
        address = address_of(next(filter(None, found.groups()))) if found else None
        if address is None:
            return peer
        if not any(address in network for network in proxies):
            return str(address)
    return peer


def is_named(host: str, proxies: Networks) -> bool:
    """Whether this is the address of a proxy that was named."""
    address = address_of(host) if proxies else None
    return address is not None and any(address in network for network in proxies)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """Read an address; one of version 4 that a socket of version 6 wrote is of version 4."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
