"""The first-run list on the work list (care rule 31): what is done, what is not, and its mend."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records.base import new_id
from records.clinics import Clinic, Staff
from records.pages import Page
from tests.web.house import NOW, PASSWORD, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client


def _do(house: House, statement: str) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement))


def _name_a_lead(house: House, clinic: Clinic) -> None:
    with house.services.database.transaction() as session:
        row = session.merge(clinic)
        lead = {"name": "Lee", "phone": "+12125550191", "email": "lee@clinic.test"}
        row.settings = {**row.settings, "lead": lead}
        row.version += 1


def _take_a_test_page(house: House, clinic: Clinic) -> None:
    house.add(
        Page(
            id=new_id(),
            clinic_id=clinic.id,
            kind="test",
            why="opened",
            severity="page_now",
            person="lee@clinic.test",
            subject="test",
            at=NOW,
            acknowledged_at=NOW,
        )
    )


def test_care_rule_31_a_new_clinic_reads_what_to_do_next(
    house: House, clinic: Clinic, client: Client, kim: Staff
) -> None:
    """Each step with what to type, until it is done; then the list is gone for good."""
    assert "First steps: 3 of 7 done" in client.get("/").text
    assert "Ladder: nobody is paged" in client.get("/").text
    _name_a_lead(house, clinic)
    assert "aftercare page test" in client.get("/").text
    _take_a_test_page(house, clinic)
    assert "First steps: 4 of 7 done" in client.get("/").text
    assert "aftercare staff add EMAIL --role clinician" in client.get("/").text
    house.staff(clinic, "doc@clinic.test", "clinician")
    assert "First steps: 5 of 7 done" in client.get("/").text
    house.patient(clinic)
    assert "First steps: 6 of 7 done" in client.get("/").text
    _do(house, "UPDATE patient SET proved_at = now()")
    assert "First steps" not in client.get("/").text


def test_a_change_that_waits_for_a_clinician_is_unsigned(
    house: House, clinic: Clinic, client: Client, kim: Staff
) -> None:
    """Whoever signs is there, and has not yet."""
    house.staff(clinic, "doc@clinic.test", "clinician")
    assert "First steps: 4 of 7 done" in client.get("/").text
    _do(
        house,
        "INSERT INTO proposal (id, clinic_id, subject, source, safety, base_settings,"
        " proposed_by, proposed_at) SELECT uuidv7(), clinic_id, 'clinic', '{}', '[]', '', id,"
        " now() FROM staff LIMIT 1",
    )
    assert "First steps: 3 of 7 done" in client.get("/").text
    assert "aftercare clinic approve" in client.get("/").text


def test_who_only_looks_has_no_first_steps(house: House, clinic: Clinic, client: Client) -> None:
    """They could take none of them."""
    house.staff(clinic, "vic@clinic.test", "viewer")
    client.sign_in("vic@clinic.test", PASSWORD)
    assert "First steps" not in client.get("/").text


@pytest.mark.parametrize(("name", "width"), [("phone", 390), ("desk", 1280)])
def test_the_first_steps_fit_the_screen(
    client: Client, kim: Staff, browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    """The commands too."""
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": 844}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-first-sign-in.png")
        page.get_by_role("heading", name="First steps").wait_for()
        shot(page, shots / f"{name}-first-steps.png")
