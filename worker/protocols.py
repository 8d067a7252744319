"""Published protocols as values: the rows hold their YAML, parsed once a version."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from uuid import UUID

from messages.templates import shipped
from records import enrollments
from records.base import Session
from records.enrollments import ProtocolVersion
from records.outbox import Message
from records.scores import Direction
from schedules.errors import ProtocolError
from schedules.loader import load
from schedules.protocol import Protocol, Step, Worse


def known_templates() -> dict[str, frozenset[str]]:
    """Return each template's variables, as the protocol checks want them."""
    catalog = shipped()
    return {key: catalog.variables(key) for key in catalog.templates}


@lru_cache(maxsize=256)
def parsed(source: str, name: str) -> Protocol:
    """Return a protocol with all its checks, before it is published."""
    return load(source, name, templates=known_templates())


@lru_cache(maxsize=256)
def followed(source: str, name: str) -> Protocol:
    """Return a published protocol as patients follow it, also where a newer check refuses it."""
    return load(source, name, published=True)


class Published(Mapping[str, tuple[Protocol, int]]):
    """A clinic's protocols, each with its version number; parsed when first asked for."""

    def __init__(self, versions: Mapping[str, ProtocolVersion]) -> None:
        self._versions = versions
        self._read: dict[str, tuple[Protocol, int]] = {}

    def __getitem__(self, key: str) -> tuple[Protocol, int]:
        if key not in self._read:
            row = self._versions[key]
            self._read[key] = followed(row.source, f"{key} v{row.number}"), row.number
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)

    def __contains__(self, key: object) -> bool:
        return key in self._versions


def find(published: Mapping[str, tuple[Protocol, int]], name: str) -> tuple[Protocol, int] | None:
    """Return a protocol with its version number; None for one that is not there or not readable."""
    with suppress(ProtocolError):
        return published.get(name)
    return None


def readable(published: Mapping[str, tuple[Protocol, int]]) -> dict[str, tuple[Protocol, int]]:
    """Return those of a clinic's protocols that this release can read.

    One that it can't must neither keep others from going on nor its own mend from being published.
    """
    return {name: found for name in published if (found := find(published, name)) is not None}


def unreadable(
    published: Mapping[str, tuple[Protocol, int]],
) -> Iterator[tuple[str, ProtocolError]]:
    """Give those of a clinic's protocols that this release can't read, each with why."""
    for name in published:
        try:
            published[name]
        except ProtocolError as error:
            yield name, error


def of_clinic(session: Session, clinic_id: UUID) -> Published:
    """Return the clinic's protocols, each with its version number, by id."""
    return Published(enrollments.current_protocols(session, clinic_id))


def step_of(session: Session, message: Message) -> Step | None:
    """Return the step that planned a message, by the version that it went by."""
    return step_asked(
        session, message.clinic_id, message.protocol, message.protocol_number, message.step
    )


def step_asked(
    session: Session, clinic_id: UUID, protocol: str | None, number: int | None, step: str
) -> Step | None:
    """Return a step of the version that a text went by, or of the newest where none is known.

    A question is judged by the rules that asked it: the answer to one that a later version words
    otherwise, or no longer has, still opens what it should.
    """
    if protocol is None:
        return None
    row = enrollments.version(session, clinic_id, protocol, number) if number else None
    if row is not None:
        found = followed(row.source, f"{protocol} v{row.number}").step(step)
        if found is not None:
            return found
    newest = of_clinic(session, clinic_id).get(protocol)
    return newest[0].step(step) if newest else None


#: Of versions from before a step could say which end of its scale worries.
_LOW_BY_NAME = ("confidence", "sleep", "mood")


def direction_of(session: Session, clinic_id: UUID) -> Direction:
    """Return what says which end of a step's scale worries, as the version that asked has it."""

    @cache
    def found(protocol: str | None, number: int | None, step: str) -> str:
        asked = step_asked(session, clinic_id, protocol, number, step)
        named = Worse.LOW if any(word in step for word in _LOW_BY_NAME) else Worse.HIGH
        return f"{(asked and asked.worse) or named}_is_worse"

    return found
