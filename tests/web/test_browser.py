"""The console in a real browser: signing in, reading a conversation, taking an item, on a phone."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from records.clinics import Clinic
from tests.web.house import NOW, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from worker import passwords
from worker.steps import staff


@pytest.fixture
def told(house: House, clinic: Clinic) -> Any:
    """A clinic with a busy morning; the patient whose page is opened."""
    house.staff(clinic)
    ana = house.patient(clinic, "P-1", first_name="Ana")
    ben = house.patient(clinic, "P-2", first_name="Benjamín", phone="+12125550124")
    prompt = house.message(
        ana,
        "Riverside Care: how strong is the pull today? Reply 0 (none) to 10 (strongest).",
        template="daily_check_in",
        submitted_at=NOW - timedelta(hours=3),
    )
    score = house.inbound(
        clinic.id,
        "8 today, not a great night 😕",
        ana,
        intent="score",
        value="8",
        prompt_message_id=prompt.id,
        received_at=NOW - timedelta(hours=2, minutes=40),
    )
    house.message(
        ana,
        "Riverside Care: thanks, noted. Somebody from the team will call you today by 12 noon.",
        template="score_high_ack",
        kind="answer",
        submitted_at=NOW - timedelta(hours=2, minutes=39),
    )
    house.message(ana, status="skipped", reason="no_consent", submitted_at=None)
    house.message(
        ana,
        "Riverside Care: see you tomorrow at 9 AM. Is your ride home set? Reply Y or N.",
        template="dosing_ride",
        status="undelivered",
        error_code=30005,
        submitted_at=NOW - timedelta(minutes=50),
    )
    for days, template in enumerate(("visit_day", "after_evening", "daily_check_in"), 1):
        house.message(
            ana,
            status="planned",
            template=template,
            due_at=NOW + timedelta(days=days),
            submitted_at=None,
        )
    house.follow_up(
        clinic.id,
        "high_score",
        "call_today",
        ana,
        source_id=score.id,
        due_at=NOW - timedelta(minutes=20),
    )
    house.follow_up(clinic.id, "crisis", "page_now", ben, due_at=NOW + timedelta(minutes=8))
    house.follow_up(clinic.id, "question", "next_business_day", ben, due_at=NOW + timedelta(days=1))
    house.follow_up(clinic.id, "unknown_number", "digest", due_at=NOW + timedelta(days=1))
    return ana


@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("desk", 1280, 900)])
def test_morning_at_the_console(
    told: Any, client: Client, browser: Browser, tmp_path: Path, name: str, width: int, height: int
) -> None:
    """From the sign-in to a conversation and an item taken, without a script or a fault."""
    faults: list[str] = []
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        page.on("console", lambda line: faults.append(line.text))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.on("request", lambda call: _stays_here(call.url, client.base, faults))
        sign_in(page, client.base, shots / f"{name}-1-sign-in.png")
        assert [item.inner_text() for item in page.locator(".items h2").all()] == [
            "May be in crisis",
            "Answered a high number",
            "Has a question",
            "A text from an unknown number",
        ]
        shot(page, shots / f"{name}-2-work-list.png")
        page.get_by_role("link", name="Ana").click()
        page.get_by_role("heading", name="Conversation").wait_for()
        assert "8 today, not a great night" in page.inner_text(".talk")
        page.get_by_role("button", name="Take").click()
        assert page.get_by_role("status").inner_text() == "It is yours now."
        page.get_by_text("Resolve", exact=True).first.click()
        shot(page, shots / f"{name}-3-conversation.png")
        page.get_by_label("What came of it").select_option("reached")
        page.get_by_label("Note").fill("Will come in on Friday.")
        page.locator("form.resolve button").click()
        assert page.get_by_role("status").inner_text() == "Ended and noted."
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in").wait_for()
    assert faults == []


def test_the_longest_password_can_be_typed(
    house: House, clinic: Clinic, client: Client, browser: Browser
) -> None:
    """Also of letters that a browser counts as two."""
    kim, longest = house.staff(clinic), "🐈" * passwords.LONGEST
    staff.set_password(
        house.services, email=kim.email, password=longest, clinic_id=None, actor="test"
    )
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(client.base)
        page.get_by_label("E-mail").fill(kim.email)
        page.get_by_label("Password").focus()
        page.keyboard.insert_text(longest)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Follow-ups").wait_for()


def test_the_item_of_the_night_on_a_phone(
    told: Any, house: House, clinic: Clinic, client: Client, browser: Browser, tmp_path: Path
) -> None:
    """Words, what to do first, and what 911 was told: by thumb, and no wider than the screen."""
    said = house.inbound(clinic.id, "I want to end it", told, urgent=True)
    item = house.follow_up(clinic.id, "overdose", "page_now", told, source_id=said.id)
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / "night-1-sign-in.png")
        page.goto(f"{client.base}/follow-ups/{item.id}")
        shot(page, shots / "night-2-item.png")
        page.get_by_text("Note what 911 was told").click()
        page.get_by_label("Told to").fill("911 dispatcher, county EMS")
        page.get_by_label("What they were told").fill("Address, last dose on Monday, alone")
        shot(page, shots / "night-3-note.png")
        page.get_by_role("button", name="Save the note").click()
        assert page.get_by_role("status").inner_text().startswith("Noted.")
        assert "911 dispatcher, county EMS, told by kim@clinic.test" in page.inner_text("main")
        shot(page, shots / "night-4-noted.png")


def test_somebody_who_calls_is_found_from_any_page(
    told: Any, client: Client, browser: Browser, tmp_path: Path
) -> None:
    """By how a name begins, at the desk and on a phone; the way back asks for nothing again."""
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    for name, width in (("phone", 390), ("desk", 1280)):
        with browser.new_context(viewport={"width": width, "height": 800}) as context:
            page = context.new_page()
            sign_in(page, client.base, shots / f"{name}-sign-in.png")
            page.get_by_role("link", name="Ana").click()
            page.get_by_label("Find a patient").fill("benj")
            page.get_by_label("Find a patient").press("Enter")
            page.get_by_role("heading", name="Found for").wait_for()
            shot(page, shots / f"{name}-found.png")
            page.get_by_role("link", name="Benjamín").click()
            page.get_by_role("heading", name="Conversation").wait_for()
            page.go_back()
            page.get_by_role("link", name="Benjamín").wait_for()
            page.get_by_label("Find a patient").fill("Zacharias")
            page.get_by_role("button", name="Find").click()
            page.get_by_text("Nobody.").wait_for()
            shot(page, shots / f"{name}-found-nobody.png")


def _stays_here(url: str, base: str, faults: list[str]) -> None:
    if not url.startswith(base):
        faults.append(f"outside: {url}")
