"""A carrier for the gateway's tests that does, byte for byte, what a test tells it to.

It is written on bare sockets, because most of what a gateway must survive (half an answer, a
reset, silence, nonsense) a web framework would not let us do.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SID = "SM" + "1" * 32
CREATED = {"sid": SID, "status": "queued", "num_segments": "1", "error_code": None}


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    form: dict[str, str]


class Peer:
    """One connection of a client's, seen from the carrier."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(
        self, status: int, body: bytes | dict | str, headers: Mapping[str, str] | None = None
    ) -> None:
        content = json.dumps(body) if isinstance(body, dict) else body
        if isinstance(content, str):
            content = content.encode()
        lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        held = self.writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Peer], Awaitable[None]]


async def accept(peer: Peer) -> None:
    await peer.answer(201, CREATED)


def answers(
    status: int, body: bytes | dict | str, headers: Mapping[str, str] | None = None
) -> Behaviour:
    async def behave(peer: Peer) -> None:
        await peer.answer(status, body, headers)

    return behave


def slowly(seconds: float, then: Behaviour = accept) -> Behaviour:
    async def behave(peer: Peer) -> None:
        await asyncio.sleep(seconds)
        await then(peer)

    return behave


async def hang(peer: Peer) -> None:
    await peer.reader.read()


async def drip(peer: Peer) -> None:
    for byte in b"HTTP/1.1 201 Created\r\nContent-Length: 5000\r\n\r\n" + b" " * 5000:
        await peer.raw(bytes([byte]))
        await asyncio.sleep(0.05)


async def drip_body(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 201 Created\r\nContent-Length: 5000\r\n\r\n")
    while True:
        await peer.raw(b" ")
        await asyncio.sleep(0.05)


async def disconnect(peer: Peer) -> None:
    peer.close()


async def reset(peer: Peer) -> None:
    peer.reset()


async def half_an_answer(peer: Peer) -> None:
    content = json.dumps(CREATED).encode()
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    await peer.raw(head + content[:20])
    peer.close()


async def reset_in_the_answer(peer: Peer) -> None:
    await peer.raw(b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{")
    await asyncio.sleep(0.02)
    peer.reset()


async def nonsense(peer: Peer) -> None:
    await peer.raw(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    peer.close()


async def accept_then_close(peer: Peer) -> None:
    await accept(peer)
    peer.close()


@dataclass
class ScriptedCarrier:
    url: str = ""
    script: deque[Behaviour] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    bytes_received: int = 0
    # Set: a connection is dropped or kept waiting before anything is read from it.
    on_connect: Behaviour | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def will(self, *behaviours: Behaviour) -> None:
        self.script.extend(behaviours)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        peer = Peer(reader, writer)
        try:
            if self.on_connect is not None:
                await self.on_connect(peer)
            while (request := await self._read(reader)) is not None:
                self.requests.append(request)
                behaviour = self.script.popleft() if self.script else accept
                await behaviour(peer)
        except (ConnectionError, RuntimeError, asyncio.IncompleteReadError):
            # The client went away in the middle; uvloop says so with a RuntimeError.
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as ended:
            self.bytes_received += len(ended.partial)
            return None
        self.bytes_received += len(head)
        first, *lines = head.decode().strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.bytes_received += len(body)
        parts = urlsplit(target)
        return Request(
            method=method,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers=headers,
            form=dict(parse_qsl(body.decode(), keep_blank_values=True)),
        )

    @property
    def is_quiet(self) -> bool:
        """Whether every connection that was served is closed."""
        return not self._open

    def drop_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()


@asynccontextmanager
async def carrier(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedCarrier]:
    scripted = ScriptedCarrier()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scripted.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield scripted
    finally:
        server.close()
        # Whoever was just accepted is served some turns of the loop later, and dropped then.
        await asyncio.sleep(0.01)
        scripted.drop_all()
        # The serving tasks end by themselves once their connections are gone.
        for _ in range(100):
            await asyncio.sleep(0.01)
            if scripted.is_quiet:
                break


def self_signed(folder: Path) -> ssl.SSLContext:

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def trusting(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "cert.pem")
    context.check_hostname = False
    return context
