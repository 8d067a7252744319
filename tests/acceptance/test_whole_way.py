"""From a clinic's three files to a patient's phone, and from there to a coordinator."""

from datetime import timedelta

from tests.acceptance.conftest import Make
from tests.acceptance.house import MORNING, Installation, patient, phone_of, visit

ANA, LUIS = phone_of(1), phone_of(2)


def _set_up(make: Make) -> Installation:
    """Import at 9:50 what falls due before or at 10:00, then let it be 10:00 and start."""
    house = make(now=MORNING - timedelta(minutes=10), real_commands=True)
    visits = [visit(1, MORNING + timedelta(hours=46))]
    house.import_files([patient(1), patient(2, check_in_time="10:00")], visits, clinic=True)
    house.run("enroll", "P2", "daily-check-in", "--on", "2026-11-30")
    house.set_clock(MORNING + timedelta(seconds=1))
    house.start("web", "worker", "beat")
    return house


def test_three_files_become_texts_and_answers_become_rows_and_a_follow_up(make: Make) -> None:
    """A visit is confirmed, a high number is in front of a person, receipts are taken."""
    house = _set_up(make)
    house.wait_for_texts(1, ANA)
    house.wait_for_texts(1, LUIS)
    [reminder] = house.carrier.seen("create", to=ANA)
    assert "Thu Dec 3 at 8 AM" in reminder["body"]
    assert reminder["service"].startswith("MG")
    assert house.carrier.write(ANA, "C")["webhook"]["status"] == 200
    house.carrier.write(LUIS, "9")

    house.wait_for_texts(2, ANA)
    house.wait_for_texts(2, LUIS)
    answered, texts = house.records("replies"), house.records("messages")
    [follow_up] = house.records("followups")
    replies = {each["patient_id"]: each for each in answered}
    sent = {(each["patient_id"], each["step"]): each for each in texts}
    assert replies["P1"]["intent"] == "confirm"
    assert replies["P1"]["prompt_message_id"] == sent["P1", "assess_48h"]["id"]
    assert (replies["P2"]["intent"], replies["P2"]["value"]) == ("score", "9")
    assert follow_up["patient_id"] == "P2"
    assert (follow_up["reason"], follow_up["severity"]) == ("high_score", "call_today")
    assert replies["P2"]["followup_id"] == follow_up["id"]
    assert house.ask("SELECT confirmed_start = starts_at FROM appointment") == [(True,)]

    house.wait_for(lambda: house.statuses()["delivered"] >= 4, "receipts for four texts")
    [delivered] = house.carrier.seen("callback", to=ANA, message_status="delivered")[:1]
    assert 200 <= delivered["status"] < 300
