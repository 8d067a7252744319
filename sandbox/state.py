"""What the carrier remembers: texts, who blocked whom, phones. In memory and bounded."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import takewhile
from zlib import crc32

from sandbox.config import Config, Outcome


class Status(StrEnum):
    """Twilio's message statuses, as far as text messages reach them."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"
    RECEIVED = "received"


FINAL = frozenset(
    {Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.CANCELED, Status.RECEIVED}
)


def new_sid(prefix: str) -> str:
    """`SM`, `CA`, `RQ`... and 32 hexadecimal digits."""
    return prefix + os.urandom(16).hex()


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """One text in either direction. `created` is shifted wall time, `born` the loop's clock."""

    sid: str
    account: str
    to: str
    sender: str
    body: str
    direction: str
    status: Status
    segments: int
    created: float
    born: float
    seq: int = 0
    service: str | None = None
    named_sender: bool = True
    status_callback: str | None = None
    validity: int = 36_000
    media: tuple[tuple[str, str], ...] = ()
    carrier_own: bool = False
    redacted: bool = False
    deleted: bool = False
    sent: float | None = None
    updated: float = 0.0
    error_code: int | None = None
    error_message: str | None = None
    # What is still to happen: (status, seconds after the one before), and when the next is due.
    steps: tuple[tuple[Status, float], ...] = ()
    next_at: float = float("inf")
    # The error code this text will end with, if it ends badly.
    fate: int | None = None
    # Callbacks kept back so that they arrive out of order.
    held: list[dict[str, str]] | None = None
    held_order: str = "random"

    @property
    def outbound(self) -> bool:
        return self.direction != "inbound"

    @property
    def phone(self) -> str:
        """The virtual phone's number: whichever side is not ours."""
        return self.to if self.outbound else self.sender

    @property
    def ours(self) -> str:
        return self.sender if self.outbound else self.to


@dataclass(slots=True, kw_only=True, eq=False)
class Phone:
    """A virtual phone and whom it heard from last, so that a reply finds its way back."""

    number: str
    last_ours: str
    last_service: str | None
    account: str
    seq: int


@dataclass(slots=True)
class Store:
    """Texts by SID and by either party, oldest first, the oldest forgotten beyond `keep`."""

    keep: int
    messages: dict[str, Message] = field(default_factory=dict)
    order: deque[Message] = field(default_factory=deque)
    by_to: dict[str, deque[Message]] = field(default_factory=dict)
    by_sender: dict[str, deque[Message]] = field(default_factory=dict)
    phones: dict[str, Phone] = field(default_factory=dict)
    blocks: dict[tuple[str, str], float] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    # Whose carrier gave them up, by the day.
    deactivated: dict[date, set[str]] = field(default_factory=dict)
    # Services nobody configured, seen in a create: they all send from the default number.
    unknown_services: set[str] = field(default_factory=set)
    counter: int = 0

    def add(self, message: Message) -> None:
        """Keeps a text and notes on its phone whom to answer."""
        self.counter += 1
        message.seq = self.counter
        message.updated = message.created
        self.messages[message.sid] = message
        self.order.append(message)
        self._filed(self.by_to, message.to).append(message)
        self._filed(self.by_sender, message.sender).append(message)
        self._touch_phone(message)
        if len(self.order) > self.keep:
            self._forget_oldest()

    @staticmethod
    def _filed(index: dict[str, deque[Message]], number: str) -> deque[Message]:
        found = index.get(number)
        if found is None:
            found = index[number] = deque()
        return found

    def _touch_phone(self, message: Message) -> None:
        phone = self.phones.get(message.phone)
        if phone is None:
            self.phones[message.phone] = Phone(
                number=message.phone,
                last_ours=message.ours,
                last_service=message.service,
                account=message.account,
                seq=message.seq,
            )
            return
        phone.seq, phone.last_ours, phone.account = message.seq, message.ours, message.account
        phone.last_service = message.service or phone.last_service

    def _forget_oldest(self) -> None:
        oldest = self.order.popleft()
        self.messages.pop(oldest.sid, None)
        for index, number in ((self.by_to, oldest.to), (self.by_sender, oldest.sender)):
            # Both indexes are filled in the same order as `order`, so the oldest stands first.
            index[number].popleft()
            if not index[number]:
                del index[number]
        if oldest.phone not in self.by_to and oldest.phone not in self.by_sender:
            self.phones.pop(oldest.phone, None)

    def delete(self, message: Message) -> None:
        message.deleted = True
        self.messages.pop(message.sid, None)

    def newest_first(
        self, *, to: str | None = None, sender: str | None = None
    ) -> Iterator[Message]:
        """All texts, or those of one party, from the newest; the caller filters further."""
        source: deque[Message] | tuple[()] = self.order
        if to is not None:
            source = self.by_to.get(to, ())
        elif sender is not None:
            source = self.by_sender.get(sender, ())
        return (message for message in reversed(source) if not message.deleted)

    def conversation(self, number: str) -> list[Message]:
        """What a phone sent and was sent, oldest first, deleted ones too: a phone keeps its own."""
        both = [*self.by_to.get(number, ()), *self.by_sender.get(number, ())]
        return sorted(both, key=lambda message: message.seq)

    def latest(self, number: str, count: int) -> list[Message]:
        """The last `count` texts of a phone, without walking the rest."""
        sides = (self.by_to.get(number, ()), self.by_sender.get(number, ()))
        tails = [
            message
            for side in sides
            for _, message in takewhile(lambda pair: pair[0] < count, enumerate(reversed(side)))
        ]
        return sorted(tails, key=lambda message: message.seq)[-count:]


def pool(store: Store, config: Config, service: str) -> tuple[str, ...]:
    """The numbers of a messaging service; an unconfigured one sends from the default number."""
    if service in config.services:
        return config.services[service]
    store.unknown_services.add(service)
    return (config.default_number,)


def pick_number(store: Store, numbers: tuple[str, ...], to: str) -> str:
    """The number of a pool a recipient hears from: the one used before, else a stable choice."""
    if len(numbers) == 1:
        return numbers[0]
    phone = store.phones.get(to)
    if phone is not None and phone.last_ours in numbers:
        return phone.last_ours
    return numbers[crc32(to.encode()) % len(numbers)]


def services_of(store: Store, config: Config, number: str) -> tuple[str, ...]:
    """The messaging services that send from this number."""
    named = tuple(sid for sid, numbers in config.services.items() if number in numbers)
    if number == config.default_number:
        return named + tuple(sorted(store.unknown_services))
    return named


def is_blocked(
    store: Store, config: Config, *, phone: str, sender: str, service: str | None
) -> bool:
    """Whether this phone said stop to the number or to any service that sends from it."""
    if not store.blocks:
        return False
    if service is not None and (service, phone) in store.blocks:
        return True
    owners = (sender, *services_of(store, config, sender))
    return any((owner, phone) in store.blocks for owner in owners)
