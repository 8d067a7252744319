"""The console for whoever is on duty: hand over, put off, a test page, the card, the call list."""

import re
from datetime import timedelta

import pytest

from records.appointments import Appointment
from records.base import new_id
from records.clinics import Clinic, Staff
from records.followups import FollowUp
from records.pages import Page
from records.patients import Patient
from tests.web.house import NOW, PASSWORD, House
from tests.web.served import Client


@pytest.fixture
def kim(house: House, clinic: Clinic, client: Client) -> Staff:
    """Kim, who is signed in, and a colleague."""
    house.staff(clinic, "lee@clinic.test")
    row: Staff = house.staff(clinic)
    client.sign_in("kim@clinic.test", PASSWORD)
    return row


@pytest.fixture
def ana(house: House, clinic: Clinic) -> Patient:
    return house.patient(clinic)


@pytest.fixture
def item(house: House, clinic: Clinic, ana: Patient, kim: Staff) -> FollowUp:
    return house.follow_up(clinic.id, "crisis", "page_now", ana)


def form(client: Client, **values: str) -> dict[str, str]:
    return {"csrf": client.csrf(), **values}


def test_an_item_is_handed_over(house: House, client: Client, item: FollowUp) -> None:
    """The colleague has to acknowledge it, and is paged at once."""
    path = f"/follow-ups/{item.id}/assign"
    client.post(path, data=form(client, email="lee@clinic.test"))
    [(status, climbs_at)] = house.rows("SELECT status, climbs_at FROM follow_up")
    assert (status, climbs_at) == ("open", NOW)
    assert "lee@clinic.test" in client.get("/").text


@pytest.mark.parametrize(
    ("minutes", "said"), [(20, "Put off."), (40, "30 minutes at most"), (-5, "has passed")]
)
def test_a_crisis_is_put_off_within_its_limit(
    house: House, client: Client, item: FollowUp, minutes: int, said: str
) -> None:
    """The time is the clinic's own clock, where it is ten in the morning."""
    client.post(f"/follow-ups/{item.id}/take", data=form(client))
    until = f"2026-11-23T{10 + minutes // 60:02}:{minutes % 60:02}"
    answer = client.post(f"/follow-ups/{item.id}/snooze", data=form(client, until=until))
    assert said in (answer.text or client.get("/").text)


def test_a_page_is_put_off_by_whoever_took_it(house: House, client: Client, item: FollowUp) -> None:
    """Until somebody has it there is no button for it; put off, it can be taken again."""
    take, put_off = f"/follow-ups/{item.id}/take", f"/follow-ups/{item.id}/snooze"
    values = form(client, until="2026-11-23T10:20")
    text = client.post(put_off, data=values).text
    assert "Take it first" in text
    assert (take in text, put_off in text) == (True, False)
    client.post(take, data=values)
    text = client.get("/").text
    assert (take in text, put_off in text) == (False, True)
    client.post(put_off, data=values)
    assert take in client.get("/").text


def test_a_time_that_is_none_changes_nothing(house: House, client: Client, item: FollowUp) -> None:
    """The form says so."""
    client.post(f"/follow-ups/{item.id}/snooze", data=form(client, until="soon"))
    assert house.rows("SELECT snoozed_until FROM follow_up") == [(None,)]


def test_the_card_has_what_a_call_at_night_needs(
    house: House, client: Client, item: FollowUp
) -> None:
    """Number, language and what to do first, on the item's own page."""
    text = client.get(f"/follow-ups/{item.id}").text
    assert "tel:+12125550123" in text
    assert "English" in text
    assert "Call the patient now" in text


def test_a_clinics_own_playbook_stands_in_the_place_of_ours(
    house: House, clinic: Clinic, client: Client, item: FollowUp
) -> None:
    """For the reasons it names; the others keep the words that come with the product."""
    with house.services.database.transaction() as session:
        row = session.merge(clinic)
        row.settings = {**row.settings, "playbook": {"crisis": ["Ring Dr. Lee first."]}}
        row.version += 1
    text = client.get(f"/follow-ups/{item.id}").text
    assert "Ring Dr. Lee first." in text
    assert "Call the patient now" not in text
    overdose = house.follow_up(clinic.id, "overdose", "page_now")
    assert "Call 911 first" in client.get(f"/follow-ups/{overdose.id}").text


def test_the_card_says_in_words_what_is_known(
    house: House, client: Client, item: FollowUp, ana: Patient
) -> None:
    """No voicemail may be left, and an interpreter is needed: both are on the card."""
    known = '{"voicemail_ok": false, "interpreter": true, "substances": ["alcohol", "opioids"]}'
    with house.services.database.transaction() as session:
        person = session.merge(ana)
        person.profile = house.services.vault.seal("patient", "profile", ana.id, known)
    text = client.get(f"/follow-ups/{item.id}").text
    assert "<dd>no</dd>" in text
    assert "<dd>yes</dd>" in text
    assert "alcohol, opioids" in text


def test_the_card_names_the_last_doses_route_in_words(
    house: House, clinic: Clinic, client: Client, item: FollowUp, ana: Patient
) -> None:
    """The clinic's own words, where it has some for the route."""
    left, known_as = NOW - timedelta(hours=20), new_id()
    house.add(
        Appointment(
            id=known_as,
            details=house.services.vault.seal("appointment", "details", known_as, "{}"),
            clinic_id=clinic.id,
            patient_id=ana.id,
            external_id="A1",
            kind="dosing",
            route="nasal",
            status="checked_out",
            dose="given",
            starts_at=left - timedelta(hours=2),
            ends_at=left,
            checked_out_at=left,
            booked_at=left - timedelta(days=9),
            created_at=left,
            revision=1,
        )
    )
    assert ", nasal</dd>" in client.get(f"/follow-ups/{item.id}").text
    with house.services.database.transaction() as session:
        row = session.merge(clinic)
        row.settings = {**row.settings, "routes": {"nasal": {"shown": "nose spray"}}}
        row.version += 1
    assert ", nose spray</dd>" in client.get(f"/follow-ups/{item.id}").text


def test_an_item_shows_every_text_and_whether_our_reply_arrived(
    house: House, clinic: Clinic, client: Client, kim: Staff, ana: Patient
) -> None:
    """Also the texts that joined it later (care rule 9)."""
    first = house.inbound(clinic.id, "I want to die", ana, urgent=True)
    item = house.follow_up(clinic.id, "crisis", "page_now", ana, source_id=first.id)
    second = house.inbound(clinic.id, "goodbye all", ana, urgent=True)
    with house.services.database.transaction() as session:
        for row in (first, second):
            session.merge(row).follow_up_id = item.id
    house.message(ana, kind="safety", inbound_id=first.id, status="undelivered")
    text = client.get(f"/follow-ups/{item.id}").text
    assert "I want to die" in text
    assert "goodbye all" in text
    assert "Our reply: Not delivered" in text


def test_what_911_was_told_stands_on_the_item(
    house: House, client: Client, item: FollowUp, ana: Patient
) -> None:
    """To whom, when, what and by whom; in the history and the trail, and sealed in the row."""
    values = {"recipient": "911, M. Lee of county EMS", "told": "Ana, Elm St 5, IV dose Monday"}
    client.post(f"/follow-ups/{item.id}/told", data=form(client, at="2026-11-23T09:40", **values))
    shown = client.get(f"/follow-ups/{item.id}").text
    assert "911, M. Lee of county EMS, told by kim@clinic.test" in shown
    assert "Ana, Elm St 5, IV dose Monday" in shown
    assert "Noted." in shown
    [(patient, at, told)] = house.rows("SELECT patient_id, at, told FROM disclosure")
    assert (patient, at) == (ana.id, NOW - timedelta(minutes=20))
    assert b"Elm" not in told
    assert house.count("audit_event", "action = 'follow_up.disclosed'") == 1
    assert house.count("follow_up_event", "action = 'disclosed'") == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recipient": " "}, "to whom it was told"),
        ({"told": ""}, "to whom it was told"),
        ({"at": "2026-11-23T11:00"}, "not ahead"),
        ({"at": "2026-09-01T11:00"}, "within the last 30 days"),
        ({"at": "yesterday"}, "That is no time"),
    ],
)
def test_a_note_for_the_accounting_is_whole_or_none(
    house: House, client: Client, item: FollowUp, changed: dict[str, str], said: str
) -> None:
    """The page says what is missing, and nothing is kept."""
    values = {"recipient": "911", "told": "address", **changed}
    answer = client.post(f"/follow-ups/{item.id}/told", data=form(client, **values))
    assert said in answer.text
    assert house.count("disclosure") == 0


def test_what_was_told_can_be_noted_after_the_item_has_ended(
    house: House, client: Client, item: FollowUp
) -> None:
    """First the call, then the paper; never changed afterwards, not even by its owner."""
    with house.services.database.transaction() as session:
        session.merge(item).status = "resolved"
    values = {"recipient": "911", "told": "address"}
    client.post(f"/follow-ups/{item.id}/told", data=form(client, **values))
    assert house.count("disclosure") == 1
    with pytest.raises(Exception, match="permission denied"):
        house.rows("UPDATE disclosure SET actor = 'x'")


def test_a_note_whose_form_is_sent_twice_is_one_entry(
    house: House, client: Client, item: FollowUp
) -> None:
    """An entry is for ever. Whoever goes back to correct its words makes a further one."""
    page = client.get(f"/follow-ups/{item.id}").text
    fields = dict(re.findall(r'type="hidden" name="(csrf|form)" value="([^"]+)"', page))
    for told in ("address", "address", "address and door code", "address"):
        values = {"recipient": "911", "told": told, **fields}
        answer = client.post(f"/follow-ups/{item.id}/told", data=values)
        assert answer.status_code == 303
    assert "Noted." in client.get(f"/follow-ups/{item.id}").text
    assert house.count("disclosure") == 2
    assert house.count("follow_up_event", "action = 'disclosed'") == 2


def test_another_clinics_item_is_not_told_of(house: House, client: Client, kim: Staff) -> None:
    """It is not found."""
    values = {"recipient": "911", "told": "address"}
    answer = client.post(f"/follow-ups/{new_id()}/told", data=form(client, **values))
    assert answer.status_code == 404


def paged(house: House, clinic: Clinic, person: str, item: FollowUp | None = None) -> Page:
    """Add a page to somebody: about an item, else a test."""
    row: Page = house.add(
        Page(
            id=new_id(),
            clinic_id=clinic.id,
            follow_up_id=item.id if item else None,
            kind="item" if item else "test",
            why="opened",
            severity="page_now",
            person=person,
            subject=None if item else "test",
            at=NOW - timedelta(hours=1),
        )
    )
    return row


def test_a_test_page_is_taken_by_a_button(
    house: House, clinic: Clinic, client: Client, kim: Staff
) -> None:
    """It shows by which ways it came; another clinic's is not found."""
    row = paged(house, clinic, "kim@clinic.test")
    assert "It reached me" in client.get(f"/pages/{row.id}").text
    client.post(f"/pages/{row.id}/take", data=form(client))
    assert house.rows("SELECT acknowledged_by FROM page") == [("kim@clinic.test",)]
    assert client.get(f"/pages/{new_id()}").status_code == 404
    assert client.post(f"/pages/{new_id()}/take", data=form(client)).status_code == 404


def test_a_test_page_counts_from_the_person_paged_alone(
    house: House, clinic: Clinic, client: Client, kim: Staff
) -> None:
    """A colleague who opens its link proves nothing of Lee's phone."""
    row = paged(house, clinic, "lee@clinic.test")
    assert "It reached me" not in client.get(f"/pages/{row.id}").text
    client.post(f"/pages/{row.id}/take", data=form(client))
    assert "went to somebody else" in client.get("/").text
    assert house.count("page", "closed_at IS NULL AND acknowledged_at IS NULL") == 1


def test_a_page_makes_its_item_the_signed_in_persons(
    house: House, clinic: Clinic, client: Client, kim: Staff, item: FollowUp
) -> None:
    """Lee was paged and Kim takes it: Kim has it, and history and audit say so."""
    row = paged(house, clinic, "lee@clinic.test", item)
    taken = client.post(f"/pages/{row.id}/take", data=form(client))
    assert taken.headers["location"] == f"/follow-ups/{item.id}"
    assert house.rows("SELECT status, owner_id FROM follow_up") == [("acknowledged", kim.id)]
    label = f"staff:{kim.id}"
    assert house.rows("SELECT acknowledged_by FROM page") == [(label,)]
    assert house.rows("SELECT actor, action FROM follow_up_event") == [(label, "taken")]
    audited = "SELECT actor FROM audit_event WHERE action = 'follow_up.taken'"
    assert house.rows(audited) == [(label,)]


@pytest.mark.parametrize("about", ["item", "test"])
def test_a_viewer_takes_no_page(house: House, clinic: Clinic, client: Client, about: str) -> None:
    """Neither a colleague's page about a crisis nor a test: nothing changes, and they are told."""
    house.staff(clinic, "vic@clinic.test", "viewer")
    client.sign_in("vic@clinic.test", PASSWORD)
    item = house.follow_up(clinic.id, "crisis", "page_now", house.patient(clinic))
    row = paged(house, clinic, "vic@clinic.test", item if about == "item" else None)
    assert "<button>" not in client.get(f"/pages/{row.id}").text.partition("<main")[2]
    client.post(f"/pages/{row.id}/take", data=form(client))
    assert "not act on them" in client.get("/").text
    assert house.rows("SELECT status, owner_id, climbs_at FROM follow_up") == [("open", None, None)]
    assert house.count("page", "closed_at IS NULL AND acknowledged_at IS NULL") == 1


def test_when_texts_are_down_the_first_page_says_so(
    house: House, client: Client, kim: Staff, ana: Patient
) -> None:
    """With the call list, the worst harm first (care rule 16)."""
    assert "/call-list" not in client.get("/").text
    house.clock.at = NOW
    with house.services.database.transaction() as session:
        from sqlalchemy import text  # noqa: PLC0415

        session.execute(text("UPDATE sender SET breaker_opened_at = now()"))
    assert "the carrier refuses them" in client.get("/").text
    assert "/call-list" in client.get("/").text
    house.follow_up(ana.clinic_id, "missed_check_ins", "call_today", ana)
    listed = client.get("/call-list").text
    assert "Is silent" in listed
    assert "tel:+12125550123" in listed
    assert "the carrier refuses them" in listed
    assert house.count("audit_event", "action = 'call_list.viewed'") == 1
