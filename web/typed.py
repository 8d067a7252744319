"""What somebody typed into a form: a page that refuses the form holds it, so nothing is lost."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from starlette.requests import Request

#: The fields of free text, and how they are called on a page that has no form for them any more.
FREE_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "note": "Note",
        "recipient": "Told to",
        "told": "What they were told",
        "patient_id": "Patient id",
        "first_name": "First name",
        "phone": "Mobile number",
        "emergency_contact": "Emergency contact",
        "care_team": "Care team",
        "other_substances": "Other substances",
        "consent_version": "Form of your own",
    }
)


async def keep(request: Request) -> None:
    """Keep the fields of the request's form, for whichever page answers it."""
    form = await request.form()
    request.state.typed = {name: str(value) for name, value in form.items()}


def typed(request: Request) -> Mapping[str, str]:
    """Return the fields of the request's form by name; those that it has not are empty."""
    return defaultdict(str, getattr(request.state, "typed", {}))


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """Read a time as a form has it, by the clinic's clock. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=zone)


def named(fields: Mapping[str, str], prefix: str) -> list[str]:
    """Return what was ticked of a list; what the page did not offer is for the step to refuse."""
    ticked = [name for name, value in fields.items() if value]
    return [name.removeprefix(prefix) for name in ticked if name.startswith(prefix)]


def unsaved(request: Request) -> list[tuple[str, str]]:
    """Return the words that somebody typed, each under its label."""
    fields = typed(request)
    return [(label, fields[name]) for name, label in FREE_TEXT.items() if fields[name]]
