"""Two patients on one number in the console (care rule 22): staff say how each is reached."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records import patients
from records.clinics import Clinic, Staff
from records.patients import Patient
from tests.web.house import NOW, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from tests.web.words import words

HILLSIDE = {"number": "+12125550111", "service": "MG" + "2" * 32}


@pytest.fixture
def ben(house: House, clinic: Clinic) -> Patient:
    """Whoever had the number first."""
    first = house.patient(clinic, "P-1", first_name="Benjamin")
    _do(house, "UPDATE patient SET number_since = :before", before=NOW - timedelta(days=9))
    return first


@pytest.fixture
def ana(house: House, clinic: Clinic, ben: Patient) -> Patient:
    """Whoever came to it second."""
    return house.patient(clinic, "P-2", first_name="Ana")


def _do(house: House, statement: str, **given: Any) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement), given)


def _texts(who: Patient) -> str:
    return f"/patients/{who.id}/texts"


def _reach(client: Client, who: Patient, **said: str) -> str:
    """Send the form and return the words of the page that follows."""
    form = {"csrf": client.csrf(_texts(who)), **said}
    answer = client.post(f"/patients/{who.id}/reach", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, _texts(who))
    return words(client.get(answer.headers["location"]).text)


def _kept(house: House, who: Patient) -> tuple[bool, str | None]:
    with house.services.database.transaction() as session:
        row = patients.by_id(session, who.id)
        tag = patients.opened(house.services.vault, row, "tag") if row.tag else None
        return row.calls_only, tag


def test_care_rule_22_the_second_on_a_number_waits_for_a_choice(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """The page says so, offers the choice, and names nobody."""
    page = words(client.get(_texts(ana)).text)

    assert "Another patient had this number first" in page
    assert "Another patient has this number too." in page
    assert "Benjamin" not in page


def test_calls_only_ends_texts_and_is_shown(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    page = _reach(client, ana, how="calls-only")

    assert "Noted: no text goes to this patient, and instructions become calls." in page
    assert "By calls only: nothing is texted" in page
    assert _kept(house, ana) == (True, None)
    assert house.count("audit_event", "action = 'patient.reached'") == 1


def test_texts_go_once_both_have_a_tag_of_their_own(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient, ben: Patient
) -> None:
    page = _reach(client, ana, how="tag", tag="J")
    assert "No text goes until everybody on the number has a tag of their own." in page
    assert "Texts begin with their tag, J" in page
    assert "has this tag. Let the patient pick another." in _reach(client, ben, how="tag", tag="j")

    assert "Noted: texts are planned again." in _reach(client, ben, how="tag", tag="B")
    assert (_kept(house, ana), _kept(house, ben)) == ((False, "J"), (False, "B"))


def test_a_choice_can_be_taken_back(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    _reach(client, ana, how="calls-only")
    page = _reach(client, ana, how="texts")

    assert _kept(house, ana) == (False, None)
    assert "Another patient had this number first" in page


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"how": "tag", "tag": ""}, "Nothing is saved. A tag is one to"),
        ({"how": "tag", "tag": "J J"}, "Nothing is saved. A tag is one to"),
        ({"how": "pigeon"}, "Choose how they are reached."),
        ({}, "Choose how they are reached."),
    ],
)
def test_what_is_no_choice_changes_nothing(
    house: House,
    client: Client,
    clinic: Clinic,
    kim: Staff,
    ana: Patient,
    said: dict[str, str],
    why: str,
) -> None:
    assert why in _reach(client, ana, **said)
    assert _kept(house, ana) == (False, None)


def test_who_has_a_number_alone_is_asked_nothing(
    house: House, client: Client, clinic: Clinic, kim: Staff, ben: Patient
) -> None:
    assert "How they are reached" not in client.get(_texts(ben)).text


def test_viewers_and_other_clinics_choose_nothing(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    other = house.patient(house.clinic("hillside", **HILLSIDE), "P-1")
    form = {"csrf": client.csrf(_texts(ana)), "how": "calls-only"}
    assert client.post(f"/patients/{other.id}/reach", data=form).status_code == 404

    _do(house, "UPDATE staff SET role = 'viewer'")
    assert "Save how they are reached" not in client.get(_texts(ana)).text
    client.post(f"/patients/{ana.id}/reach", data=form)
    assert (_kept(house, ana), _kept(house, other)) == ((False, None), (False, None))


@pytest.mark.parametrize(("name", "width"), [("phone", 390), ("desk", 1280)])
def test_the_choice_is_made_in_a_browser(
    house: House,
    client: Client,
    clinic: Clinic,
    ana: Patient,
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
) -> None:
    """From what the page says is missing to what it says then."""
    house.staff(clinic)
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": 844}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-reach-0.png")
        page.goto(f"{client.base}{_texts(ana)}")
        page.get_by_role("link", name="how this one is reached").click()
        shot(page, shots / f"{name}-reach-1.png")
        page.get_by_label("By texts that begin").check()
        page.get_by_label("Tag", exact=True).fill("J")
        page.get_by_role("button", name="Save how they are reached").click()
        assert "everybody on the number" in page.get_by_role("status").inner_text()
        shot(page, shots / f"{name}-reach-2.png")
    assert _kept(house, ana) == (False, "J")
