"""A form that is refused comes back as it was filled in: nothing that somebody typed is lost."""

import os
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from records.clinics import Clinic, Staff
from records.followups import FollowUp
from tests.support.databases import OwnDatabase
from tests.web.house import PASSWORD, House
from tests.web.looking import shot, sign_in
from tests.web.served import Client
from tests.worker.talk import hide_column

NOTE = 'Called at ten; "no" & <nobody> home.\nHer brother rings back.'


@pytest.fixture
def item(house: House, clinic: Clinic, kim: Staff) -> FollowUp:
    return house.follow_up(clinic.id, "callback", "call_today", house.patient(clinic))


@pytest.fixture
def crisis(house: House, clinic: Clinic, kim: Staff) -> FollowUp:
    return house.follow_up(clinic.id, "crisis", "page_now", house.patient(clinic))


def _send(client: Client, item: FollowUp, which: str, **values: str) -> tuple[int, str]:
    """Send a form as a browser does, with its line ends; return status and page."""
    sent = {name: value.replace("\n", "\r\n") for name, value in values.items()}
    data = {"csrf": client.csrf(), **sent}
    answer = client.post(f"/follow-ups/{item.id}/{which}", data=data)
    return answer.status_code, unescape(answer.text).replace("\r\n", "\n")


def _do(house: House, statement: str) -> None:
    with house.services.database.transaction() as session:
        session.execute(text(statement))


def test_a_note_that_is_too_long_comes_back_whole(
    house: House, client: Client, item: FollowUp
) -> None:
    """With the outcome that was chosen, and where its form leads; saying how long one may be."""
    note = "x" * 2001
    status, page = _send(client, item, "resolve", outcome="reached", note=note, to="/")
    assert (status, note in page) == (409, True)
    assert "The note is too long: 2000 letters at most." in page
    assert '<option value="reached" selected>' in page
    assert 'name="to" value="/"' in page
    assert house.count("follow_up", "status = 'open'") == 1


def test_a_lines_end_counts_as_one_letter(house: House, client: Client, item: FollowUp) -> None:
    """As the form counts it: a note of 2000 letters in lines was refused, and lost."""
    status, _ = _send(client, item, "resolve", outcome="reached", note="x\n" * 999 + "xx")
    assert status == 303
    assert house.count("follow_up", "status = 'resolved'") == 1


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE follow_up SET status = 'resolved', outcome = 'reached'",
        "UPDATE follow_up SET times_joined = 1",
        "UPDATE staff SET role = 'viewer'",
    ],
)
def test_a_note_outlasts_what_happened_meanwhile(
    house: House, client: Client, item: FollowUp, meanwhile: str
) -> None:
    """A colleague ended the item, something joined it, or the role that may end it is gone."""
    _do(house, meanwhile)
    status, page = _send(client, item, "resolve", outcome="handled", note=NOTE, seen="0")
    assert status == 409
    assert NOTE in page
    assert ("Note, not saved" in page) is ("times_joined" not in meanwhile)


def test_a_note_outlasts_a_role_that_may_not_end_a_crisis(client: Client, crisis: FollowUp) -> None:
    """The page that has no form for it any more has the words to be copied."""
    status, page = _send(client, crisis, "resolve", outcome="misread", note=NOTE)
    assert (status, NOTE in page, "Note, not saved" in page) == (409, True, True)


def test_what_911_was_told_comes_back(client: Client, crisis: FollowUp) -> None:
    """Whatever was wrong with it: to whom, what, when, and the form's own name."""
    form = "0b2f6b0e-6f0e-4f7e-9d0c-3c1b0e5d7a11"
    told = {"recipient": "911, M. Lee", "told": NOTE, "at": "2026-09-01T11:00", "form": form}
    status, page = _send(client, crisis, "told", **told)
    assert status == 409
    for value in told.values():
        assert value in page
    assert "within the last 30 days" in page


def test_the_time_to_put_it_off_to_comes_back(client: Client, item: FollowUp) -> None:
    """With what was wrong with it."""
    status, page = _send(client, item, "snooze", until="2026-11-28T09:00")
    assert (status, 'value="2026-11-28T09:00"' in page) == (409, True)
    assert "The clinic is closed on Saturday" in page


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"csrf": "of an old page"}, 403, "This form is too old"),
        ({"seen": "many"}, 422, "Something is missing"),
    ],
)
def test_a_note_outlasts_a_form_that_can_not_be_read(
    house: House, client: Client, item: FollowUp, changed: dict[str, str], status: int, said: str
) -> None:
    """The page that says so has the words to be copied."""
    answered, page = _send(client, item, "resolve", outcome="handled", note=NOTE, **changed)
    assert (answered, said in page, NOTE in page) == (status, True, True)
    assert house.count("follow_up", "status = 'open'") == 1


def test_a_note_outlasts_the_session(house: House, client: Client, item: FollowUp) -> None:
    """Signed out elsewhere, or after two hours: the way back leads to the item."""
    data = {"csrf": client.csrf(), "outcome": "handled", "note": NOTE}
    _do(house, "UPDATE staff SET session_epoch = session_epoch + 1")
    answer = client.post(f"/follow-ups/{item.id}/resolve", data=data)
    assert (answer.status_code, NOTE in unescape(answer.text)) == (403, True)
    assert f'href="/sign-in?to=/follow-ups/{item.id}"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_note_outlasts_a_change_of_clinic_in_another_window(
    house: House, clinic: Clinic, client: Client, kim: Staff
) -> None:
    """The item is not one of the clinic at which they are now."""
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    elsewhere = house.follow_up(other.id)
    status, page = _send(client, elsewhere, "resolve", outcome="handled", note=NOTE)
    assert (status, NOTE in page) == (404, True)


def test_a_note_outlasts_a_fault_of_the_program(
    house: House, client: Client, item: FollowUp, database: OwnDatabase
) -> None:
    """What was typed is on the page that says so."""
    data = {"csrf": client.csrf(), "outcome": "handled", "note": NOTE}
    hide_column(database, "follow_up_event", "note")
    answer = client.post(f"/follow-ups/{item.id}/resolve", data=data)
    assert (answer.status_code, NOTE in unescape(answer.text)) == (500, True)


def test_a_password_is_on_no_page(client: Client, kim: Staff) -> None:
    """Of a sign-in that is refused."""
    data = {"csrf": "of an old page", "email": kim.email, "password": PASSWORD}
    assert PASSWORD not in client.post("/sign-in", data=data).text


@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("desk", 1280, 900)])
def test_a_refused_note_is_sent_again_by_one_press(
    house: House,
    clinic: Clinic,
    client: Client,
    item: FollowUp,
    browser: Browser,
    tmp_path: Path,
    name: str,
    width: int,
    height: int,
) -> None:
    """A text came meanwhile: it is shown, with the form as it was filled in, open."""
    shots = Path(os.environ.get("AFTERCARE_SCREENSHOTS") or tmp_path)
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        sign_in(page, client.base, shots / f"{name}-sign-in.png")
        page.get_by_role("link", name="details").click()
        page.get_by_text("Resolve", exact=True).click()
        page.get_by_label("What came of it").select_option("reached")
        page.get_by_label("Note").fill(NOTE)
        _do(house, "UPDATE follow_up SET times_joined = 1")
        page.get_by_role("button", name="Save and end").click()
        assert "Read it first" in page.get_by_role("status").inner_text()
        assert page.get_by_label("Note").input_value() == NOTE
        shot(page, shots / f"{name}-refused.png")
        page.get_by_role("button", name="Save and end").click()
        assert page.get_by_role("status").inner_text() == "Ended and noted."
        assert NOTE.splitlines()[1] in page.inner_text("main")
        _do(house, "UPDATE follow_up SET status = 'open'")
        page.reload()
        page.get_by_text("Resolve", exact=True).click()
        page.get_by_label("What came of it").select_option("reached")
        page.get_by_label("Note").fill(NOTE)
        _do(house, "UPDATE staff SET session_epoch = session_epoch + 1")
        page.get_by_role("button", name="Save and end").click()
        assert page.get_by_label("Note, not saved").input_value() == NOTE
        shot(page, shots / f"{name}-signed-out.png")
