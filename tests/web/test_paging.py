"""Calls to staff: what is said, which key takes the page, and how a call's end is noted."""

import json
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from records.base import new_id
from records.clinics import Clinic
from records.followups import FollowUp
from records.pages import Page, PageDelivery
from tests.web.house import ACCOUNT, NOW, House, post
from tests.web.served import Client, served
from worker.paging.transports import SIGNATURE_HEADER, signature


def call_form(**more: str) -> dict[str, str]:
    form = {"CallSid": "CA" + "a" * 32, "AccountSid": ACCOUNT, "CallStatus": "in-progress"}
    return {**form, "From": "+12125550110", "To": "+12125550190", **more}


@pytest.fixture
def item(house: House, clinic: Clinic) -> FollowUp:
    """A crisis of Ana's."""
    patient = house.patient(clinic)
    return house.follow_up(clinic.id, "crisis", "page_now", patient)


@pytest.fixture
def page(house: House, clinic: Clinic, item: FollowUp) -> Page:
    """Kim was paged about it by a call."""
    row = Page(
        id=new_id(),
        clinic_id=clinic.id,
        follow_up_id=item.id,
        kind="item",
        why="opened",
        severity="page_now",
        person="kim@clinic.test",
        at=NOW,
    )
    delivery = PageDelivery(
        id=new_id(),
        clinic_id=clinic.id,
        page_id=row.id,
        channel="voice",
        status="accepted",
        tries=1,
        expires_at=NOW.replace(hour=23),
    )
    house.add(row, delivery)
    return row


def test_a_call_names_the_clinic_and_no_patient(house: House, client: Client, page: Page) -> None:
    """It is said three times over, each with the key that takes it."""
    answer = post(client, f"/twilio/voice/page?page={page.id}", call_form())
    response = ET.fromstring(answer.text)
    gathers = response.findall("Gather")
    assert len(gathers) == 3
    assert gathers[0].get("action", "").endswith(f"/twilio/voice/page/key?page={page.id}")
    said = " ".join(response.itertext())
    assert "page from Riverside Care" in said
    assert "Press 1 to take it" in said
    assert not any(word in said for word in ("Ana", "P-1", "555", "crisis"))


def test_pressing_one_takes_the_page(
    house: House, clinic: Clinic, client: Client, page: Page
) -> None:
    """In the name of whoever was called."""
    kim = house.staff(clinic)
    answer = post(client, f"/twilio/voice/page/key?page={page.id}", call_form(Digits="1"))
    assert "It is yours" in answer.text
    [(status, owner)] = house.rows("SELECT status, owner_id FROM follow_up")
    assert (status, owner) == ("acknowledged", kim.id)
    again = post(client, f"/twilio/voice/page?page={page.id}", call_form())
    assert "This page is over" in again.text


@pytest.mark.parametrize("digits", ["2", ""])
def test_another_key_asks_again(house: House, client: Client, page: Page, digits: str) -> None:
    """It takes nothing and makes nobody climb, so the call asks as it did before."""
    first = post(client, f"/twilio/voice/page?page={page.id}", call_form())
    answer = post(client, f"/twilio/voice/page/key?page={page.id}", call_form(Digits=digits))
    assert answer.text == first.text
    *gathers, last = ET.fromstring(answer.text)
    assert [each.tag for each in gathers] == ["Gather"] * 3
    assert last.text == "If nobody takes it, we call the next person."
    assert house.rows("SELECT status FROM follow_up") == [("open",)]


def test_an_unsigned_call_is_refused(house: House, client: Client, page: Page) -> None:
    """Nobody from outside takes a page."""
    form = call_form(Digits="1")
    path = f"/twilio/voice/page/key?page={page.id}"
    assert post(client, path, form, **{"X-Twilio-Signature": "x"}).status_code == 403
    assert house.rows("SELECT status FROM follow_up") == [("open",)]


@pytest.mark.parametrize(
    ("told", "status", "tried_again"),
    [
        ("ringing", "accepted", False),
        ("completed", "delivered", False),
        ("failed", "failed", False),
        ("no-answer", "planned", True),
    ],
)
def test_how_a_call_went_is_noted(
    house: House, client: Client, page: Page, told: str, status: str, tried_again: bool
) -> None:
    """A phone that rang unheard is rung once more."""
    [(delivery,)] = house.rows("SELECT id FROM page_delivery")
    path = f"/twilio/paging/status?delivery={delivery}"
    assert post(client, path, call_form(CallStatus=told)).status_code == 204
    [(found, next_at)] = house.rows("SELECT status, next_at FROM page_delivery")
    assert (found, next_at is not None) == (status, tried_again)


def test_a_call_that_failed_has_the_next_person_called(
    house: House, client: Client, page: Page
) -> None:
    """No channel reached them, so the climb does not wait."""
    house.rows("SELECT 1")
    with house.services.database.transaction() as session:
        row = session.get(FollowUp, (page.follow_up_id, page.clinic_id))
        assert row is not None
        row.run_at, row.rung, row.climbs_at = NOW, 1, NOW.replace(minute=10)
    [(delivery,)] = house.rows("SELECT id FROM page_delivery")
    post(client, f"/twilio/paging/status?delivery={delivery}", call_form(CallStatus="failed"))
    assert house.rows("SELECT climbs_at FROM follow_up") == [(NOW,)]


def test_calls_by_a_second_account_are_signed_by_it(
    house: House, clinic: Clinic, page: Page
) -> None:
    """Its token opens the pages' addresses and no other."""
    second = {
        "AFTERCARE_PAGE_TWILIO_ACCOUNT_SID": "AC" + "2" * 32,
        "AFTERCARE_PAGE_TWILIO_AUTH_TOKEN": "the carrier's and our secret",
        "AFTERCARE_PAGE_TWILIO_FROM": "+12125550119",
    }
    form = call_form(AccountSid="AC" + "2" * 32)
    with served(house.with_settings(**second)) as client:
        assert post(client, f"/twilio/voice/page?page={page.id}", form).status_code == 200
        assert post(client, "/twilio/voice/patient", form).status_code == 403


def test_a_paging_service_takes_a_page_by_its_signed_word(house: House, page: Page) -> None:
    """And by nothing else: not unsigned, not late, not twice for somebody else."""
    secret = {"AFTERCARE_PAGE_WEBHOOK_SECRET": "shared"}
    body = json.dumps({"page": str(page.id)}).encode()
    now = int(time.time())
    with served(house.with_settings(**secret)) as client:

        def word(signed: str, sent: bytes = body) -> int:
            headers = {SIGNATURE_HEADER: signed}
            return int(client.post("/paging/acknowledge", data=sent, headers=headers).status_code)

        assert word("") == 403
        assert word(signature("other", now, body)) == 403
        assert word(signature("shared", now - 400, body)) == 403
        assert word(signature("shared", now, b"{}"), b"{}") == 400
        assert word(signature("shared", now, body)) == 200
    assert house.rows("SELECT status FROM follow_up") == [("acknowledged",)]


def test_an_empty_secret_signs_no_word_of_a_paging_service(
    house: House, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the secret's file is empty, nobody takes a crisis by a word that anybody can sign."""
    file = tmp_path / "secret"
    file.write_text("")
    monkeypatch.setenv("AFTERCARE_PAGE_WEBHOOK_SECRET_FILE", str(file))
    body = json.dumps({"page": str(page.id)}).encode()
    headers = {SIGNATURE_HEADER: signature("", int(time.time()), body)}
    with served(house.with_settings()) as client:
        assert client.post("/paging/acknowledge", data=body, headers=headers).status_code == 403
    assert house.rows("SELECT status FROM follow_up") == [("open",)]
