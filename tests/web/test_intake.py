"""Intake in one form (care rule 26): what it writes, what it refuses, and what will be texted."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records import patients
from records.base import new_id
from records.clinics import Clinic, Staff
from records.enrollments import ProtocolVersion
from records.patients import Patient
from schedules import loader
from tests.web.house import NOW, PASSWORD, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from tests.web.words import words
from worker.steps import people

PHONE = "+12125550131"
FILLED = {
    "patient_id": "P-77",
    "first_name": "Inés",
    "phone": "(212) 555-0131",
    "language": "es",
    "interpreter": "yes",
    "timezone": "America/Chicago",
    "safe_from": "10:00",
    "safe_until": "18:00",
    "check_in_time": "17:30",
    "phone_shared": "yes",
    "shared_opt_in": "yes",
    "voicemail_ok": "no",
    "emergency_contact": "Rosa (sister), 212-555-0132",
    "care_team": "Team North",
    "other_substances": "kava",
    "quit_date": "2026-12-01",
    "consent_method": "paper",
    "consented_at": "2026-11-23T09:30",
    "purpose-visits": "yes",
    "purpose-check_ins": "yes",
    "sms_risk_ack": "yes",
    "follows-daily-check-in": "yes",
}
# The same patient as a file has her.
FILE = (
    "patient_id,clinic,first_name,phone,language,interpreter,timezone,safe_hours,check_in_time,"
    "phone_shared,shared_opt_in,voicemail_ok,emergency_contact,care_team,substances,quit_date,"
    "consent_method,consented_at,consent_purposes,consent_version,sms_risk_ack\n"
    "P-77,hillside,Inés,212-555-0131,es,yes,America/Chicago,10:00-18:00,17:30,yes,yes,no,"
    '"Rosa (sister), 212-555-0132",Team North,kava,2026-12-01,paper,2026-11-23T09:30,'
    "visits;check_ins,texts-1.es,yes\n"
)
HILLSIDE = {"number": "+12125550111", "service": "MG" + "2" * 32}


@pytest.fixture
def clinic(house: House) -> Clinic:
    """The clinic with its protocols published, the daily check-in among them."""
    return _with_protocols(house, house.clinic())


def _with_protocols(house: House, clinic: Clinic) -> Clinic:
    for name, source in loader.shipped_files().items():
        house.add(
            ProtocolVersion(
                id=new_id(),
                clinic_id=clinic.id,
                protocol=name.removesuffix(".yaml"),
                number=1,
                source=source,
                checksum="",
                published_by="test",
            )
        )
    with house.services.database.transaction() as session:
        row = session.merge(clinic)
        row.settings = {**row.settings, "protocols": ["dosing-visit", "daily-check-in"]}
    return row


def _send(client: Client, **changed: str) -> Any:
    """Fill in the form and send it; a value of nothing leaves the field away."""
    data = {name: value for name, value in {**FILLED, **changed}.items() if value is not None}
    return client.post("/patients/new", data={"csrf": client.csrf("/patients/new"), **data})


def _refused(client: Client, **changed: str) -> str:
    """Send a form that is refused; return the words of its page."""
    answer = _send(client, **changed)
    assert answer.status_code == 422, answer.text
    return words(answer.text)


def _do(house: House, statement: str, **values: Any) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement), values)


def _inside(house: House, patient: Patient) -> dict[str, Any]:
    """Return all that is kept of a patient, save what tells one row from another."""
    vault = house.services.vault
    return {
        "name": patients.opened(vault, patient, "first_name"),
        "phone": patients.opened(vault, patient, "phone"),
        "profile": patients.profile(vault, patient),
        **{
            name: getattr(patient, name)
            for name in (
                *("language", "timezone", "check_in_time", "safe_from", "safe_until"),
                *("phone_shared", "status", "purposes", "proved_at", "number_since"),
            )
        },
    }


def _patient(house: House, clinic: Clinic, external_id: str = "P-77") -> Patient:
    with house.services.database.transaction() as session:
        [found] = patients.find(session, house.services.vault, external_id, clinic.id)
        return found


def test_care_rule_26_one_form_holds_all_of_an_intake(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Who, how to text, the consent with its wording, and what they follow."""
    answer = _send(client)

    ines = _patient(house, clinic)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/{ines.id}/texts")
    kept = _inside(house, ines)
    assert (kept["name"], kept["phone"], kept["language"]) == ("Inés", PHONE, "es")
    assert (kept["timezone"], kept["phone_shared"]) == ("America/Chicago", True)
    assert f"{kept['safe_from']}-{kept['safe_until']}" == "10:00:00-18:00:00"
    assert f"{kept['check_in_time']}" == "17:30:00"
    assert kept["profile"] == {
        "sms_risk_ack": True,
        "voicemail_ok": False,
        "interpreter": True,
        "shared_opt_in": True,
        "quit_date": "2026-12-01",
        "emergency_contact": "Rosa (sister), 212-555-0132",
        "care_team": "Team North",
        "substances": ["kava"],
    }
    assert house.rows("SELECT protocol FROM enrollment ORDER BY protocol") == [
        ("daily-check-in",),
        ("welcome",),
    ]


def test_care_rule_26_the_ledger_has_wording_method_purposes_and_the_risk(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """In the language that the patient reads, in the name of whoever took them in."""
    _send(client)

    assert house.rows(
        "SELECT action, method, wording_version, risk_acknowledged, purposes, actor, occurred_at"
        " FROM consent"
    ) == [
        (
            "grant",
            "paper",
            "texts-1.es",
            True,
            ["check_ins", "visits"],
            f"staff:{kim.id}",
            NOW - timedelta(minutes=30),
        )
    ]
    [(row, sealed)] = house.rows(
        "SELECT id, details FROM audit_event WHERE action = 'patient.taken_in'"
    )
    details = json.loads(house.services.vault.open("audit_event", "details", row, sealed))
    assert (details["wording"], details["protocols"]) == ("texts-1.es", ["daily-check-in"])


def test_care_rule_26_form_and_file_give_one_result(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Row, profile, ledger and welcome are the same; only whose word it is differs."""
    hillside = _with_protocols(house, house.clinic("hillside", **HILLSIDE))
    _send(client, **{"follows-daily-check-in": ""})
    people.import_patients(house.services, FILE.encode(), actor="desk", strict=True)

    by_form, by_file = _patient(house, clinic), _patient(house, hillside)
    assert _inside(house, by_form) == _inside(house, by_file)
    same = "SELECT count(DISTINCT ({})) FROM {} WHERE clinic_id IS NOT NULL"
    columns = "action, method, wording_version, risk_acknowledged, purposes, occurred_at"
    assert house.rows(same.format(columns, "consent")) == [(1,)]
    assert house.rows(same.format("protocol, anchor_day, status", "enrollment")) == [(1,)]
    assert house.count("patient_token", f"patient_id = '{by_form.id}'") == house.count(
        "patient_token", f"patient_id = '{by_file.id}'"
    )


def test_care_rule_25_what_was_typed_wins_over_a_file_that_says_otherwise(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """It is staff's word: a nightly file changes nothing of it, and the conflict is told."""
    _send(client)
    file = FILE.replace("hillside", "riverside").replace("America/Chicago", "America/Denver")
    report = people.import_patients(house.services, file.encode(), actor="desk")

    assert [each.column for each in report.conflicts] == ["timezone"]
    assert _patient(house, clinic).timezone == "America/Chicago"


def test_a_form_sent_twice_makes_one_patient(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Two presses at once, and one more after the way back: all lead to the same page."""
    data = {"csrf": client.csrf("/patients/new"), **FILLED}
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda _: client.post("/patients/new", data=data), range(2)))
    answers.append(client.post("/patients/new", data=data))

    assert {each.headers["location"] for each in answers} == {
        f"/patients/{_patient(house, clinic).id}/texts"
    }
    assert house.count("patient") == house.count("consent") == 1
    assert house.count("audit_event", "action = 'patient.taken_in'") == 1


def test_an_id_that_is_taken_is_refused_with_the_way_to_who_has_it(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Nothing of theirs is changed, and nothing that was typed is lost."""
    there = house.patient(clinic, "P-77")
    answer = _send(client)

    assert answer.status_code == 422
    assert f'<a href="/patients/{there.id}">Open this patient</a>' in answer.text
    assert "a patient of the clinic has this id already" in answer.text
    assert _inside(house, _patient(house, clinic)) == _inside(house, there)
    assert house.count("consent") == 0


def test_an_id_of_another_clinic_is_free(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Nobody learns of the other patient, and a clinic in the form counts for nothing."""
    hillside = house.clinic("hillside", **HILLSIDE)
    other = house.patient(hillside, "P-77")
    assert _send(client, clinic="hillside").status_code == 303

    assert house.rows("SELECT clinic_id FROM patient WHERE purposes <> '{}'") == [(clinic.id,)]
    assert client.get(f"/patients/{other.id}/texts").status_code == 404
    data = {"csrf": client.csrf("/patients/new")}
    assert client.post(f"/patients/{other.id}/text-seen", data=data).status_code == 404


def test_an_empty_form_names_each_field_that_is_needed(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """At the top with a link to it, and at the field itself."""
    answer = client.post("/patients/new", data={"csrf": client.csrf("/patients/new")})

    assert answer.status_code == 422
    for field, label in (
        ("patient_id", "Patient id"),
        ("first_name", "First name"),
        ("phone", "Mobile number"),
    ):
        assert f'<a href="#{field}">{label}</a>: fill it in.' in answer.text
        assert re.search(rf'id="{field}"[^>]* aria-describedby="[^"]*wrong-{field}"', answer.text)
        assert f'id="wrong-{field}"' in answer.text
    assert "say how they agreed, or that they have not yet" in answer.text
    assert house.count("patient") == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"first_name": "An\0a"}, "First name : it has a line break or a control character"),
        ({"first_name": "x" * 300}, "First name : it is longer than 200 letters; shorten it"),
        ({"patient_id": "1001.0"}, "Patient id : write it as your record system has it"),
        ({"patient_id": "x\0"}, "Patient id : it has a line break or a control character"),
        (
            {"phone": "555-0131"},
            "Mobile number : not a usable phone number: the area code is missing; write all ten",
        ),
        ({"phone": "212-555-0131 ext. 4"}, "it has letters in it"),
        ({"phone": "+1 999 999 9999"}, "no such number is in use"),
        ({"language": "fr"}, 'Language of texts : "fr" is not known here'),
        ({"timezone": "EST"}, 'Time zone : "EST" is no time zone; did you mean "America/New_York"'),
        ({"timezone": "Mars/Base"}, '"Mars/Base" is no time zone; write a name such as'),
        ({"safe_from": "25:00"}, 'Safe hours : "25:00" is not a time of day'),
        ({"safe_until": ""}, "Safe hours : give both hours, or leave both empty"),
        ({"safe_from": "19:00"}, "ends before it starts; write each as 09:00"),
        ({"check_in_time": "half five"}, "Hour for check-ins : write the time as 17:00"),
        ({"voicemail_ok": "perhaps"}, "Voicemail : write yes or no"),
        ({"quit_date": "12/1/2026"}, "Day on which they stop : write the day as 2026-12-01"),
        ({"other_substances": "x" * 201}, "Treated for : it is longer than 200 letters"),
        ({"consent_method": "by a nod"}, "say how they agreed, or that they have not yet"),
        ({"consented_at": ""}, "When they agreed : say when they agreed"),
        ({"consented_at": "2026-11-24T09:00"}, "it lies in the future; give the day and hour"),
        ({"consented_at": "soon"}, "When they agreed : write the time as 2026-12-01T09:00"),
        ({"purpose-visits": "", "purpose-check_ins": ""}, "tick what they agreed to"),
        ({"consent_method": "not_yet"}, "they have not agreed yet as it stands above"),
        ({"purpose-marketing": "yes"}, '"marketing" is not known here'),
        ({"follows-nothing": "yes"}, 'Protocols : The clinic has no protocol "nothing"'),
        ({"follows-dosing-visit": "yes"}, "dosing-visit enrolls visits by itself"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_what_can_not_be_is_refused_with_the_mend(
    house: House, client: Client, clinic: Clinic, kim: Staff, changed: dict[str, str], said: str
) -> None:
    """By the file's own checks, in words that fit a form; nothing is written."""
    assert said in _refused(client, **changed)
    assert house.count("patient") == house.count("enrollment") == 0


def test_what_was_filled_in_comes_back(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Every field of a refused form, ticks and choices too."""
    answer = _send(client, timezone='"><b>', **{"substance-nicotine": "yes"})

    page = answer.text
    for name in ("patient_id", "first_name", "phone", "safe_from", "safe_until", "consented_at"):
        assert f'name="{name}" value="{FILLED[name]}"' in page
    assert 'name="timezone" value="&#34;&gt;&lt;b&gt;"' in page
    assert '<option value="es" selected>' in page
    assert '<option value="no" selected>' in page
    ticked = set(re.findall(r'id="([^"]+)" name="[^"]+" value="[^"]+" checked', page))
    assert ticked == {
        *("interpreter", "phone_shared", "shared_opt_in", "method-paper", "sms_risk_ack"),
        *("purpose-visits", "purpose-check_ins", "follows-daily-check-in", "substance-nicotine"),
    }


def test_an_id_that_differs_by_zeros_is_asked_about(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """It may be the same person, whose zeros a spreadsheet dropped."""
    house.patient(clinic, "0077")
    assert "differs by zeros in front" in _refused(client, patient_id="77")


def test_care_rule_26_without_consent_a_patient_is_kept_and_nothing_is_texted(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """As a line of a file without one: no ledger entry, no welcome, and the page says so."""
    answer = _send(
        client,
        consent_method="not_yet",
        **{"purpose-visits": "", "purpose-check_ins": "", "follows-daily-check-in": ""},
    )

    assert house.rows("SELECT purposes FROM patient") == [([],)]
    assert house.count("consent") == house.count("enrollment") == 0
    page = words(client.get(answer.headers["location"]).text)
    assert "No consent on record: nothing is texted" in page
    assert "No texts in these days" in page


def test_a_clinic_that_requires_the_warning_takes_no_consent_without(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """It is said before anything is saved; a file's would stay pending."""
    with house.services.database.transaction() as session:
        row = session.merge(clinic)
        row.settings = {**row.settings, "require_sms_risk_ack": True}
        row.version += 1

    assert "texts nobody who was not told" in _refused(client, sms_risk_ack="")
    assert _send(client).status_code == 303


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("keyword", "This number has stopped texts, and the stop stays"),
        ("carrier_21610", "This number has stopped texts, and the stop stays"),
        ("wrong_number", "Once you have checked with the patient that it is theirs"),
        ("suspended_deactivated", "This number is out of service"),
        ("deceased", "A patient of this number died: nothing is texted there"),
    ],
)
def test_a_number_that_is_stopped_stays_so(
    house: House, client: Client, clinic: Clinic, kim: Staff, reason: str, said: str
) -> None:
    """The patient is kept, the consent is not, and the page says what would end it."""
    blind = patients.phone_blind(house.services.vault, PHONE)
    with house.services.database.transaction() as session:
        patients.opt_out(session, clinic_id=clinic.id, blind=blind, reason=reason, occurred_at=NOW)
    shown = client.get(_send(client).headers["location"]).text
    page = words(shown)

    assert said in page
    assert "Goes" not in page
    assert (">Write it down</a>" in shown) is (reason != "deceased")
    assert house.count("consent") == 0
    assert house.count("opt_out", "lifted_at IS NULL") == 1


def test_care_rule_22_a_number_that_another_patient_has_waits_for_staff(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """The second on a number is texted nothing by itself, and the page does not name the first."""
    house.patient(clinic, "P-1", first_name="Benjamin", phone=PHONE)
    _do(house, "UPDATE patient SET number_since = :before", before=NOW - timedelta(days=9))
    page = words(client.get(_send(client).headers["location"]).text)

    assert "Another patient had this number first" in page
    assert "until you say how this one is reached" in page
    assert "Benjamin" not in page
    assert "Goes" not in page


def test_care_rule_26_the_first_two_weeks_show_what_goes_and_what_waits(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """The words themselves, by the patient's clock; questions wait until the number is proved."""
    page = words(client.get(_send(client).headers["location"]).text)

    assert "What Inés will be texted" in page
    # Ten at the clinic is nine where she is, and her own hours begin at ten.
    assert "today at 10 AM Riverside Care: " in page
    assert "welcome: welcome Goes" in page
    assert "today at 5:30 PM Riverside Care: " in page
    assert page.count("Waits until the number is proved") == 14
    assert "The number is not proved yet" in page
    assert "I saw our text" not in page
    assert house.count("audit_event", "action = 'preview.shown'") == 1
    assert house.count("message") == 0


def _welcomed(house: House, who: UUID) -> None:
    """Have the welcome at the carrier, as the send step leaves it."""
    with house.services.database.transaction() as session:
        person = patients.by_id(session, who)
    house.message(
        person,
        protocol="welcome",
        step="welcome",
        template="welcome",
        tells_stop=True,
        recipient_blind=person.phone_blind,
        submitted_at=NOW,
    )


def test_care_rule_26_staff_who_saw_the_text_prove_the_number_in_the_console(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Once a welcome went; it is kept who said so, and what waited goes."""
    address = _send(client).headers["location"]
    who = _patient(house, clinic).id
    form = {"csrf": client.csrf(address)}
    client.post(f"/patients/{who}/text-seen", data=form)
    assert "No welcome has gone to this number yet" in client.get(address).text
    assert house.count("patient", "proved_at IS NOT NULL") == 0

    _welcomed(house, who)
    assert "I saw our text on their phone" in client.get(address).text
    answer = client.post(f"/patients/{who}/text-seen", data=form)

    assert answer.headers["location"] == address
    page = words(client.get(address).text)
    assert "Noted: the number is proved" in page
    assert "Waits until" not in page
    assert "I saw our text" not in page
    assert house.rows(
        "SELECT actor, subject FROM audit_event WHERE action = 'patient.text_seen'"
    ) == [(f"staff:{kim.id}", f"patient:{who}")]


def test_the_consent_is_shown_word_for_word_in_both_languages(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """In the clinic's name, with its number and cap; the version stands beside it."""
    page = words(client.get("/patients/new").text)

    assert "Riverside Care would like to text you on your phone" in page
    assert "Riverside Care quisiera enviarle mensajes" in page
    assert "up to 2 texts a day" in page
    assert "call 212-555-0100" in page
    assert "texts-1.en" in page
    assert "texts-1.es" in page


def test_a_form_of_the_clinics_own_is_named_in_its_place(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """What was signed was not our wording."""
    _send(client, consent_version="House form 3")
    assert house.rows("SELECT wording_version FROM consent") == [("House form 3",)]


@pytest.mark.parametrize("role", ["coordinator", "clinician", "admin"])
def test_whoever_may_act_may_take_patients_in(
    house: House, client: Client, clinic: Clinic, role: str
) -> None:
    """The way leads there from every page, and from a search that found nobody."""
    house.staff(clinic, "ann@clinic.test", role)
    client.sign_in("ann@clinic.test", PASSWORD)
    assert 'href="/patients/new">New patient' in client.get("/").text
    found = client.post("/search", data={"csrf": client.csrf(), "typed": "nobody"})
    assert "Take in a new patient" in client.get(found.headers["location"]).text
    assert _send(client).status_code == 303


def test_a_viewer_takes_nobody_in(house: House, client: Client, clinic: Clinic) -> None:
    """Nor does their word prove a number; the texts ahead they may read."""
    house.staff(clinic, "vic@clinic.test", "viewer")
    client.sign_in("vic@clinic.test", PASSWORD)
    assert "New patient" not in client.get("/").text
    assert client.get("/patients/new").status_code == 403
    answer = client.post("/patients/new", data={"csrf": client.csrf(), **FILLED})
    assert (answer.status_code, "A viewer can look" in answer.text) == (403, True)
    assert house.count("patient") == 0
    who = house.patient(clinic)
    _welcomed(house, who.id)
    page = client.get(f"/patients/{who.id}/texts")
    assert (page.status_code, "I saw our text" in page.text) == (200, False)
    client.post(f"/patients/{who.id}/text-seen", data={"csrf": client.csrf()})
    assert house.count("patient", "proved_at IS NOT NULL") == 0


def test_a_form_without_its_token_saves_nothing_and_loses_nothing(
    house: House, client: Client, clinic: Clinic, kim: Staff
) -> None:
    """Nor one of somebody who was signed out meanwhile: the words are there to be copied."""
    answer = client.post("/patients/new", data=FILLED)
    assert (answer.status_code, "This form is too old" in answer.text) == (403, True)
    assert FILLED["emergency_contact"] in unescape(answer.text)
    data = {"csrf": client.csrf("/patients/new"), **FILLED}
    _do(house, "UPDATE staff SET session_epoch = session_epoch + 1")
    answer = client.post("/patients/new", data=data)
    assert (answer.status_code, FILLED["phone"] in answer.text) == (403, True)
    assert 'href="/sign-in?to=/patients/new"' in answer.text
    assert house.count("patient") == 0


def test_nothing_that_names_the_patient_is_logged_or_in_an_address(
    house: House, client: Client, clinic: Clinic, kim: Staff, logged: list[Any]
) -> None:
    """Refused or saved: logs and addresses have internal ids alone."""
    _refused(client, timezone="nowhere")
    address = _send(client).headers["location"]
    client.get(address)
    told = json.dumps(logged, default=str) + address
    for word in ("Inés", "In\\u00e9s", "P-77", "2125550131", "555-0131", "Rosa"):
        assert word not in told


@pytest.mark.parametrize(("name", "width"), [("phone", 390), ("desk", 1280)])
def test_a_coordinator_takes_a_patient_in_without_a_script(
    house: House,
    client: Client,
    clinic: Clinic,
    kim: Staff,
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
) -> None:
    """From the list to the form, once refused, then to the texts; on a phone and at a desk."""
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    size = {"width": width, "height": 844}
    with browser.new_context(viewport=size, java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-intake-sign-in.png")
        page.get_by_role("navigation").get_by_role("link", name="New patient").click()
        shot(page, shots / f"{name}-intake-empty.png")
        page.get_by_label("Patient id").fill("P-77")
        page.get_by_label("First name").fill("Inés")
        page.get_by_label("Mobile number").fill("212-555-01")
        page.get_by_label("Language of texts").select_option("es")
        page.get_by_label("nicotine").check()
        page.get_by_label("Signed on paper").check()
        page.get_by_role("button", name="Save").click()
        assert page.get_by_role("alert").get_by_role("listitem").count() == 2
        shot(page, shots / f"{name}-intake-refused.png")
        page.get_by_role("alert").get_by_role("link", name="Mobile number").click()
        page.get_by_label("Mobile number").fill("212-555-0131")
        assert page.get_by_label("Signed on paper").is_checked()
        page.get_by_label("Visits").check()
        page.get_by_label("Check-ins", exact=True).check()
        page.get_by_label("They know that texts are not private").check()
        page.get_by_label("Daily check-in").check()
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", name="What Inés will be texted").wait_for()
        shot(page, shots / f"{name}-intake-texts.png")
        _welcomed(house, _patient(house, clinic).id)
        page.reload()
        page.get_by_role("button", name="I saw our text").click()
        assert "the number is proved" in page.get_by_role("status").inner_text()
        shot(page, shots / f"{name}-intake-proved.png")
