"""Published protocols as values: the rows hold their YAML, parsed once a version."""

from functools import lru_cache
from uuid import UUID

from messages.templates import shipped
from records import enrollments
from records.base import Session
from records.outbox import Message
from schedules.loader import load
from schedules.protocol import Protocol, Step


def known_templates() -> dict[str, frozenset[str]]:
    """Return each template's variables, as the protocol checks want them."""
    catalog = shipped()
    return {key: catalog.variables(key) for key in catalog.keys()}  # noqa: SIM118  Not a dict.


@lru_cache(maxsize=256)
def parsed(source: str, name: str) -> Protocol:
    """Return a published protocol; it was checked before it was published."""
    return load(source, name, templates=known_templates())


def of_clinic(session: Session, clinic_id: UUID) -> dict[str, tuple[Protocol, int]]:
    """Return the clinic's protocols, each with its version number, by id."""
    versions = enrollments.current_protocols(session, clinic_id)
    return {
        key: (parsed(row.source, f"{key} v{row.number}"), row.number)
        for key, row in versions.items()
    }


def step_of(session: Session, message: Message) -> Step | None:
    """Return the step that planned a message, as its protocol stands now."""
    if message.protocol is None:
        return None
    found = of_clinic(session, message.clinic_id).get(message.protocol)
    return found[0].step(message.step) if found else None
