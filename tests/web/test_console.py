"""The console: signing in, who may see and do what, and what the pages say."""

import html
import re
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.routing import Mount, Route

from records import patients
from records.base import new_id
from records.clinics import Clinic, Staff
from tests.web.house import NOW, PASSWORD, House
from tests.web.served import Client, served
from web.app import create_app
from web.throttle import Throttle
from worker import resting
from worker.steps import staff
from worker.steps.staff import Role

PUBLIC = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/twilio/inbound",
    "/twilio/status",
    "/twilio/voice/patient",
    "/static",
    "/sign-in",
}


@pytest.fixture
def kim(house: House, clinic: Clinic) -> Staff:
    """A coordinator of the clinic."""
    return house.staff(clinic)


@pytest.fixture
def console(client: Client, kim: Staff) -> Client:
    """The client, signed in as the coordinator."""
    assert client.sign_in(kim.email, PASSWORD).status_code == 303
    return client


def routes(app: Any) -> list[tuple[str, str]]:
    found = []
    for route in app.routes:
        if isinstance(route, Mount):
            found.append(("GET", route.path))
        elif isinstance(route, Route):
            found += [(method, route.path) for method in route.methods or () if method != "HEAD"]
        else:
            # FastAPI keeps an included router as one entry.
            found += [
                (method, inner.path)
                for inner in route.original_router.routes
                for method in inner.methods
            ]
    return found


def test_every_route_but_the_public_ones_asks_to_sign_in(house: House, client: Client) -> None:
    """Whoever adds a page can't forget its lock: each route is called without a session."""
    app = create_app(house.services)
    locked = [(method, path) for method, path in routes(app) if path not in PUBLIC]

    assert len(locked) >= 7
    for method, path in locked:
        address = re.sub(r"\{\w+\}", str(new_id()), path)
        answer = client._call(method, address, data={"csrf": "guess"} if method == "POST" else None)
        assert answer.status_code in {303, 403}, (method, path)
        assert answer.status_code == 403 or answer.headers["location"].startswith("/sign-in")


def test_pages_have_the_headers_of_a_page_with_patients(client: Client) -> None:
    """No inline script or style, no frame, no cache, no referrer, also on an error page."""
    for path in ("/sign-in", "/nowhere", "/twilio/inbound", "/static/console.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "script-src" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/sign-in").headers["cache-control"] == "no-store"
    assert client.get("/").headers["cache-control"] == "no-store"
    assert "max-age" in client.get("/static/console.css").headers["cache-control"]


def test_interface_description_is_not_served(client: Client) -> None:
    """FastAPI's own pages are off."""
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404


def test_right_password_opens_the_work_list(client: Client, kim: Staff) -> None:
    """After signing in the work list greets the clinic by its name."""
    assert client.get("/").headers["location"] == "/sign-in"

    answer = client.sign_in(" KIM@clinic.test ", PASSWORD)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = client.get("/")
    assert page.status_code == 200
    assert "Riverside Recovery" in page.text
    assert "Nobody is waiting for you." in page.text


@pytest.mark.parametrize(
    ("email", "password"),
    [("kim@clinic.test", "wrong"), ("nobody@clinic.test", PASSWORD), ("'--", "\0")],
)
def test_wrong_sign_in_says_the_same_for_everybody(
    client: Client, kim: Staff, email: str, password: str
) -> None:
    """An unknown address and a wrong password look alike, and nobody is signed in."""
    answer = client.sign_in(email, password)

    assert answer.status_code == 401
    assert "do not fit" in answer.text
    assert client.get("/").status_code == 303


def test_guessing_has_to_wait(client: Client, kim: Staff) -> None:
    """After five wrong passwords even the right one is refused for a while."""
    for _ in range(5):
        assert client.sign_in(kim.email, "wrong").status_code == 401

    answer = client.sign_in(kim.email, PASSWORD)

    assert answer.status_code == 429
    assert "15 min" in answer.text


def test_guessing_through_many_addresses_has_to_wait() -> None:
    """One outside address gets fifty wrong passwords; a proxy's address stands for everybody."""
    seconds = [0.0]
    throttle = Throttle(monotonic=lambda: seconds[0])
    for number in range(50):
        throttle.failed("8.8.8.8", f"{number}@clinic.test")
        throttle.failed("127.0.0.1", f"{number}@clinic.test")

    assert throttle.wait("8.8.8.8", "new@clinic.test") == 900
    assert throttle.wait("127.0.0.1", "new@clinic.test") == 0
    seconds[0] = 901
    assert throttle.wait("8.8.8.8", "new@clinic.test") == 0


def test_a_client_of_version_6_is_its_network() -> None:
    """It may take any address of it, and would have five guesses from each."""
    throttle = Throttle(monotonic=lambda: 0.0)
    for number in range(5):
        throttle.failed(f"2001:4860:4860::{number}", "kim@clinic.test")
        throttle.failed(f"::ffff:8.8.8.{number}", "kim@clinic.test")

    assert throttle.wait("2001:4860:4860::9999", "kim@clinic.test") == 900
    assert throttle.wait("2001:4860:4861::1", "kim@clinic.test") == 0
    assert throttle.wait("8.8.8.1", "kim@clinic.test") == 0


def test_disabled_person_does_not_sign_in(house: House, client: Client, clinic: Clinic) -> None:
    """Whoever left the clinic has no way in."""
    gone = house.staff(clinic, "gone@clinic.test")
    gone.disabled_at = NOW
    with house.services.database.transaction() as session:
        session.merge(gone)

    assert client.sign_in(gone.email, PASSWORD).status_code == 401


@pytest.mark.parametrize("change", ["session_epoch = 2", "disabled_at = now()"])
def test_cookie_ends_with_the_account(
    house: House, console: Client, kim: Staff, change: str
) -> None:
    """A raised epoch or a disabled account ends the session at its next request."""
    assert console.get("/").status_code == 200

    execute(house, f"UPDATE staff SET {change}")

    assert console.get("/").headers["location"] == "/sign-in"


def execute(house: House, statement: str) -> None:
    from sqlalchemy import text  # noqa: PLC0415

    with house.services.database.transaction() as session:
        session.execute(text(statement))


def test_cookie_is_out_of_reach_of_scripts(house: House, clinic: Clinic) -> None:
    """HttpOnly and SameSite always; Secure where the public address is https."""
    house.staff(clinic)
    for public, secure in (("http://texts.clinic.test", False), ("https://t.test", True)):
        with served(house.with_settings(PUBLIC_URL=public)) as client:
            cookie = client.get("/sign-in").headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert ("secure" in cookie) == secure


def test_cookie_holds_no_name_and_no_address(console: Client) -> None:
    """The cookie is signed and not sealed, so that it holds internal ids only."""
    value = console.cookies["aftercare_session"].split(".")[0]

    assert b"kim" not in b64decode(value + "==")


def test_cookie_does_not_say_what_the_next_page_says(
    house: House, console: Client, kim: Staff
) -> None:
    """A notice may name a colleague; it is shown once, to the one whom it was for."""
    lee = house.staff(_clinic(house, kim.clinic_id), "lee@clinic.test")
    item = house.follow_up(kim.clinic_id, owner_id=lee.id, status="acknowledged")
    console.post(f"/follow-ups/{item.id}/take", data={"csrf": console.csrf()})
    value = console.cookies["aftercare_session"].split(".")[0]
    assert b"notice" in b64decode(value + "==")
    assert b"lee" not in b64decode(value + "==")
    assert "lee@clinic.test has taken" in console.get("/").text
    assert "has taken" not in console.get("/").text


def test_the_title_of_a_patients_page_names_nobody(
    house: House, clinic: Clinic, console: Client
) -> None:
    """Titles stay in a browser's history, and stand in its tabs."""
    patient = house.patient(clinic)
    page = console.get(f"/patients/{patient.id}").text
    assert "<title>Patient · Aftercare</title>" in page
    assert "<h1>Ana</h1>" in page


def test_altered_cookie_signs_nobody_in(console: Client) -> None:
    """A cookie that we did not sign is no session."""
    value = console.cookies["aftercare_session"]
    console.cookies.clear()

    answer = console.get("/", headers={"Cookie": f"aftercare_session=x{value}"})

    assert answer.status_code == 303


def test_sign_out_ends_every_copy_of_the_cookie(
    house: House, clinic: Clinic, console: Client, kim: Staff
) -> None:
    """What somebody kept of it opens nothing, at either clinic; signing in again does."""
    other = house.clinic("hillside", number="+12125550199", service="MG" + "2" * 32)
    house.staff(other, kim.email)
    assert console.sign_in(kim.email, PASSWORD).status_code == 303
    kept = {"Cookie": f"aftercare_session={console.cookies['aftercare_session']}"}
    console.post("/sign-out", data={"csrf": console.csrf()})
    console.cookies.clear()
    assert console.get("/", headers=kept).headers["location"] == "/sign-in"
    assert house.rows("SELECT session_epoch FROM staff") == [(2,), (2,)]
    assert console.sign_in(kim.email, PASSWORD).status_code == 303
    assert console.get("/").status_code == 200


def test_sign_out_forgets(console: Client) -> None:
    """Signing out ends the session."""
    answer = console.post("/sign-out", data={"csrf": console.csrf()})

    assert answer.headers["location"] == "/sign-in"
    assert console.get("/").status_code == 303


def test_sign_in_goes_on_to_the_page_asked_for(client: Client, kim: Staff) -> None:
    """A link in a page to somebody's phone leads there after the sign-in."""
    wish = f"/follow-ups/{new_id()}"

    assert client.get(wish).headers["location"] == f"/sign-in?to={wish}"
    assert client.sign_in(kim.email, PASSWORD, to=wish).headers["location"] == wish


@pytest.mark.parametrize(
    "wish", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", ""]
)
def test_sign_in_leads_nowhere_else(client: Client, kim: Staff, wish: str) -> None:
    """No address from outside chooses where a signed-in person goes."""
    assert client.sign_in(kim.email, PASSWORD, to=wish).headers["location"] == "/"


def test_form_without_its_token_changes_nothing(house: House, console: Client, kim: Staff) -> None:
    """A form from another site, or a very old page, is refused."""
    item = house.follow_up(kim.clinic_id)

    for form in ({}, {"csrf": ""}, {"csrf": "guess"}):
        assert console.post(f"/follow-ups/{item.id}/take", data=form).status_code == 403
    assert console.post("/sign-out").status_code == 403
    assert house.count("follow_up", "status = 'open'") == 1


def test_sign_in_form_has_a_token_too(client: Client, kim: Staff) -> None:
    """Nobody can be signed in to somebody else's account from outside."""
    form = {"email": kim.email, "password": PASSWORD}

    assert client.post("/sign-in", data=form).status_code == 403


def test_work_list_shows_the_most_urgent_first(house: House, console: Client, kim: Staff) -> None:
    """Severity first, then due time; who it is, what happened and by when."""
    clinic_id = kim.clinic_id
    with_clinic = _clinic(house, clinic_id)
    ana = house.patient(with_clinic, "P-1", first_name="Ana")
    ben = house.patient(with_clinic, "P-2", first_name="Ben", phone="+12125550124")
    house.follow_up(clinic_id, "question", "next_business_day", ana)
    house.follow_up(clinic_id, "callback", "call_today", ben, due_at=NOW + timedelta(minutes=90))
    house.follow_up(clinic_id, "high_score", "call_today", ana, due_at=NOW - timedelta(minutes=5))
    house.follow_up(clinic_id, "crisis", "page_now", ana)
    house.follow_up(clinic_id, "paused", "digest", ana, status="resolved", outcome="handled")

    page = console.get("/").text

    titles = re.findall(r"<h2>([^<]+)</h2>", page)
    assert titles == [
        "May be in crisis",
        "Answered a high number",
        "Wants a call",
        "Has a question",
    ]
    assert "Ana" in page
    assert "P-2" in page
    assert "overdue" in page
    assert "today at 11:30 AM" in page
    assert "Paused check-ins" not in page


def _clinic(house: House, clinic_id: Any) -> Clinic:
    from records import clinics  # noqa: PLC0415

    with house.services.database.transaction() as session:
        return clinics.by_id(session, clinic_id)


def test_follow_up_says_what_was_answered(house: House, console: Client, kim: Staff) -> None:
    """The list tells the number and the question, without opening the text."""
    clinic = _clinic(house, kim.clinic_id)
    ana = house.patient(clinic)
    prompt = house.message(ana, template="daily_check_in")
    reply = house.inbound(
        clinic.id, "8 today", ana, intent="score", value="8", prompt_message_id=prompt.id
    )
    house.follow_up(clinic.id, "high_score", "call_today", ana, source_id=reply.id)

    page = console.get("/").text

    assert "Answered 8 to: Daily check in" in page
    assert "8 today" not in page


def test_taking_makes_it_mine(house: House, console: Client, kim: Staff) -> None:
    """The button takes the item, says so once, and is gone."""
    item = house.follow_up(kim.clinic_id)

    answer = console.post(f"/follow-ups/{item.id}/take", data={"csrf": console.csrf()})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = console.get("/").text
    assert "It is yours now." in page
    assert "with you" in page
    assert ">Take<" not in page
    assert "It is yours now." not in console.get("/").text


def test_taken_by_a_colleague_is_told(house: House, console: Client, kim: Staff) -> None:
    """The second of two who take one item is told who has it.

    chatwoot#775, #12079: two people answered one patient, and neither knew of the other.
    """
    lee = house.staff(_clinic(house, kim.clinic_id), "lee@clinic.test")
    item = house.follow_up(kim.clinic_id, owner_id=lee.id, status="acknowledged")

    console.post(f"/follow-ups/{item.id}/take", data={"csrf": console.csrf()})

    assert "lee@clinic.test has taken this follow-up already." in console.get("/").text
    assert house.rows("SELECT owner_id FROM follow_up") == [(lee.id,)]


def test_resolving_ends_it_with_its_outcome(house: House, console: Client, kim: Staff) -> None:
    """The outcome is kept, the note is sealed, and the list is empty again."""
    item = house.follow_up(kim.clinic_id)
    form = {"csrf": console.csrf(), "outcome": "reached", "note": "Will come <b>Friday</b>."}

    console.post(f"/follow-ups/{item.id}/resolve", data=form)

    assert "Nobody is waiting for you." in console.get("/").text
    assert house.rows("SELECT status, outcome FROM follow_up") == [("resolved", "reached")]
    [note] = house.rows("SELECT note FROM follow_up_event WHERE note IS NOT NULL")
    assert b"Friday" not in note[0]
    page = console.get(f"/follow-ups/{item.id}").text
    assert "Will come &lt;b&gt;Friday&lt;/b&gt;." in page
    assert "Resolved, kim@clinic.test" in page


def test_resolving_without_an_outcome_is_told(house: House, console: Client, kim: Staff) -> None:
    """An empty choice ends nothing and says what is missing."""
    item = house.follow_up(kim.clinic_id)

    answer = console.post(f"/follow-ups/{item.id}/resolve", data={"csrf": console.csrf()})

    assert "The outcome is a word such as" in answer.text
    assert house.count("follow_up", "status = 'open'") == 1


@pytest.mark.parametrize("role", ["coordinator", "admin"])
def test_nobody_but_a_clinician_has_a_button_that_ends_a_crisis(
    house: House, client: Client, clinic: Clinic, role: str
) -> None:
    """The form of another page does not help."""
    client.sign_in(house.staff(clinic, "lee@clinic.test", role).email, PASSWORD)
    item = house.follow_up(clinic.id, "crisis", "page_now")
    page = client.get("/").text
    assert "Only a clinician ends this one." in page
    assert "/resolve" not in page
    form = {"csrf": client.csrf(), "outcome": "reached_safe"}

    client.post(f"/follow-ups/{item.id}/resolve", data=form)

    assert house.count("follow_up", "status = 'open'") == 1


def test_viewer_sees_and_cannot_act(house: House, client: Client, clinic: Clinic) -> None:
    """A viewer has no buttons, and forms of their own making change nothing."""
    viewer = house.staff(clinic, "vic@clinic.test", "viewer")
    item = house.follow_up(clinic.id)
    client.sign_in(viewer.email, PASSWORD)
    page = client.get("/").text
    assert "Wants a call" in page
    assert "/take" not in page

    form = {"csrf": client.csrf(), "outcome": "reached"}
    client.post(f"/follow-ups/{item.id}/take", data=form)
    client.post(f"/follow-ups/{item.id}/resolve", data=form)

    assert house.count("follow_up", "status = 'open' AND owner_id IS NULL") == 1


def test_a_role_that_is_lost_is_lost_at_once(
    house: House, console: Client, kim: Staff, clinic: Clinic
) -> None:
    """Also for the page that is open: its forms change nothing, and nobody is signed out."""
    item = house.follow_up(clinic.id)
    form = {"csrf": console.csrf(), "outcome": "reached"}
    change = {"email": kim.email, "clinic_id": None, "actor": "test"}
    staff.set_role(house.services, role=Role.VIEWER, **change)

    console.post(f"/follow-ups/{item.id}/take", data=form)
    console.post(f"/follow-ups/{item.id}/resolve", data=form)

    assert house.count("follow_up", "status = 'open' AND owner_id IS NULL") == 1
    assert console.get("/").status_code == 200
    staff.set_role(house.services, role=Role.CLINICIAN, **change)
    console.post(f"/follow-ups/{item.id}/take", data=form)
    assert house.count("follow_up", "owner_id IS NOT NULL") == 1


def test_a_new_password_ends_the_session_and_opens_another(
    house: House, console: Client, kim: Staff
) -> None:
    """The old one opens nothing any more."""
    new = "another long enough one"
    staff.set_password(house.services, email=kim.email, password=new, clinic_id=None, actor="test")

    assert console.get("/").headers["location"] == "/sign-in"
    assert console.sign_in(kim.email, PASSWORD).status_code == 401
    assert console.sign_in(kim.email, new).status_code == 303


def test_a_longer_password_than_can_be_set_is_a_wrong_one(
    house: House, client: Client, kim: Staff
) -> None:
    """Whoever had one from before is told so, as with any other that does not fit."""
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x" * 257)
    execute(house, f"UPDATE staff SET password_hash = '{old}'")
    answer = client.sign_in(kim.email, "x" * 257)
    assert (answer.status_code, "do not fit" in answer.text) == (401, True)


def test_conversation_reads_both_ways_in_order(house: House, console: Client, kim: Staff) -> None:
    """Texts and replies by time, each with its status in plain words, and what is ahead."""
    clinic = _clinic(house, kim.clinic_id)
    ana = house.patient(clinic)
    at = NOW - timedelta(hours=3)
    house.message(ana, "How are you? <0-10>", submitted_at=at, due_at=at)
    house.inbound(clinic.id, "an 8 & a <script>", ana, intent="score", value="8")
    house.message(
        ana,
        "Second text",
        status="undelivered",
        error_code=30005,
        submitted_at=NOW - timedelta(minutes=5),
    )
    house.message(ana, status="skipped", reason="no_consent", submitted_at=None)
    house.message(
        ana,
        status="planned",
        template="dosing_ride",
        due_at=NOW + timedelta(days=1),
        submitted_at=None,
    )

    page = console.get(f"/patients/{ana.id}").text

    words = ["How are you? &lt;0-10&gt;", "an 8 &amp; a &lt;script&gt;", "Second text"]
    places = [page.index(word) for word in words]
    assert places == sorted(places)
    assert "Not delivered" in page
    assert "(code 30005)" in page
    assert "The patient has not agreed to texts of this kind." in page
    assert page.index("Dosing ride") > page.index("Ahead")
    assert "tomorrow at 10 AM" in page
    assert "read as: a number (8)" in page


def test_check_ins_of_a_crisis_have_no_end_that_is_a_time(
    house: House, console: Client, kim: Staff
) -> None:
    """Only a clinician ends that rest; the patient's own pause shows its end before and after."""
    ana = house.patient(_clinic(house, kim.clinic_id))

    def shown(change: Any, **when: Any) -> tuple[bool, list[str]]:
        with house.services.database.transaction() as session:
            change(session, patients.by_id(session, ana.id), **when)
        page = console.get(f"/patients/{ana.id}").text
        ends = re.findall(r"paused until <time[^>]*>([^<]*)<", page)
        return "rest until a clinician ends the crisis" in page, ends

    def by_id(change: Any) -> Any:
        return lambda session, who, **when: change(session, who.id, **when)

    assert shown(resting.pause, until=NOW + timedelta(days=2)) == (False, ["Wed Nov 25 at 10 AM"])
    assert shown(by_id(resting.rest_for_crisis), now=NOW) == (True, ["Wed Nov 25 at 10 AM"])
    assert shown(by_id(resting.end_for_crisis), now=NOW) == (False, ["Wed Nov 25 at 10 AM"])


def test_opening_a_conversation_is_recorded(house: House, console: Client, kim: Staff) -> None:
    """Who read which patient's words is an audit event with internal ids only."""
    ana = house.patient(_clinic(house, kim.clinic_id))
    house.message(ana, "Hello")

    console.get(f"/patients/{ana.id}")

    assert house.rows("SELECT actor, action, subject FROM audit_event") == [
        (f"staff:{kim.id}", "conversation.viewed", f"patient:{ana.id}")
    ]


def test_long_conversation_is_shown_in_pieces(house: House, console: Client, kim: Staff) -> None:
    """The newest hundred come first; a link leads to those before, down to the first."""
    ana = house.patient(_clinic(house, kim.clinic_id))
    for number in range(130):
        at = NOW - timedelta(hours=200 - number)
        house.message(ana, f"Text number {number:03}.", due_at=at, submitted_at=at)

    newest = console.get(f"/patients/{ana.id}").text
    [older] = re.findall(r'href="(/patients/[^"]+before=[^"]+)"', newest)
    oldest = console.get(older.replace("&amp;", "&")).text

    assert re.findall(r"Text number (\d+)\.", newest) == [f"{n:03}" for n in range(30, 130)]
    assert re.findall(r"Text number (\d+)\.", oldest) == [f"{n:03}" for n in range(30)]
    assert "before=" not in oldest


def pieces(console: Client, address: str) -> list[list[str]]:
    """Follow the link to earlier texts to its end; return the numbers of each page's texts."""
    found = []
    while True:
        shown = console.get(address).text
        found.append(re.findall(r"Text number (\d+)\.", shown))
        older = re.findall(r'href="(/patients/[^"]+before=[^"]+)"', shown)
        if not older:
            return found
        address = html.unescape(older[0])


def test_texts_of_one_second_at_a_pages_edge_are_all_shown(
    house: House, console: Client, kim: Staff
) -> None:
    """The carrier's list has whole seconds: three replies and an answer stand at the same one."""
    ana = house.patient(_clinic(house, kim.clinic_id))
    edge = NOW - timedelta(hours=5)
    for number in range(3):
        house.inbound(ana.clinic_id, f"Text number {number}.", ana, received_at=edge)
    house.message(ana, "Text number 3.", due_at=edge, submitted_at=edge)
    for number in range(4, 102):
        at = edge + timedelta(minutes=number)
        house.inbound(ana.clinic_id, f"Text number {number}.", ana, received_at=at)

    newest, oldest = pieces(console, f"/patients/{ana.id}")

    assert (len(newest), len(oldest)) == (100, 2)
    assert sorted(map(int, newest + oldest)) == list(range(102))


def test_a_text_that_went_late_stands_on_one_page(
    house: House, console: Client, kim: Staff
) -> None:
    """It was due hours before it went, and stands where it went."""
    ana = house.patient(_clinic(house, kim.clinic_id))
    for number in range(130):
        at = NOW - timedelta(minutes=132 - number)
        house.inbound(ana.clinic_id, f"Text number {number}.", ana, received_at=at)
    due, went = NOW - timedelta(hours=3), NOW - timedelta(minutes=1)
    house.message(ana, "Text number 130.", due_at=due, submitted_at=went)

    newest, oldest = pieces(console, f"/patients/{ana.id}")

    assert list(map(int, oldest + newest)) == list(range(131))


def test_other_clinics_rows_are_not_found(house: House, console: Client, kim: Staff) -> None:
    """A page of another clinic's patient or item does not exist, and nothing can be done there."""
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    theirs = house.patient(other, first_name="Zoe")
    item = house.follow_up(other.id, patient=theirs)
    form = {"csrf": console.csrf("/"), "outcome": "handled"}

    assert console.get(f"/patients/{theirs.id}").status_code == 404
    assert console.get(f"/follow-ups/{item.id}").status_code == 404
    assert console.post(f"/follow-ups/{item.id}/take", data=form).status_code == 404
    assert console.post(f"/follow-ups/{item.id}/resolve", data=form).status_code == 404
    assert "Zoe" not in console.get("/").text
    assert house.count("follow_up", "status = 'open'") == 1
    assert house.count("audit_event") == 0


@pytest.mark.parametrize(
    "path",
    [
        "/patients/x",
        "/patients/01a20900-0000-7000-8000-000000000000",
        "/follow-ups/1",
        "/patients/%00",
        "/nowhere",
    ],
)
def test_page_that_does_not_exist_says_so(console: Client, path: str) -> None:
    """A broken link is a page that leads back, not an error of ours."""
    answer = console.get(path)

    assert answer.status_code == 404
    assert "To the work list" in answer.text


@pytest.mark.parametrize("before", ["yesterday", "2026-11-23T10:00:00", ""])
def test_bad_instant_is_not_found(house: House, console: Client, kim: Staff, before: str) -> None:
    """An instant without a zone, or none at all, is a broken link; so is what is no id."""
    ana = house.patient(_clinic(house, kim.clinic_id))

    assert console.get(f"/patients/{ana.id}?before={before}").status_code == 404
    assert console.get(f"/patients/{ana.id}?before_id={before}").status_code == 404


def test_text_of_an_unknown_number_can_be_read(house: House, console: Client, kim: Staff) -> None:
    """An item without a patient shows the words and the number, and the opening is recorded."""
    reply = house.inbound(kim.clinic_id, "who is this?")
    item = house.follow_up(kim.clinic_id, "unknown_number", "digest", source_id=reply.id)
    assert f"/follow-ups/{item.id}" in console.get("/").text

    page = console.get(f"/follow-ups/{item.id}").text

    assert "who is this?" in page
    assert "212-555-0123" in page
    assert house.count("audit_event", "action = 'follow_up.viewed'") == 1


def test_person_of_two_clinics_switches_between_them(
    house: House, client: Client, kim: Staff
) -> None:
    """One address with the same password at two clinics opens both, one at a time."""
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    house.staff(other, kim.email)
    house.follow_up(other.id, "question", "digest")
    client.sign_in(kim.email, PASSWORD)
    assert "Has a question" not in client.get("/").text

    client.post("/clinic", data={"csrf": client.csrf(), "seat": "1"})

    assert "Has a question" in client.get("/").text
    client.post("/clinic", data={"csrf": client.csrf(), "seat": "7"})
    assert "Has a question" in client.get("/").text


@pytest.mark.parametrize("change", ["session_epoch = 2", "disabled_at = now()"])
def test_a_clinic_that_somebody_has_left_is_no_choice(
    house: House, client: Client, kim: Staff, change: str
) -> None:
    """It is not offered any more, and a page from before that still does leads nowhere."""
    other = house.clinic("hillside", number="+12125550111", service="MG" + "2" * 32)
    seat = house.staff(other, kim.email)
    client.sign_in(kim.email, PASSWORD)
    assert 'name="seat"' in client.get("/").text
    execute(house, f"UPDATE staff SET {change} WHERE id = '{seat.id}'")
    assert 'name="seat"' not in client.get("/").text
    client.post("/clinic", data={"csrf": client.csrf(), "seat": "1"})
    assert client.get("/").status_code == 200
