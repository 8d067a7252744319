"""The visits board: what is ready, what happened, and whose word it takes (care rule 27)."""

import os
import re
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records.appointments import Appointment
from records.base import new_id
from records.checkins import CheckIn
from records.clinics import Clinic, Staff
from records.enrollments import Enrollment
from records.patients import Patient
from tests.web.house import NOW, PASSWORD, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from worker.steps import followup_actions as actions

# Ten in the morning at the clinic.
NOON, TOMORROW = NOW + timedelta(hours=2), NOW + timedelta(hours=24)


@pytest.fixture
def ana(house: House, clinic: Clinic, kim: Staff) -> Patient:
    return house.patient(clinic)


def _visit(house: House, who: Patient, starts_at: datetime, **values: Any) -> Appointment:
    row_id = new_id()
    given: dict[str, Any] = {"kind": "dosing", "route": "iv", "status": "booked", **values}
    row: Appointment = house.add(
        Appointment(
            id=row_id,
            clinic_id=who.clinic_id,
            patient_id=who.id,
            external_id=f"V-{row_id.hex[-6:]}",
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=2),
            details=house.services.vault.seal("appointment", "details", row_id, "{}"),
            booked_at=NOW - timedelta(days=9),
            **given,
        )
    )
    return row


def _texted(
    house: House, who: Patient, visit: Appointment, template: str, answer: str = "", **more: Any
) -> None:
    """Have a text about a visit's start on record, with its answer if it had one."""
    about = {"appointment_id": visit.id, "anchor_at": visit.starts_at, "template": template}
    row = house.message(who, **{**about, **more})
    if answer:
        house.add(
            CheckIn(
                id=new_id(),
                clinic_id=who.clinic_id,
                patient_id=who.id,
                message_id=row.id,
                item=template,
                context="yes_no",
                status="answered",
                value_text=answer,
                asked_at=NOW - timedelta(hours=3),
                ends_at=NOW,
            )
        )


def _board(client: Client) -> str:
    """Return the words of the board, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", client.get("/visits").text)).split())


def _press(client: Client, visit_id: UUID, what: str, seen: str) -> Any:
    data = {"csrf": client.csrf("/visits"), "what": what, "seen": seen}
    return client.post(f"/visits/{visit_id}/event", data=data)


def test_the_board_has_todays_and_tomorrows_visits(
    house: House, client: Client, ana: Patient
) -> None:
    """By the clinic's calendar; it is recorded that somebody saw them."""
    _visit(house, ana, NOON)
    _visit(house, ana, TOMORROW, kind="integration", route=None)
    _visit(house, ana, NOW + timedelta(days=2), kind="assessment", route=None)
    words = _board(client)
    today, _, tomorrow = words.partition("Tomorrow, Tuesday, November 24")
    assert "Today, Monday, November 23 12 PM Ana P-1 Dosing, IV infusion Ahead" in today
    assert "10 AM Ana P-1 Integration Ahead" in tomorrow
    assert "Assessment" not in words
    assert house.count("audit_event", "action = 'visits.viewed'") == 1


def test_care_rule_27_what_happened_is_one_press_and_one_more_takes_it_back(
    house: House, client: Client, ana: Patient, kim: Staff
) -> None:
    """Arrived, left with a dose, and undone: each stands in the visit's events by who said so."""
    visit = _visit(house, ana, NOW - timedelta(hours=2))
    for what, seen, status, dose in (
        ("arrived", "booked", "arrived", None),
        ("given", "arrived", "checked_out", "given"),
        ("booked", "checked_out", "booked", None),
        ("no_show", "booked", "no_show", None),
        ("booked", "no_show", "booked", None),
        ("cancelled", "booked", "cancelled", None),
    ):
        answer = _press(client, visit.id, what, seen)
        assert answer.headers["location"] == f"/visits#visit-{visit.id}"
        assert house.rows("SELECT status, dose FROM appointment") == [(status, dose)]
    actors = house.rows("SELECT DISTINCT actor FROM appointment_event")
    assert actors == [(f"staff:{kim.id}",)]


def _move(client: Client, visit: Appointment, to: str, seen: datetime | None = None) -> str:
    data = {"csrf": client.csrf("/visits"), "to": to}
    data["seen"] = (seen or visit.starts_at).isoformat()
    assert client.post(f"/visits/{visit.id}/move", data=data).status_code == 303
    return _board(client)


def test_care_rule_27_a_visit_is_moved_and_stays_in_view_for_a_day(
    house: House, client: Client, ana: Patient, kim: Staff
) -> None:
    """As long as before; what was confirmed is void, its patient is told, the plan follows."""
    visit = _visit(house, ana, NOON, confirmed_start=NOON, change_requested_at=NOW)
    house.add(
        Enrollment(
            id=new_id(),
            clinic_id=ana.clinic_id,
            patient_id=ana.id,
            protocol="daily-check-in",
            status="active",
            anchor_day=NOW.date(),
        )
    )
    words = _move(client, visit, "2026-11-27T14:30")
    assert "Moved to Friday, November 27, 2:30 PM. The patient is told" in words
    assert "Moved to a later day Friday, November 27, 2:30 PM Ana" in words
    starts = datetime.fromisoformat("2026-11-27T14:30-05:00")
    assert house.rows(
        "SELECT starts_at, ends_at, revision, confirmed_start, change_requested_at FROM appointment"
    ) == [(starts, starts + timedelta(hours=2), 2, None, None)]
    assert house.count("appointment", "announced_at = moved_at AND moved_at IS NOT NULL") == 1
    assert house.count("enrollment", "plan_requested_at IS NOT NULL") == 1
    assert house.count("audit_event", "action = 'appointment.moved'") == 1
    # A slip is mended where it is seen.
    again = _move(client, visit, "2026-11-24T09:00", seen=starts)
    assert "Tomorrow, Tuesday, November 24 9 AM Ana" in again


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("2026-11-23T09:00", "That time is over"),
        ("2028-11-23T09:00", "more than a year ahead"),
        ("2026-11-23T12:00", "at that time already"),
        ("2027-03-14T02:30", "skip 02:30"),
        ("tomorrow", "no time to move a visit to"),
        ("", "no time to move a visit to"),
    ],
)
def test_a_time_that_is_none_moves_no_visit(
    house: House, client: Client, ana: Patient, to: str, why: str
) -> None:
    """And the page says why."""
    visit = _visit(house, ana, NOON)
    assert why in _move(client, visit, to)
    assert house.rows("SELECT starts_at, revision FROM appointment") == [(NOON, 1)]


def test_a_visit_that_changed_meanwhile_is_not_moved(
    house: House, client: Client, ana: Patient
) -> None:
    """A colleague moved it, or recorded that the patient came."""
    visit = _visit(house, ana, NOON)
    words = _move(client, visit, "2026-11-24T09:00", seen=NOON - timedelta(hours=1))
    assert "This visit changed meanwhile" in words
    _press(client, visit.id, "arrived", "booked")
    assert "This visit changed meanwhile" in _move(client, visit, "2026-11-24T09:00")
    assert house.rows("SELECT starts_at, revision FROM appointment") == [(NOON, 1)]


def test_a_press_on_an_old_page_changes_nothing_unseen(
    house: House, client: Client, ana: Patient
) -> None:
    """A colleague recorded the dose meanwhile; the same press twice is no harm."""
    visit = _visit(house, ana, NOW - timedelta(hours=2), status="arrived")
    for _ in range(2):
        _press(client, visit.id, "given", "arrived")
    assert "Noted." in _board(client)
    for what in ("booked", "not_given", "cancelled"):
        _press(client, visit.id, what, "arrived")
        assert "This visit is checked out by now." in _board(client)
    assert house.rows("SELECT status, dose FROM appointment") == [("checked_out", "given")]


def test_what_can_not_have_happened_is_told(house: House, client: Client, ana: Patient) -> None:
    """The command refuses it too."""
    visit = _visit(house, ana, NOW - timedelta(hours=3), status="checked_out", dose="given")
    _press(client, visit.id, "no_show", "checked_out")
    assert "its check-out is recorded" in _board(client)


def test_who_only_looks_records_nothing(house: House, clinic: Clinic, client: Client) -> None:
    """Nor does anybody of another clinic."""
    house.staff(clinic, "vic@clinic.test", "viewer")
    client.sign_in("vic@clinic.test", PASSWORD)
    visit = _visit(house, house.patient(clinic), NOON)
    assert "Arrived" not in _board(client)
    _press(client, visit.id, "arrived", "booked")
    assert "A viewer can look" in _board(client)
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    house.staff(other, "far@clinic.test")
    client.sign_in("far@clinic.test", PASSWORD)
    assert "Ana" not in _board(client)
    assert _press(client, visit.id, "arrived", "booked").status_code == 404
    assert house.rows("SELECT status FROM appointment") == [("booked",)]


def test_care_rule_27_readiness_is_what_was_told_and_answered(
    house: House, client: Client, ana: Patient
) -> None:
    """Of the visit's present start alone: what was told of an old one is not known of this."""
    visit = _visit(house, ana, TOMORROW, confirmed_start=TOMORROW)
    _texted(house, ana, visit, "visit_24h_prep")
    _texted(house, ana, visit, "visit_eve_ride", "decline_reschedule")
    _texted(house, ana, visit, "visit_48h", "decline_reschedule")
    assert "Confirmed Food text: delivered Ride home: no Health news: none" in _board(client)
    moved = "starts_at = starts_at + interval '1 hour', ends_at = ends_at + interval '1 hour'"
    _do(house, f"UPDATE appointment SET {moved}")
    words = _board(client)
    assert "Not confirmed" in words
    assert "Food text" not in words


@pytest.mark.parametrize(
    ("text_of", "said"),
    [
        ({"template": "visit_24h_prep", "status": "undelivered"}, "Food text: not delivered"),
        (
            {"template": "visit_24h_prep", "status": "skipped", "reason": "opted_out"},
            "Food text: not sent (The patient stopped texts)",
        ),
        ({"template": "visit_24h_prep", "status": "planned"}, "Food text: planned"),
        ({"template": "visit_2h_ride"}, "Ride home: asked, no answer yet"),
        ({"template": "visit_2h_ride", "answer": "confirm"}, "Ride home: yes"),
        ({"template": "visit_48h", "answer": "confirm"}, "Health news: yes"),
        ({"template": "home_ready", "answer": "decline_reschedule"}, "Ready at home: no"),
    ],
)
def test_each_text_is_told_in_words(
    house: House, client: Client, ana: Patient, text_of: dict[str, str], said: str
) -> None:
    """What did not arrive says why; what was asked says what came back."""
    _texted(house, ana, _visit(house, ana, TOMORROW), **text_of)
    assert said in _board(client)


def test_numbers_count_from_the_last_dose(house: House, client: Client, ana: Patient) -> None:
    """The last one to each question; those before the dose have been looked at."""
    _visit(house, ana, TOMORROW)
    assert "No numbers since the last dose" in _board(client)
    _visit(house, ana, NOW - timedelta(days=7), status="checked_out", dose="given")
    for days, value in ((9, 10), (3, 8), (2, 4)):
        asked_at = NOW - timedelta(days=days)
        row = house.message(ana, template="daily_check_in")
        house.add(
            CheckIn(
                id=new_id(),
                clinic_id=ana.clinic_id,
                patient_id=ana.id,
                message_id=row.id,
                item="daily_0_10",
                context="scale:0-10",
                status="answered",
                value=value,
                asked_at=asked_at,
                ends_at=asked_at,
            )
        )
    assert "Since the last dose: Daily 0 10 4" in _board(client)


def test_care_rule_27_red_takes_a_clinicians_name_and_note(
    house: House, clinic: Clinic, client: Client, ana: Patient
) -> None:
    """A lapse before the dose is a clinician's to decide; then the board says who did."""
    _visit(house, ana, TOMORROW)
    item = house.follow_up(clinic.id, "use_disclosed", "call_today", ana, dose_at=TOMORROW)
    assert "Wrote about use a clinician decides before the dose" in _board(client)
    assert "edge-page_now" in client.get("/visits").text
    doc = actions.actor_of(house.staff(clinic, "doc@clinic.test", "clinician"))
    note = "Spoke with her; half the dose."
    actions.resolve(house.services, item.id, outcome="handled", note=note, actor=doc)
    assert "Decided before the dose by doc@clinic.test: Handled, with the note" in _board(client)
    assert "edge-page_now" not in client.get("/visits").text
    assert note in client.get(f"/follow-ups/{item.id}").text


def test_a_hold_and_a_wish_for_another_time_are_red(
    house: House, client: Client, ana: Patient
) -> None:
    """That the visit stands is one press, too, and ends the wish."""
    visit = _visit(house, ana, TOMORROW, change_requested_at=NOW)
    _do(house, "UPDATE patient SET status = 'held', status_reason = 'hospital'")
    assert "On hold: hospital Wants another time" in _board(client)
    _press(client, visit.id, "booked", "booked")
    words = _board(client)
    assert "the visit stands as planned" in words
    assert "Wants another time" not in words


def test_a_dose_that_nobody_told_of_is_asked_for(
    house: House, client: Client, ana: Patient
) -> None:
    """ "Fulfilled" in a file does not say that one was given (care rule 6)."""
    _visit(house, ana, NOW - timedelta(hours=3), status="fulfilled")
    assert "Took place Was a dose given?" in _board(client)


def _do(house: House, statement: str) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("desk", 1280, 900)])
def test_a_morning_at_the_board(
    house: House,
    client: Client,
    ana: Patient,
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
    height: int,
) -> None:
    """From the work list to a dose recorded and taken back, by thumb or mouse."""
    visit = _visit(house, ana, NOW - timedelta(hours=1))
    _texted(house, ana, visit, "visit_2h_ride", "decline_reschedule")
    tomorrow = _visit(house, ana, TOMORROW, kind="integration", route=None)
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-board-sign-in.png")
        page.get_by_role("link", name="Visits").click()
        page.get_by_role("heading", name="Visits", exact=True).wait_for()
        shot(page, shots / f"{name}-board.png")
        page.get_by_role("button", name="Arrived").click()
        page.get_by_role("button", name="Left, dose given").click()
        card = page.locator(f"#visit-{visit.id}")
        assert "Dose given" in card.inner_text()
        assert card.is_visible()
        shot(page, shots / f"{name}-board-left.png")
        page.get_by_role("button", name="Undo").click()
        card.get_by_text("Does not take place").click()
        shot(page, shots / f"{name}-board-not.png")
        card.get_by_role("button", name="Did not come").click()
        assert "Did not come" in card.inner_text()
        later = page.locator(f"#visit-{tomorrow.id}")
        later.get_by_text("Another time", exact=True).click()
        later.get_by_label("Starts at").fill("2026-11-27T14:30")
        shot(page, shots / f"{name}-board-move.png")
        later.get_by_role("button", name="Move").click()
        page.get_by_text("Moved to Friday, November 27").wait_for()
        assert "Friday, November 27, 2:30" in later.inner_text()
        shot(page, shots / f"{name}-board-moved.png")
    assert house.rows("SELECT status FROM appointment ORDER BY starts_at LIMIT 1") == [("no_show",)]
