"""What a sandbox is told when it starts, and may be told again while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sandbox.clock import offset_from_environment

DEFAULT_ACCOUNT = "AC" + "0" * 32
DEFAULT_TOKEN = "sandbox-auth-token"  # noqa: S105 - not a secret: the sandbox is bound to loopback.
DEFAULT_NUMBER = "+12125550110"


class Keywords(StrEnum):
    """Who answers STOP, START and HELP: the carrier, as Twilio does by default, or the app."""

    CARRIER = "carrier"
    APP = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Seconds spent before each status is reached, counted from the one before."""

    queued: float = 0.05
    sending: float = 0.05
    sent: float = 0.15
    delivered: float = 0.5
    failed: float = 0.1
    ringing: float = 0.1
    answered: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a recipient's texts end: delivered, undelivered, failed, or `sent` and never a word."""

    status: str = "delivered"
    error_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything configurable. Addresses are absolute; ages and delays are seconds."""

    port: int = 0
    accounts: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_ACCOUNT: DEFAULT_TOKEN})
    services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_number: str = DEFAULT_NUMBER
    # With a list here, a From that is not in it (nor in a service) is refused with 21606.
    numbers: tuple[str, ...] = ()
    inbound_url: str | None = None
    inbound_urls: Mapping[str, str] = field(default_factory=dict)
    fallback_url: str | None = None
    # Services leave it to their numbers where texts go.
    webhook_on_number: bool = False
    status_callback: str | None = None
    voice_url: str | None = None
    keywords: Keywords = Keywords.CARRIER
    advanced_optout: bool = False
    async_optout: bool = False
    callbacks: bool = True
    delays: Delays = field(default_factory=Delays)
    outcome: Outcome = field(default_factory=Outcome)
    # How long a virtual phone that was called may take to press a key before a Gather gives up,
    # when that is longer than the Gather's own timeout.
    patience: float = 0.0
    log_path: Path | None = None
    fsync: bool = False
    keep: int = 200_000
    webhook_concurrency: int = 64
    retry_pause: float = 0.05
    clock_offset: float = field(default_factory=offset_from_environment)

    def inbound_address(self, number: str, service: str | None) -> str | None:
        """Where a text to this number is posted: the number's own, its service's, the default."""
        return (
            self.inbound_urls.get(number)
            or (self.inbound_urls.get(service) if service else None)
            or self.inbound_url
        )

    def owns(self, number: str) -> bool:
        """Whether a From is one of ours; with no list of numbers every From is."""
        pooled = (number in numbers for numbers in self.services.values())
        return number == self.default_number or number in self.numbers or any(pooled)
