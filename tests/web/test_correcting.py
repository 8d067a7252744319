"""A misread text in the console: whoever reads it says what it means, and the record follows."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records.base import new_id
from records.checkins import CheckIn
from records.clinics import Clinic, Staff
from records.inbox import Inbound
from records.patients import Patient
from tests.web.house import NOW, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from tests.web.words import words

HILLSIDE = {"number": "+12125550111", "service": "MG" + "2" * 32}


@pytest.fixture
def ana(house: House, clinic: Clinic) -> Patient:
    return house.patient(clinic)


@pytest.fixture
def said(house: House, clinic: Clinic, ana: Patient) -> Inbound:
    """Ana's answer to a question for a number, read as 8."""
    prompt = house.message(ana, template="daily_check_in", expects="craving_scale")
    row = house.inbound(
        clinic.id,
        "about a six, the 8 was yesterday",
        ana,
        intent="score",
        value="8",
        prompt_message_id=prompt.id,
        received_at=NOW - timedelta(hours=1),
        handled_at=NOW - timedelta(hours=1),
    )
    house.add(
        CheckIn(
            clinic_id=clinic.id,
            patient_id=ana.id,
            id=new_id(),
            message_id=prompt.id,
            item="ask",
            context="craving_scale",
            status="answered",
            value=8,
            value_text="score",
            asked_at=NOW - timedelta(hours=2),
            ends_at=NOW + timedelta(hours=20),
            answered_at=NOW - timedelta(hours=1),
            inbound_id=row.id,
        )
    )
    return row


def _do(house: House, statement: str, **given: Any) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement), given)


def _address(row: Inbound) -> str:
    return f"/replies/{row.id}"


def _corrects(client: Client, row: Inbound, **fields: str) -> Any:
    form = {"csrf": client.csrf(_address(row)), **fields}
    return client.post(f"{_address(row)}/correct", data=form)


def test_a_number_is_put_right_and_the_reading_stays_beside_it(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient, said: Inbound
) -> None:
    """The check-in has the number that was meant; the page shows both, and whose word holds."""
    answer = _corrects(client, said, meant="score", number="6")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/{ana.id}")
    page = words(client.get(answer.headers["location"]).text)
    assert "Noted. The check-in has this number now." in page
    assert "read as: a number (6)" in page
    assert [float(value) for (value,) in house.rows("SELECT value FROM check_in")] == [6.0]
    assert house.rows("SELECT intent, value FROM inbound") == [("score", "8")]
    page = words(client.get(_address(said)).text)
    assert "a number (6) as kim@clinic.test says; this holds" in page
    assert "a number (8) as it was read by itself" in page


def test_what_was_no_stop_stays_one_until_they_say_so(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """A correction lifts nothing, and says where that is done."""
    row = house.inbound(clinic.id, "stop by anytime", ana, intent="stop", handled_at=NOW)
    answer = _corrects(client, row, meant="thanks_no_action")

    page = words(client.get(answer.headers["location"]).text)
    assert "The stop stays in force: see their consent for what ends it." in page


def test_a_stop_that_was_not_read_is_one_from_now_on(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    row = house.inbound(clinic.id, "quit it w these", ana, intent="unclear", handled_at=NOW)
    answer = _corrects(client, row, meant="stop")

    assert "Texts to this number have stopped." in client.get(answer.headers["location"]).text
    assert house.count("opt_out", "lifted_at IS NULL") == 1


def test_danger_that_was_not_read_pages(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """As the reading itself would have."""
    row = house.inbound(clinic.id, "cant do this no more", ana, intent="unclear", handled_at=NOW)
    _corrects(client, row, meant="crisis")

    assert house.rows("SELECT reason, severity FROM follow_up") == [("crisis", "page_now")]


def test_a_text_of_an_unknown_number_is_corrected_too(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """It leads back to the work list."""
    row = house.inbound(clinic.id, "who dis", None, intent="unclear", handled_at=NOW)
    answer = _corrects(client, row, meant="wrong_number")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert house.count("opt_out", "lifted_at IS NULL") == 1


def test_what_is_read_so_already_is_not_corrected_again(
    house: House, client: Client, clinic: Clinic, kim: Staff, said: Inbound
) -> None:
    """A second press, or the reading itself: nothing is written."""
    _corrects(client, said, meant="score", number="8")
    assert house.count("reading_correction") == 0
    for _ in range(2):
        answer = _corrects(client, said, meant="score", number="6")
    assert "It is read so already" in client.get(answer.headers["location"]).text
    assert house.count("reading_correction") == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "Say what they meant."),
        ({"meant": "a nod"}, "Say what they meant."),
        ({"meant": "score"}, "Give the number that they meant."),
        (
            {"meant": "score", "number": "eleventy"},
            "A score needs its number, as the patient meant it.",
        ),
        ({"meant": "score", "number": "44"}, "The question asked for 0 to 10."),
        ({"meant": "confirm", "number": "6"}, "A number goes with “a number” alone."),
    ],
)
def test_what_can_not_be_is_refused_and_comes_back_as_it_was(
    house: House,
    client: Client,
    clinic: Clinic,
    kim: Staff,
    said: Inbound,
    fields: dict[str, str],
    why: str,
) -> None:
    answer = _corrects(client, said, **fields)

    assert answer.status_code == 409
    assert f"Nothing is saved yet {why}"[:40] in words(answer.text)
    assert why in words(answer.text)
    if fields.get("number"):
        assert f'value="{fields["number"]}"' in answer.text
    assert house.count("reading_correction") == 0


def test_viewers_and_other_clinics_correct_nothing(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient, said: Inbound
) -> None:
    """Another clinic's text is not found; a viewer reads, and has no form."""
    form = {"csrf": client.csrf(_address(said)), "meant": "score", "number": "6"}
    hillside = house.clinic("hillside", **HILLSIDE)
    other = house.inbound(hillside.id, "8", None, sid="SM" + "c" * 32, handled_at=NOW)
    assert client.get(_address(other)).status_code == 404
    assert client.post(f"{_address(other)}/correct", data=form).status_code == 404

    _do(house, "UPDATE staff SET role = 'viewer'")
    assert "Save what they meant" not in client.get(_address(said)).text
    assert "misread?" not in client.get(f"/patients/{ana.id}").text
    assert client.post(f"{_address(said)}/correct", data=form).status_code == 403
    assert house.count("reading_correction") == 0


def test_who_opened_a_text_is_recorded(
    house: House, client: Client, clinic: Clinic, kim: Staff, said: Inbound
) -> None:
    client.get(_address(said))

    assert house.rows("SELECT actor, subject FROM audit_event WHERE action = 'reply.viewed'") == [
        (f"staff:{kim.id}", f"inbound:{said.id}")
    ]


@pytest.mark.parametrize(("name", "width"), [("phone", 390), ("desk", 1280)])
def test_it_is_put_right_in_a_browser(
    house: House,
    client: Client,
    clinic: Clinic,
    ana: Patient,
    said: Inbound,
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
) -> None:
    """From the conversation, and back to it."""
    house.staff(clinic)
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": 844}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-correct-0.png")
        page.goto(f"{client.base}/patients/{ana.id}")
        page.get_by_role("link", name="misread?").click()
        page.get_by_label("What they meant").select_option("score")
        page.get_by_label("The number").fill("6")
        shot(page, shots / f"{name}-correct-1.png")
        page.get_by_role("button", name="Save what they meant").click()
        assert page.get_by_role("status").inner_text().startswith("Noted. The check-in has")
        shot(page, shots / f"{name}-correct-2.png")
