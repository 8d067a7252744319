"""The console's search: a patient found by name, id or number, whatever page one is on.

What was typed names a patient, and browsers and proxies keep addresses. So the page of what was
found has it in its address sealed, for the one who typed it.
"""

import base64
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from records import search
from records.vault import Vault, VaultError
from web.console import back, record, show
from web.sessions import OwnForm, Person, SignedIn, services_of

router = APIRouter(include_in_schema=False)

LONGEST = 100
LISTED = 50


@router.post("/search", dependencies=[OwnForm])
def look_for(
    request: Request, person: SignedIn, typed: Annotated[str, Form(max_length=LONGEST)] = ""
) -> Response:
    """Go to the page of whom this may mean."""
    if not typed.strip():
        return back(request, "Type a name, an id, a number or its last four digits.", "/")
    address = _sealed(services_of(request).vault, person, typed.strip())
    return RedirectResponse(f"/search/{address}", status_code=303)


@router.get("/search/{address}", name="search")
def found(request: Request, person: SignedIn, address: str) -> Response:
    """Show the patients whom somebody looked for; that they were listed is recorded."""
    services = services_of(request)
    typed = _opened(services.vault, person, address)
    with services.database.transaction() as session:
        people = search.search(session, services.vault, person.clinic_id, typed)
        shown = people[:LISTED]
        listed = [str(each.id) for each in shown]
        record(session, services, person, "patients.searched", "patients", listed=listed)
    values = {"typed": typed, "people": shown, "total": len(people)}
    return show(request, person, "search.html", values)


def _sealed(vault: Vault, person: Person, typed: str) -> str:
    sealed = vault.seal("search", "typed", person.id, typed)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _opened(vault: Vault, person: Person, address: str) -> str:
    """Return what was typed; an address that was not made for this person is no page."""
    try:
        sealed = base64.urlsafe_b64decode(address + "=" * (-len(address) % 4))
        return vault.open("search", "typed", person.id, sealed)
    except (ValueError, VaultError) as error:
        raise HTTPException(404) from error
