"""`python -m sandbox`: the carrier as a process of its own, until Ctrl-C or SIGTERM."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.config import (
    DEFAULT_ACCOUNT,
    DEFAULT_NUMBER,
    DEFAULT_TOKEN,
    Config,
    Delays,
    Keywords,
    Outcome,
)
from sandbox.numbers import normalise
from sandbox.server import start
from sandbox.webhooks import is_web_address


def _account(raw: str) -> tuple[str, str]:
    sid, mark, token = raw.partition(":")
    if not mark or not sid.startswith("AC") or not token:
        raise argparse.ArgumentTypeError("write SID:TOKEN, with a SID that begins with AC")
    return sid, token


def _number(raw: str) -> str:
    number = normalise(raw)
    if number is None:
        raise argparse.ArgumentTypeError(f"{raw} is not a telephone number such as +12125550110")
    return number


def _service(raw: str) -> tuple[str, tuple[str, ...]]:
    sid, mark, numbers = raw.partition("=")
    if not mark or not sid.startswith("MG"):
        raise argparse.ArgumentTypeError("write MG...=+1...,+1...")
    return sid, tuple(_number(part) for part in numbers.split(",") if part)


def _address(raw: str) -> str:
    if not is_web_address(raw):
        raise argparse.ArgumentTypeError(f"{raw} is not an http(s) address")
    return raw


def _owned_address(raw: str) -> tuple[str, str]:
    owner, mark, url = raw.partition("=")
    if not mark:
        raise argparse.ArgumentTypeError("write NUMBER=URL or MG...=URL")
    return owner, _address(url)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox",
        description="A Twilio-compatible carrier on this machine: REST, signed webhooks, faults, "
        "virtual phones. Prints one JSON line with its address when it is ready.",
        epilog="Example: python -m sandbox --port 9099 "
        "--inbound-url 'http://127.0.0.1:8000/twilio/inbound#rc=3&rp=all'",
    )
    add = parser.add_argument
    add("--port", type=int, default=9099, help="0 picks a free one (default 9099)")
    add("--account", type=_account, action="append", metavar="SID:TOKEN", help="may be repeated")
    add("--service", type=_service, action="append", default=[], metavar="MG...=+1...,+1...")
    add("--default-number", type=_number, default=DEFAULT_NUMBER, help=f"default {DEFAULT_NUMBER}")
    add("--number", type=_number, action="append", default=[], help="with it, other From: 21606")
    add("--inbound-url", type=_address, help="where texts from phones are posted")
    add("--inbound", type=_owned_address, action="append", default=[], metavar="NUMBER=URL")
    add("--fallback-url", type=_address, help="where they go when that fails")
    add("--webhook-on-number", action="store_true", help="services leave that to their numbers")
    add("--status-callback", type=_address, help="for service texts that name none")
    add("--voice-url", type=_address, help="what answers calls from phones")
    add("--keywords", choices=[k.value for k in Keywords], default=Keywords.CARRIER.value)
    add("--advanced-optout", action="store_true", help="add OptOutType to inbound webhooks")
    add("--async-optout", action="store_true", help="21610 by callback for service texts")
    add("--no-callbacks", action="store_true", help="post no status callbacks")
    add("--outcome", choices=["delivered", "undelivered", "failed", "sent"], default="delivered")
    add("--speed", type=float, default=1.0, help="divides the delivery delays (default 1)")
    add("--patience", type=float, default=20.0, help="least seconds a Gather waits for a key")
    add("--log", type=Path, metavar="FILE", help="append-only JSON lines")
    add("--fsync", action="store_true", help="push each write of the log to the disk")
    add("--keep", type=int, default=200_000, help="texts kept in memory (default 200000)")
    add("--concurrency", type=int, default=64, help="webhooks in flight (default 64)")
    add("--uvloop", action="store_true", help="use uvloop's faster event loop where installed")
    return parser


def _delays(speed: float) -> Delays:
    usual = Delays()
    return Delays(
        queued=usual.queued / speed,
        sending=usual.sending / speed,
        sent=usual.sent / speed,
        delivered=usual.delivered / speed,
        failed=usual.failed / speed,
    )


def config_from(options: argparse.Namespace) -> Config:
    """The configuration that the command line asks for."""
    return Config(
        port=options.port,
        accounts=dict(options.account or [(DEFAULT_ACCOUNT, DEFAULT_TOKEN)]),
        services=dict(options.service),
        default_number=options.default_number,
        numbers=tuple(options.number),
        inbound_url=options.inbound_url,
        inbound_urls=dict(options.inbound),
        fallback_url=options.fallback_url,
        webhook_on_number=options.webhook_on_number,
        status_callback=options.status_callback,
        voice_url=options.voice_url,
        keywords=Keywords(options.keywords),
        advanced_optout=options.advanced_optout,
        async_optout=options.async_optout,
        callbacks=not options.no_callbacks,
        outcome=Outcome(status=options.outcome),
        delays=_delays(max(options.speed, 0.001)),
        patience=options.patience,
        log_path=options.log,
        fsync=options.fsync,
        keep=max(options.keep, 1),
        webhook_concurrency=max(options.concurrency, 1),
    )


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await start(config)
    ready = {"url": server.url, "port": server.port, "account": next(iter(config.accounts))}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    try:
        await stop.wait()
    finally:
        await server.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the sandbox; 0 when it was asked to stop, 1 when it could not start (2: bad usage)."""
    options = _parser().parse_args(argv)
    factory = None
    if options.uvloop:
        try:
            # Only here: the sandbox runs as well where uvloop is not installed.
            import uvloop  # noqa: PLC0415
        except ImportError:
            sys.stderr.write("uvloop is not installed: using asyncio's own event loop.\n")
        else:
            factory = uvloop.new_event_loop
    try:
        config = config_from(options)
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(_serve(config))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The sandbox cannot start on port {options.port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
