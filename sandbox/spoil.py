"""Acts out the faults that spoil an answer: late, wrong, cut off, dripping, or none at all."""

import asyncio
import json
import random
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from sandbox.errors import refusal
from sandbox.faults import SPOILS, Fault, Faults, Kind

_USUAL_CODES = {401: 20003, 403: 20005, 404: 20404, 429: 20429, 500: 20500, 503: 20503}
_POLL_SECONDS = 0.05
Act = Callable[[], web.Response]


async def answer(
    faults: Faults, request: web.Request, act: Act, *, on: str, phone: str | None = None
) -> web.StreamResponse:
    """Runs `act` and returns its answer, as the active faults have it.

    A fault with `created` lets the request take effect and spoils only the answer.
    """
    late = await _wait(faults, phone, on)
    fault = faults.fire(SPOILS, phone=phone, on=on)
    if fault is None:
        response = act()
        await asyncio.sleep(late)
        return response
    body = _bytes(act()) if fault.created else b'{"sid": null}'
    await asyncio.sleep(late)
    return await _spoiled(fault, request, body)


async def _wait(faults: Faults, phone: str | None, on: str) -> float:
    """Sleeps off a latency fault; returns the seconds it wants after the effect instead."""
    latency = faults.fire((Kind.LATENCY,), phone=phone, on=on)
    if latency is None:
        return 0.0
    jitter = random.uniform(0, latency.number("jitter_ms", 0.0))
    seconds = (latency.number("ms", 100.0) + jitter) / 1000
    if latency.options.get("when") == "after":
        return seconds
    await asyncio.sleep(seconds)
    return 0.0


def _bytes(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


async def _spoiled(fault: Fault, request: web.Request, body: bytes) -> web.StreamResponse:
    match fault.kind:
        case Kind.STATUS:
            return _status(fault)
        case Kind.GARBLED:
            return _garbled(body, str(fault.options.get("style", "truncated")))
        case Kind.HTML:
            page = "<!doctype html><title>Gateway</title><p>Please try again later.</p>"
            return web.Response(text=page, content_type="text/html")
        case Kind.DRIP:
            return await _drip(request, body, fault.number("interval", 1.0))
        case Kind.HANG:
            await _hang(request, fault.options.get("seconds"))
            return _cut(request, reset=False)
        case _:
            return _cut(request, reset=fault.options.get("how") == "reset")


def _status(fault: Fault) -> web.Response:
    status = int(fault.number("status", 500))
    default = _USUAL_CODES.get(status, 20500 if status >= 500 else 20001)
    code = int(fault.number("code", default))
    headers = {}
    if "retry_after" in fault.options:
        headers["Retry-After"] = f"{fault.number('retry_after', 1):g}"
    body = json.dumps(refusal(code, http=status).envelope()).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def _garbled(body: bytes, style: str) -> web.Response:
    spoiled = {"truncated": body[: len(body) // 2], "empty": b""}
    answer = spoiled.get(style, b'{"status": "queued", "sid": null}')
    return web.Response(body=answer, status=201, content_type="application/json")


async def _drip(request: web.Request, body: bytes, interval: float) -> web.StreamResponse:
    response = web.StreamResponse(status=201)
    response.content_type = "application/json"
    response.content_length = len(body)
    await response.prepare(request)
    try:
        for index in range(len(body)):
            await response.write(body[index : index + 1])
            await asyncio.sleep(interval)
    except ConnectionResetError:
        # The caller had enough of waiting, which is what this fault is for.
        return response
    return response


async def _hang(request: web.Request, seconds: float | None) -> None:
    """Says nothing until the caller hangs up, or for so many seconds."""
    loop = asyncio.get_running_loop()
    end = float("inf") if seconds is None else loop.time() + seconds
    while loop.time() < end:
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(_POLL_SECONDS)


def _cut(request: web.Request, *, reset: bool) -> web.StreamResponse:
    """Closes the connection without an answer; with `reset` the peer sees RST instead of FIN."""
    transport = request.transport
    if transport is not None:
        peer = transport.get_extra_info("socket")
        if reset and peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
