"""The carrier as one object: what every part of the sandbox works on, handed over explicitly."""

import asyncio

from sandbox import clock
from sandbox.config import Config
from sandbox.faults import Faults
from sandbox.log import Log
from sandbox.state import Store
from sandbox.webhooks import Courier


class Carrier:
    """Configuration, memory, faults, log and courier. `config` is replaced whole on a change."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config.keep)
        self.faults = Faults()
        self.log = Log(
            path=config.log_path, fsync=config.fsync, keep=config.keep, offset=config.clock_offset
        )
        self.courier = Courier(
            log=self.log, concurrency=config.webhook_concurrency, retry_pause=config.retry_pause
        )
        self.default_account = next(iter(config.accounts))

    def now(self) -> float:
        """Shifted wall time in seconds since the epoch: for every date that is shown."""
        return clock.now(self.config.clock_offset)

    def ticks(self) -> float:
        """The event loop's clock: for everything that is waited for."""
        return asyncio.get_running_loop().time()

    def token(self, account: str) -> str:
        """The auth token that signs what is posted for this account."""
        return self.config.accounts[account]

    def configure(self, config: Config) -> None:
        self.config = config
        self.log.offset = config.clock_offset

    def reset(self) -> None:
        """Forgets texts, blocks, phones, outcomes and faults; settings and the file stay."""
        for message in self.store.order:
            message.steps = ()
            message.next_at = float("inf")
        self.store = Store(self.config.keep)
        self.faults = Faults()
        self.log.clear()
