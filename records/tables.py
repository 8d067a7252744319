"""All tables at once, for migrations and for anything that needs the whole metadata."""

from records import (
    accounting,
    appointments,
    audit,
    checkins,
    clinics,
    enrollments,
    followups,
    forms,
    inbox,
    keys,
    outbox,
    pages,
    patients,
    progress,
    publishing,
)
from records.base import Base

metadata = Base.metadata

__all__ = [
    "accounting",
    "appointments",
    "audit",
    "checkins",
    "clinics",
    "enrollments",
    "followups",
    "forms",
    "inbox",
    "keys",
    "metadata",
    "outbox",
    "pages",
    "patients",
    "progress",
    "publishing",
]
