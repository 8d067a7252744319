"""A process that posts prepared requests over kept-alive connections, and says how it went.

    python -m bench.loadgen PORT FILE --connections 64 [--seconds 10] [--rate 400]

With a rate, requests start at even instants whatever the answers do, and a wait counts from the
instant a request should have started. Without one, each connection posts as fast as it is answered.
The file is a pickled list of whole requests.
"""

import argparse
import asyncio
import json
import pickle
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop


class Connection(asyncio.Protocol):
    """One connection with one request under way."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark or self._answer is None:
            return
        status, length = int(head[9:12]), 0
        at = head.lower().find(b"\r\ncontent-length:")
        if at >= 0:
            length = int(head[at + 17 :].partition(b"\r\n")[0])
        if len(rest) >= length:
            self._buffer = b""
            self._answer.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    async def ask(self, request: bytes) -> int:
        """Post it; return the status of the answer, 0 if the connection broke."""
        if self._transport is None:
            return 0
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


@dataclass(slots=True)
class Tally:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    def add(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.waits.append(seconds)

    def told(self, seconds: float) -> dict[str, object]:
        cuts = statistics.quantiles(self.waits, n=100, method="inclusive")
        return {
            "count": len(self.waits),
            "seconds": seconds,
            "rate": len(self.waits) / seconds,
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "p50_ms": cuts[49] * 1000,
            "p99_ms": cuts[98] * 1000,
            "worst_ms": max(self.waits) * 1000,
        }


async def _closed(
    connection: Connection, requests: Iterator[bytes], until: float, tally: Tally
) -> None:
    for request in requests:
        started = time.perf_counter()
        if started >= until:
            return
        tally.add(await connection.ask(request), time.perf_counter() - started)


async def _open(
    connection: Connection, requests: Iterator[tuple[float, bytes]], tally: Tally
) -> None:
    for due, request in requests:
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        tally.add(await connection.ask(request), time.perf_counter() - due)


async def _post(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float
) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(connections)
    ]
    tally, started, started_at = Tally(), time.perf_counter(), time.time()
    if rate:
        count = min(len(requests), int(rate * seconds))
        plan = iter([(started + n / rate, requests[n]) for n in range(count)])
        await asyncio.gather(*(_open(each, plan, tally) for each in made))
    else:
        rest = iter(requests)
        await asyncio.gather(*(_closed(each, rest, started + seconds, tally) for each in made))
    return {**tally.told(time.perf_counter() - started), "started_at": started_at}


def save(requests: Sequence[bytes], path: Path) -> str:
    """Write requests for the other process; return the file's name."""
    path.write_bytes(pickle.dumps(list(requests)))
    return str(path)


def request(path: str, body: str, headers: dict[str, str]) -> bytes:
    """Return a whole POST of a form."""
    payload = body.encode()
    lines = {
        "Host": "127.0.0.1",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(payload)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + payload


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=0.0)
    options = parser.parse_args()
    requests = pickle.loads(options.file.read_bytes())
    told = uvloop.run(
        _post(options.port, requests, options.connections, options.seconds, options.rate)
    )
    print(json.dumps(told))


if __name__ == "__main__":
    main()
