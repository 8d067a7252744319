"""A wire between a client and a server of ours that a test may cut, or let swallow everything.

It understands just enough of PostgreSQL's protocol to do the cruellest cut: the server has done a
COMMIT, and whoever asked for it never hears so.
"""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Self

_COMMIT_DONE = b"COMMIT\0Z"
_STARTUP = 196608
_SECONDS = 20.0


@dataclass(slots=True, eq=False)
class _Link:
    """One connection. `seen`: its present transaction has a statement that is waited for."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    application: bytes = b""
    known: dict[bytes, bytes] = field(default_factory=dict)
    seen: bool = False
    doomed: bool = False

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Wire:
    """Listens on `port` and relays to `server` (a port here) until the block ends.

    `cuts` names the statement of each commit whose answer was swallowed. While `swallows` is set
    nothing passes, in neither direction, and nobody is told: a half-open connection.
    """

    def __init__(self, server: int, *, postgres: bool = False) -> None:
        self.port = 0
        self.swallows = False
        self.swallowed = 0
        self.cuts: list[str] = []
        self._server, self._postgres = server, postgres
        self._links: set[_Link] = set()
        self._armed: tuple[bytes, bytes] | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)

    def lose_commit(self, statement: str, *, of: str = "") -> None:
        """Cut once, after the commit of a transaction with this in one of its statements.

        `of` is in the name of the application that is meant.
        """
        self._armed = (statement.encode(), of.encode())

    def cut_all(self) -> None:
        """Reset every connection."""
        for link in list(self._links):
            self._loop.call_soon_threadsafe(link.cut)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        served = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = served.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        for link in list(self._links):
            link.cut()
        served.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link([writer])
        self._links.add(link)
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self._server)
            link.writers.append(out)
            asks = self._statements if self._postgres else self._bytes
            both = [asyncio.ensure_future(asks(reader, out, link))]
            both.append(asyncio.ensure_future(self._answers(there, writer, link)))
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            link.cut()
            await asyncio.gather(*both, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            # The block has ended, or the server is away: the client finds the line cut.
            pass
        finally:
            link.cut()
            self._links.discard(link)

    async def _bytes(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, _: _Link
    ) -> None:
        while chunk := await reader.read(65536):
            await self._pass(chunk, out)

    async def _pass(self, chunk: bytes, out: asyncio.StreamWriter) -> None:
        if self.swallows:
            self.swallowed += 1
            return
        out.write(chunk)
        await out.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, link: _Link
    ) -> None:
        while chunk := await reader.read(65536):
            if link.doomed and _COMMIT_DONE in chunk and self._armed:
                self.cuts.append(self._armed[0].decode())
                self._armed = None
                return
            link.doomed = False
            await self._pass(chunk, out)

    async def _statements(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, link: _Link
    ) -> None:
        started = False
        while True:
            # Before the connection is started its messages bear no letter.
            letter = await reader.readexactly(1) if started else b""
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length) - 4)
            if not started and int.from_bytes(body[:4]) == _STARTUP:
                started, link.application = True, body
            self._look(link, letter, body)
            await self._pass(letter + length + body, out)

    def _look(self, link: _Link, letter: bytes, body: bytes) -> None:
        """Note what a client's message asks for; a prepared statement is known by its name."""
        needle, of = self._armed or (b"\xff", b"")
        if letter == b"Q" and body.startswith((b"COMMIT", b"ROLLBACK")):
            link.doomed = link.seen and of in link.application and body.startswith(b"COMMIT")
            link.seen = False
        elif letter == b"P":
            name, _, statement = body.partition(b"\0")
            link.known[name] = statement
            link.seen |= needle in statement
        elif letter == b"B":
            link.seen |= needle in link.known.get(body.split(b"\0", 2)[1], b"")
        elif letter == b"Q":
            link.seen |= needle in body
