"""A patient as a file would tell them, so that a row and the record can be compared."""

from typing import Any

from records import patients
from records.patients import Patient
from records.vault import Vault
from worker.intake.patients import plain


def on_record(vault: Vault, person: Patient) -> dict[str, Any]:
    """Return what is on record, by column, as plain JSON; a "no" that nobody said is nothing."""
    hours = (person.safe_from, person.safe_until)
    return {
        "language": person.language,
        "timezone": person.timezone,
        "check_in_time": plain(person.check_in_time),
        "safe_hours": f"{hours[0]:%H:%M}-{hours[1]:%H:%M}" if hours[0] and hours[1] else None,
        "phone_shared": person.phone_shared or None,
        **patients.profile(vault, person),
        "first_name": patients.opened(vault, person, "first_name"),
        "phone": patients.opened(vault, person, "phone"),
    }
