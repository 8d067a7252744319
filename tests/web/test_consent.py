"""The consent of a patient who is on record: what staff write down, and what that lets go."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records import patients
from records.base import new_id
from records.clinics import Clinic, Staff
from records.enrollments import ProtocolVersion
from records.patients import Patient
from schedules import loader
from tests.web.house import NOW, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from tests.web.words import words

AGREES = {
    "purpose-visits": "yes",
    "purpose-check_ins": "yes",
    "method": "verbal",
    "sms_risk_ack": "yes",
}
TAKES_BACK = {"purpose-visits": "yes", "purpose-check_ins": "yes", "method": "verbal"}
HILLSIDE = {"number": "+12125550111", "service": "MG" + "2" * 32}


@pytest.fixture
def clinic(house: House) -> Clinic:
    """The clinic with the welcome published, which whoever is new to texts gets."""
    row = house.clinic()
    house.add(
        ProtocolVersion(
            id=new_id(),
            clinic_id=row.id,
            protocol="welcome",
            number=1,
            source=loader.shipped_files()["welcome.yaml"],
            checksum="",
            published_by="test",
        )
    )
    return row


@pytest.fixture
def ana(house: House, clinic: Clinic) -> Patient:
    """A patient who has agreed to nothing yet."""
    return house.patient(clinic, "P-1")


def _address(who: Patient) -> str:
    return f"/patients/{who.id}/consent"


def _seen(client: Client, who: Patient) -> str:
    """Return how much of the ledger the page shows, as its forms say it."""
    page = client.get(_address(who)).text
    return page.partition('name="seen" value="')[2].partition('"')[0]


def _form(client: Client, who: Patient, fields: dict[str, str], **changed: str) -> dict[str, str]:
    """Return a form as the page shows it now, filled in; what is empty is left away."""
    filled = {name: value for name, value in {**fields, **changed}.items() if value}
    seen = _seen(client, who)
    return {"csrf": client.csrf(_address(who)), "seen": seen, **filled}


def _grants(client: Client, who: Patient, **changed: str) -> Any:
    form = _form(client, who, AGREES, **changed)
    return client.post(f"{_address(who)}/grant", data=form)


def _revokes(client: Client, who: Patient, **changed: str) -> Any:
    form = _form(client, who, TAKES_BACK, **changed)
    return client.post(f"{_address(who)}/revoke", data=form)


def _purposes(house: House) -> list[str]:
    [(found,)] = house.rows("SELECT purposes FROM patient")
    return sorted(found)


def _stop(house: House, who: Patient, reason: str) -> None:
    with house.services.database.transaction() as session:
        patients.opt_out(
            session,
            clinic_id=who.clinic_id,
            blind=who.phone_blind,
            reason=reason,
            occurred_at=NOW - timedelta(hours=1),
        )


def _do(house: House, statement: str, **given: Any) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement), given)


def test_whoever_agrees_later_is_welcomed_and_the_ledger_has_all_of_it(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """To what, how, when, by which wording, that the risk is known, and who wrote it down."""
    answer = _grants(client, ana, at="2026-11-23T09:30")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/{ana.id}/texts")
    assert house.rows(
        "SELECT action, method, wording_version, risk_acknowledged, purposes, actor, occurred_at"
        " FROM consent"
    ) == [
        (
            "grant",
            "verbal",
            "texts-1.en",
            True,
            ["visits", "check_ins"],
            f"staff:{kim.id}",
            NOW - timedelta(minutes=30),
        )
    ]
    assert house.rows("SELECT protocol FROM enrollment") == [("welcome",)]
    page = words(client.get(answer.headers["location"]).text)
    assert "Noted. This is what they are texted now." in page
    assert "Agreed to check-ins, visits" in page
    [(row, sealed)] = house.rows(
        "SELECT id, details FROM audit_event WHERE action = 'consent.granted'"
    )
    details = json.loads(house.services.vault.open("audit_event", "details", row, sealed))
    assert (details["wording_version"], details["risk_acknowledged"]) == ("texts-1.en", True)


def test_a_form_of_their_own_is_what_the_ledger_names(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Not the shipped wording, which they were not shown."""
    _grants(client, ana, consent_version=" intake-2026 ")

    assert house.rows("SELECT wording_version FROM consent") == [("intake-2026",)]


def test_what_a_patient_takes_back_on_the_phone_is_sent_no_more(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """At once: also what a worker has claimed is judged anew; the rest of the consent stays."""
    _grants(client, ana)
    claimed = house.message(ana, status="claimed", claim_token=new_id(), submitted_at=None)
    answer = _revokes(client, ana, **{"purpose-visits": ""})

    assert (answer.status_code, answer.headers["location"]) == (303, _address(ana))
    assert _purposes(house) == ["visits"]
    assert house.rows("SELECT id, status FROM message") == [(claimed.id, "planned")]
    page = words(client.get(_address(ana)).text)
    assert "Noted. Nothing of that is sent any more." in page
    assert "Took back check-ins Said so, here or on the phone. Recorded by kim@clinic.test" in page


def test_who_has_agreed_to_nothing_has_nothing_to_take_back(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    page = words(client.get(_address(ana)).text)

    assert "They take it back" not in page
    assert "No consent on record: nothing is texted" in page
    assert "Nothing yet." in page


def test_a_consent_lifts_no_stop_unless_they_said_that_they_want_texts_again(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """The field for that is there only where there is a stop, and empty."""
    assert "the stop is taken back" not in client.get(_address(ana)).text
    _stop(house, ana, "words")
    assert "They told me that they want texts again" in client.get(_address(ana)).text

    _grants(client, ana)
    assert house.count("opt_out", "lifted_at IS NULL") == 1
    answer = _grants(client, ana, lift_stop="words")
    assert answer.status_code == 303
    assert house.count("opt_out", "lifted_at IS NULL") == 0
    assert house.count("audit_event", "action = 'stop.lifted'") == 1


def test_whose_number_was_called_wrong_says_that_it_is_theirs(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """One field says both; the number is proved anew, by a welcome."""
    _do(house, "UPDATE patient SET proved_at = :at", at=NOW - timedelta(days=9))
    _stop(house, ana, "wrong_number")
    assert "They told me that this number is theirs" in client.get(_address(ana)).text

    # A page from before somebody there called it wrong said nothing of whose it is.
    assert _grants(client, ana, lift_stop="words").status_code == 409
    assert _grants(client, ana, lift_stop="wrong_number").status_code == 303
    assert house.count("opt_out", "lifted_at IS NULL") == 0
    assert house.count("patient", "proved_at IS NULL") == 1
    assert house.rows("SELECT protocol FROM enrollment") == [("welcome",)]


def test_a_stop_that_the_carrier_holds_is_for_their_own_start(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Nothing is written, and the page says what they have to text."""
    _stop(house, ana, "carrier_21610")
    answer = _grants(client, ana, lift_stop="carrier_21610")

    assert answer.status_code == 409
    assert "Nothing is saved yet The carrier refuses this number: ask them to text START" in words(
        answer.text
    )
    assert house.count("consent") == 0


@pytest.mark.parametrize("reason", ["deceased", "suspended_deactivated"])
def test_what_no_word_to_staff_takes_back_has_no_field(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient, reason: str
) -> None:
    """A number of the dead rests; one out of service is proved by the consent itself."""
    _stop(house, ana, reason)

    assert 'name="lift_stop"' not in client.get(_address(ana)).text


def test_a_number_out_of_service_is_proved_by_what_they_agree_to_after_that(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Not by what they had agreed to before, written down late."""
    _stop(house, ana, "suspended_deactivated")
    _grants(client, ana, at="2026-11-23T08:00")
    assert house.count("opt_out", "lifted_at IS NULL") == 1
    _grants(client, ana)
    assert house.count("opt_out", "lifted_at IS NULL") == 0


def test_a_second_press_writes_nothing_more(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Two at once, and one after the way back; what was recorded meanwhile is shown."""
    form = _form(client, ana, AGREES)
    with ThreadPoolExecutor(2) as both:
        answers = list(
            both.map(lambda _: client.post(f"{_address(ana)}/grant", data=form), range(2))
        )
    answers.append(client.post(f"{_address(ana)}/grant", data=form))

    assert sorted(each.status_code for each in answers) == [303, 409, 409]
    assert "Something was recorded while this page was open" in answers[-1].text
    assert house.count("consent") == 1


def test_a_stop_that_came_meanwhile_is_seen_before_it_is_written_over(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Their own text says the last word, and the page shows whose it was."""
    _grants(client, ana)
    form = _form(client, ana, AGREES)
    with house.services.database.transaction() as session:
        said = house.inbound(clinic.id, "stop", ana)
        patients.record_consent(
            session,
            session.merge(ana),
            action="revoke",
            purposes=["visits", "check_ins"],
            method="keyword",
            actor="patient",
            occurred_at=NOW,
            inbound_id=said.id,
        )
    answer = client.post(f"{_address(ana)}/grant", data=form)

    assert answer.status_code == 409
    assert "Took back visits, check-ins Keyword. By their own text" in words(answer.text)
    assert house.count("consent", "action = 'grant'") == 1


def test_what_is_older_than_what_they_took_back_counts_no_more(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """A form signed on Friday, a call on Saturday that ended it, written down on Monday."""
    _grants(client, ana)
    _revokes(client, ana)
    late = _grants(client, ana, at="2026-11-23T09:00")

    assert late.status_code == 409
    assert "They took it back after that." in words(late.text)
    assert _purposes(house) == []


def test_who_has_to_be_told_that_texts_are_not_private_is_told_first(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Where the clinic's file says so; once it is on record, it is not asked for again."""
    with house.services.database.transaction() as session:
        row = session.merge(clinic)
        row.settings = {**row.settings, "require_sms_risk_ack": True}
    assert "want them all the same (needed)" in client.get(_address(ana)).text

    refused = _grants(client, ana, sms_risk_ack="")
    assert refused.status_code == 409
    assert "texts nobody who was not told that texts are not private" in words(refused.text)
    assert _grants(client, ana).status_code == 303
    assert _grants(client, ana, sms_risk_ack="").status_code == 303


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"purpose-visits": "", "purpose-check_ins": ""}, "Tick what it is about."),
        ({"purpose-marketing": "yes"}, '"marketing" is no purpose.'),
        ({"method": ""}, "Say how they said so."),
        ({"method": "by a nod"}, "Say how they said so."),
        ({"at": "2026-11-23T10:01"}, "That time lies in the future."),
        ({"at": "soon"}, "That is no time. Leave it empty if they agreed just now."),
        ({"consent_version": "a\0b"}, "Form of your own: it has a line break or a control"),
        ({"lift_stop": "yes"}, "There is no stop to lift."),
        ({"seen": ""}, "Something was recorded while this page was open"),
    ],
    ids=lambda each: "+".join(each) if isinstance(each, dict) else "",
)
def test_what_can_not_be_is_refused_with_the_mend_and_comes_back_as_it_was(
    house: House,
    client: Client,
    clinic: Clinic,
    kim: Staff,
    ana: Patient,
    changed: dict[str, str],
    said: str,
) -> None:
    form = {**_form(client, ana, AGREES), "consent_version": "intake-7", **changed}
    answer = client.post(f"{_address(ana)}/grant", data=form)

    assert answer.status_code == 409
    assert said in words(answer.text)
    assert 'id="grant-sms_risk_ack" name="sms_risk_ack" value="yes" checked' in answer.text
    assert ('value="intake-7"' in answer.text) is ("consent_version" not in changed)
    assert house.count("consent") == 0


def test_a_revocation_that_names_nothing_is_refused(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    _grants(client, ana)
    answer = _revokes(client, ana, **{"purpose-visits": "", "purpose-check_ins": ""})

    assert answer.status_code == 409
    assert "Tick what it is about." in words(answer.text)
    assert _purposes(house) == ["check_ins", "visits"]


def test_a_closed_record_agrees_to_nothing(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """There is no form for it, and a page that was open before is refused."""
    form = _form(client, ana, AGREES)
    _do(house, "UPDATE patient SET status = 'closed'")

    assert "Save what they agree to" not in client.get(_address(ana)).text
    answer = client.post(f"{_address(ana)}/grant", data=form)
    assert "record is closed" in words(answer.text)
    assert house.count("consent") == 0


def test_viewers_see_the_ledger_and_write_nothing(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    _grants(client, ana)
    form = _form(client, ana, TAKES_BACK)
    _do(house, "UPDATE staff SET role = 'viewer'")

    page = client.get(_address(ana)).text
    assert "Agreed to visits, check-ins" in words(page)
    assert "<button>Save" not in page
    assert "Write it down" not in page
    for action in ("grant", "revoke"):
        assert client.post(f"{_address(ana)}/{action}", data=form).status_code == 403
    assert house.count("consent") == 1


def test_nobody_writes_for_a_patient_of_another_clinic(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    """Nor learns that there is one."""
    form = _form(client, ana, AGREES)
    other = house.patient(house.clinic("hillside", **HILLSIDE), "P-1")

    assert client.get(_address(other)).status_code == 404
    for action in ("grant", "revoke"):
        assert client.post(f"{_address(other)}/{action}", data=form).status_code == 404
    assert house.count("consent") == 0


def test_a_form_of_another_page_is_not_taken(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    form = {**_form(client, ana, AGREES), "csrf": "forged"}

    assert client.post(f"{_address(ana)}/grant", data=form).status_code == 403
    assert house.count("consent") == 0


def test_who_looked_at_the_ledger_is_recorded(
    house: House, client: Client, clinic: Clinic, kim: Staff, ana: Patient
) -> None:
    client.get(_address(ana))

    assert house.rows("SELECT actor FROM audit_event WHERE action = 'consent.viewed'") == [
        (f"staff:{kim.id}",)
    ]


@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("desk", 1280, 900)])
def test_a_call_that_ends_texts_and_one_that_brings_them_back(
    house: House,
    client: Client,
    clinic: Clinic,
    ana: Patient,
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
    height: int,
) -> None:
    """From the patient's page, by keyboard and thumb, without a command."""
    house.staff(clinic)
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-consent-0.png")
        page.goto(f"{client.base}/patients/{ana.id}")
        page.get_by_role("link", name="Consent").click()
        page.get_by_role("heading", name="What Ana agreed to").wait_for()
        shot(page, shots / f"{name}-consent-1-none.png")
        page.get_by_label("Visits").check()
        page.get_by_role("button", name="Save what they agree to").click()
        assert "Say how they said so." in page.get_by_role("alert").inner_text()
        assert page.get_by_label("Visits").is_checked()
        shot(page, shots / f"{name}-consent-2-refused.png")
        page.get_by_label("Signed on paper").check()
        page.get_by_role("button", name="Save what they agree to").click()
        page.get_by_role("heading", name="What Ana will be texted").wait_for()
        page.get_by_role("link", name="Consent").click()
        page.get_by_role("button", name="Save that they take it back").click()
        assert page.get_by_role("status").inner_text().startswith("Noted. Nothing of that")
        assert page.get_by_role("button", name="Save that they take it back").count() == 0
        shot(page, shots / f"{name}-consent-3-taken-back.png")
    assert _purposes(house) == []
