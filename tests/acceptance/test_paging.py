"""A plea becomes a ringing phone: real processes, the sandbox's phones, a real mail server."""

from urllib.parse import quote

from tests.acceptance.conftest import Make
from tests.acceptance.house import NUMBER, Installation, patient, phone_of
from tests.support.mail import mail_server

ANA = phone_of(1)
SAM, KIM = "+12125550190", "+12125550191"


def _set_up(make: Make, **settings: str) -> Installation:
    house = make()
    house.import_files([patient(1)], clinic=True)
    house.start("web", "worker", "beat", **settings)
    house.wait_for_worker()
    return house


def test_a_plea_rings_somebody_who_takes_it_with_a_key(make: Make) -> None:
    """The reply says that the team was told, the call says nothing of a patient, 1 takes it."""
    with mail_server() as box:
        house = _set_up(make, SMTP_URL=box.url)
        # Sam's phone presses 1 by itself when the call is answered.
        habit = {"does": "answer", "digits": "1"}
        house.carrier.ask("PUT", f"/sandbox/phones/{quote(SAM)}/habit", habit)
        house.carrier.write(ANA, "I want to kill myself")
        house.wait_for_texts(1, ANA)
        house.wait_for(lambda: _taken(house), "the page is taken")
        [reply] = house.carrier.seen("create", to=ANA)
        assert "We've alerted our team" in reply["body"]
        house.wait_for(lambda: box.to("sam@clinic.test"), "an e-mail")
    [call] = house.carrier.ask("GET", "/sandbox/calls")["calls"]
    assert call["to"] == SAM
    assert "page from Oak Street" in call["said"][0]
    assert "Robin" not in " ".join(call["said"])
    assert len(house.carrier.seen("create", to=SAM)) == 1
    [item] = house.records("followups")
    assert (item["reason"], item["status"]) == ("crisis", "acknowledged")


def _taken(house: Installation) -> bool:
    return bool(house.ask("SELECT 1 FROM follow_up WHERE status = 'acknowledged'"))


def test_while_the_texts_account_is_refused_the_page_goes_by_mail(make: Make) -> None:
    """An account that is suspended takes neither texts nor calls: the independent path does."""
    with mail_server() as box:
        house = _set_up(make, SMTP_URL=box.url)
        house.carrier.fault("suspended")
        house.carrier.write(ANA, "I want to kill myself")
        house.wait_for(lambda: box.to("sam@clinic.test"), "an e-mail")
        [letter] = box.to("sam@clinic.test")
    assert letter["Subject"].startswith("PAGE: Oak Street: someone needs you NOW.")


def test_a_page_is_taken_by_answering_its_text_and_a_call_hears_where_help_is(make: Make) -> None:
    """Through the carrier's webhooks, with its signatures: the text of staff, a patient's call."""
    with mail_server() as box:
        house = _set_up(make, SMTP_URL=box.url)
        house.carrier.ask("PUT", f"/sandbox/phones/{quote(SAM)}/habit", {"does": "no-answer"})
        house.carrier.write(ANA, "I want to kill myself")
        house.wait_for_texts(1, SAM)
        [paged] = house.carrier.seen("create", to=SAM)
        assert "Take it: reply 1, or " in paged["body"]
        house.carrier.write(SAM, "1")
        house.wait_for(lambda: _taken(house), "the page is taken")
        house.wait_for_texts(2, SAM)
        assert "it is yours" in house.carrier.seen("create", to=SAM)[-1]["body"]
    [item] = house.records("followups")
    assert (item["reason"], item["owner"]) == ("crisis", "sam@clinic.test")
    url = f"{house.web_url}/twilio/voice/patient"
    call = house.carrier.ask(
        "POST", f"/sandbox/phones/{quote(ANA)}/calls", {"to": NUMBER, "url": url}
    )
    sid = call["sid"]

    def heard() -> str:
        return " ".join(house.carrier.ask("GET", f"/sandbox/calls/{sid}")["said"])

    house.wait_for(lambda: "9 8 8" in heard(), "the caller hears of 988")
    assert "9 1 1" in heard()
    assert "Robin" not in heard()
