"""The search for patients: whom what is typed means, and what nobody else learns of it."""

import json
import re
from typing import Any

import pytest

from records.clinics import Clinic
from tests.web.house import PASSWORD, House
from tests.web.served import Client


@pytest.fixture
def people(house: House, clinic: Clinic, client: Client) -> None:
    """Four patients of the clinic and one of another; a viewer is signed in."""
    house.patient(clinic, "MRN-17", first_name="José Luis", phone="+12125550121")
    house.patient(clinic, "MRN-18", first_name="Josefina", phone="+12125550122")
    house.patient(clinic, "MRN-1", first_name="Al", phone="+12125550123")
    house.patient(clinic, "0121", first_name="Alma", phone="+12125550124")
    house.patient(
        house.clinic("lakeside", number="+12125550111", service="MG" + "2" * 32),
        "MRN-17",
        first_name="José",
        phone="+12125550121",
    )
    house.staff(clinic, role="viewer")
    assert client.sign_in("kim@clinic.test", PASSWORD).status_code == 303


def looked_for(client: Client, typed: str) -> Any:
    """Type this into the search and return the answer."""
    return client.post("/search", data={"csrf": client.csrf(), "typed": typed})


def found(client: Client, typed: str) -> list[str]:
    """Return the ids that stand on the page of what was found."""
    page = client.get(looked_for(client, typed).headers["location"])
    assert page.status_code == 200
    return re.findall(r'</h2>\s*<span class="quiet">([^<]*)</span>', page.text)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("typed", "ids"),
    [
        ("José", ["MRN-17", "MRN-18"]),
        ("jose luis", ["MRN-17"]),
        ("LUIS", ["MRN-17"]),
        ("josef", ["MRN-18"]),
        ("josefa", []),
        ("jo", []),
        ("al", ["MRN-1"]),
        ("alm", ["0121"]),
        ("mrn-17", ["MRN-17"]),
        ("MRN", []),
        (" MRN-1 ", ["MRN-1"]),
        ("0121", ["0121", "MRN-17"]),
        ("(212) 555-0122", ["MRN-18"]),
        ("+12125550122", ["MRN-18"]),
        ("5550122", []),
        ("%", []),
        ("<b>", []),
    ],
)
def test_a_patient_is_found_by_name_id_and_number(
    client: Client, typed: str, ids: list[str]
) -> None:
    """Whole ids and numbers, last four digits, and names from three letters on; of one clinic."""
    assert found(client, typed) == ids


@pytest.mark.usefixtures("people")
def test_what_was_typed_stands_in_no_address_and_belongs_to_one_person(
    house: House, clinic: Clinic, client: Client
) -> None:
    """An address is kept by browsers and proxies; a colleague who is sent it finds no page."""
    address = looked_for(client, "josefina").headers["location"]

    assert "josefina" not in address
    assert "Josefina" in client.get(address).text
    house.staff(clinic, email="lee@clinic.test")
    client.cookies.clear()
    client.sign_in("lee@clinic.test", PASSWORD)
    assert client.get(address).status_code == 404
    assert client.get("/search/nothing").status_code == 404
    assert client.get("/search/%C3%A9").status_code == 404


def test_a_search_is_recorded_with_whom_it_listed(
    house: House, clinic: Clinic, client: Client
) -> None:
    """What was typed is not: it may be anything."""
    josefina = house.patient(clinic, first_name="Josefina")
    house.staff(clinic)
    client.sign_in("kim@clinic.test", PASSWORD)

    found(client, "josefina")

    [(row, clinic_id, sealed)] = house.rows(
        "SELECT id, clinic_id, details FROM audit_event WHERE action = 'patients.searched'"
    )
    details = json.loads(house.services.vault.open("audit_event", "details", row, sealed))
    assert clinic_id == clinic.id
    assert details == {"listed": [str(josefina.id)]}


@pytest.mark.usefixtures("people")
def test_an_empty_search_says_what_to_type(client: Client) -> None:
    """And goes to the work list, where one can."""
    answer = looked_for(client, "  ")

    assert answer.headers["location"] == "/"
    assert "its last four digits" in client.get("/").text


def test_of_many_the_first_are_shown_and_how_many_there_are(
    house: House, clinic: Clinic, client: Client
) -> None:
    """More letters find fewer."""
    for number in range(52):
        house.patient(clinic, f"P-{number:02}", first_name=f"Maria{number}")
    house.staff(clinic)
    client.sign_in("kim@clinic.test", PASSWORD)

    assert len(found(client, "maria")) == 50
    page = client.get(looked_for(client, "maria").headers["location"])
    assert "50 of 52 are shown" in page.text
    assert found(client, "maria51") == ["P-51"]
