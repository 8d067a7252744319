"""What every REST answer has in common: credentials, headers, the error envelope."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web

from sandbox import clock
from sandbox.carrier import Carrier
from sandbox.errors import ApiError, refusal
from sandbox.faults import Kind
from sandbox.state import new_sid

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_encode = json.JSONEncoder(separators=(",", ":")).encode


def authenticate(carrier: Carrier, request: web.Request) -> str:
    """The account whose token came by Basic auth. ApiError 20003 (401), 20005 or 20404."""
    user = signed_in(carrier, request)
    if request.match_info["account"] != user:
        raise ApiError(refusal(20404, value=request.path))
    return user


def signed_in(carrier: Carrier, request: web.Request) -> str:
    """The account whose token came, where the address names none. ApiError 20003 or 20005."""
    user, password = _basic(request.headers.get("Authorization", ""))
    faults = carrier.faults
    if faults.active:
        if faults.fire((Kind.BAD_CREDENTIALS,)):
            raise ApiError(refusal(20003))
        if faults.fire((Kind.SUSPENDED,)):
            raise ApiError(refusal(20005, value=request.match_info.get("account", user)))
    token = carrier.config.accounts.get(user)
    if token is None or not compare_digest(token.encode(), password.encode()):
        raise ApiError(refusal(20003))
    return user


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


async def form_of(request: web.Request) -> dict[str, str]:
    """The form of a request, blank values kept, the last of a repeated name. Made to be cheap."""
    pairs = (piece.partition("=") for piece in (await request.read()).decode().split("&"))
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs if name}


def api_response(carrier: Carrier, document: Any, status: int) -> web.Response:
    """JSON with Twilio's headers, dated by the shifted clock; no body for None."""
    headers = {
        "Twilio-Request-Id": new_sid("RQ"),
        "Twilio-Concurrent-Requests": "1",
        "Twilio-Request-Duration": "0.001",
        "Date": clock.http_date(carrier.now()),
    }
    if document is None:
        return web.Response(status=status, headers=headers)
    headers["Content-Type"] = "application/json;charset=utf-8"
    return web.Response(body=_encode(document).encode(), status=status, headers=headers)


def guarded(carrier: Carrier, handler: Handler) -> Handler:
    """Turns a refusal into Twilio's envelope, and an undecodable body into 400."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            no = error.refusal
        except UnicodeDecodeError:
            no = refusal(20001, value="the body is not UTF-8")
        response = api_response(carrier, no.envelope(), no.http)
        if no.http == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        return response

    return handle
