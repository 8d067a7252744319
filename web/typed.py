"""What somebody typed into a form: a page that refuses the form holds it, so nothing is lost."""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

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
    }
)


async def keep(request: Request) -> None:
    """Keep the fields of the request's form, for whichever page answers it."""
    form = await request.form()
    request.state.typed = {name: str(value) for name, value in form.items()}


def typed(request: Request) -> Mapping[str, str]:
    """Return the fields of the request's form by name; those that it has not are empty."""
    return defaultdict(str, getattr(request.state, "typed", {}))


def unsaved(request: Request) -> list[tuple[str, str]]:
    """Return the words that somebody typed, each under its label."""
    fields = typed(request)
    return [(label, fields[name]) for name, label in FREE_TEXT.items() if fields[name]]
