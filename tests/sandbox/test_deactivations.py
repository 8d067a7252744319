"""The daily lists of numbers that were given up, as Twilio hands them out."""

from datetime import UTC, date, datetime, timedelta

import pytest
import requests

from tests.sandbox.conftest import PHONE

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def _address(lab, day: date = YESTERDAY) -> str:
    answer = lab.http.get(
        f"{lab.url}/v1/Deactivations",
        params={"Date": day.isoformat()},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 307
    assert answer.headers["Location"] == answer.json()["redirect_to"]
    return str(answer.json()["redirect_to"])


def test_a_day_leads_to_a_file_with_a_number_a_line(lab):
    """The file is asked for without credentials, as a signed address is."""
    lab.api("PUT", f"/phones/{PHONE}/deactivated", {})
    lab.api("PUT", "/phones/+12125550124/deactivated", {"date": YESTERDAY.isoformat()})
    assert requests.get(_address(lab), timeout=10).text == "12125550123\n12125550124\n"


def test_another_day_has_a_list_of_its_own(lab):
    """A phone is given up on one day."""
    day = YESTERDAY - timedelta(days=5)
    lab.api("PUT", f"/phones/{PHONE}/deactivated", {"date": day.isoformat()})
    assert requests.get(_address(lab), timeout=10).text == ""
    assert requests.get(_address(lab, day), timeout=10).text == "12125550123\n"


def test_an_address_that_nobody_was_given_is_refused(lab):
    """Whoever guesses gets what a store of files answers."""
    answer = requests.get(f"{lab.url}/deactivations/guessed.txt", timeout=10)
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("day", "code"),
    [
        (YESTERDAY + timedelta(days=1), 30114),
        (YESTERDAY + timedelta(days=9), 30114),
        (date(2020, 8, 26), 30113),
    ],
    ids=["today", "ahead", "before there were any"],
)
def test_a_day_without_a_list_is_refused_by_its_code(lab, day, code):
    """Not available yet, or too old."""
    answer = lab.http.get(
        f"{lab.url}/v1/Deactivations", params={"Date": day.isoformat()}, timeout=10
    )
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_list_needs_the_account_and_a_day(lab):
    """Without a token 20003, without a day 30115."""
    asked = f"{lab.url}/v1/Deactivations"
    assert requests.get(asked, timeout=10).json()["code"] == 20003
    assert lab.http.get(asked, timeout=10).json()["code"] == 30115
