"""Stories of a bare C and a bare R with several visits ahead, from the webhook to the visits.

The rule stands in docs/understanding.md: C answers the visit that the patient was asked about last,
unless they could mean another; R holds each visit that it may mean.
"""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from messages.gateways.fake import refuse
from schedules.facts import VisitStatus
from tests.support.world import World, phone_of
from tests.web.house import PUBLIC_URL, TOKEN, inbound_form, post
from tests.web.served import Client, served
from tests.worker.desk import Desk, at
from worker.steps import replies

# A Thursday and the Monday after; the texts a week ahead go at ten on the days named below.
FIRST, SECOND = "2026-12-10T12:00", "2026-12-14T12:00"
ASKED_FIRST, ASKED_SECOND = "2026-12-03 10:00", "2026-12-07 10:00"


class Phone(Desk):
    """A desk whose patient's texts come through the carrier's signed webhook."""

    client: Client

    def writes(self, body: str) -> None:
        """Have the patient write, and the reply handled."""
        self._sids += 1
        form = inbound_form(body, sid=f"SM{self._sids:032x}", From=phone_of(0))
        form["AccountSid"] = self.world.settings.twilio_account_sid
        assert post(self.client, "/twilio/inbound", form).status_code == 200
        replies.run(self.world.services)
        self.goes_on(seconds=10)

    def waits_until(self, local: str) -> None:
        """Go on to a New York time at one go: only what is due then matters here."""
        self.goes_on(seconds=(at(local) - self.world.now).total_seconds())

    def confirmed(self) -> list[bool]:
        """Return, of A1 and A2, which are confirmed for their present start."""
        visits = [self.visit(name) for name in ("A1", "A2")]
        return [visit.confirmed_start == visit.starts_at for visit in visits]

    def held(self) -> list[bool]:
        """Return, of A1 and A2, which wait for staff to say what holds."""
        return [self.visit(name).change_requested_at is not None for name in ("A1", "A2")]

    def last_words(self) -> str:
        return self.words()[-1]


@pytest.fixture
def phone(database_url: str) -> Iterator[Phone]:
    """A patient with two doses ahead; it is the Monday of the week before the first."""
    with World(database_url) as world:
        world.settings.public_url = PUBLIC_URL
        world.settings.twilio_auth_token = SecretStr(TOKEN)
        made = Phone(world)
        made.admits()
        made.imports(FIRST, SECOND)
        with served(world.services) as client:
            made.client = client
            yield made
            client.close()


def _asked_about_both(phone: Phone) -> None:
    """Have both week-ahead texts go, on Thursday and on the Monday after."""
    phone.waits_until(ASKED_FIRST)
    phone.waits_until(ASKED_SECOND)
    assert phone.read() == ["visit_7d", "visit_7d"]


def _asked_together(phone: Phone, second_at: str) -> None:
    """Have the second week-ahead text go at another time than the protocol's."""
    phone.waits_until(ASKED_FIRST)
    phone.world.execute(
        "UPDATE message SET due_at = :at, next_at = :at"
        " WHERE step = 'visit_7d' AND status = 'planned'",
        at=at(second_at),
    )
    phone.waits_until(second_at)
    assert phone.read() == ["visit_7d", "visit_7d"]


@pytest.mark.parametrize("body", ["C", "c.", "Yes", "Confirmed, thanks!"])
def test_a_bare_c_confirms_the_visit_asked_about_last(phone: Phone, body: str) -> None:
    """The other is asked about again, and the answer names what is confirmed."""
    _asked_about_both(phone)
    phone.writes(body)
    assert (phone.confirmed(), phone.calls()) == ([False, True], [])
    assert "your visit Mon Dec 14 at 12 PM is confirmed" in phone.last_words()
    phone.waits_until("2026-12-09 12:00")
    assert phone.read()[-1] == "visit_24h_prep"
    phone.writes("C")
    assert phone.confirmed() == [True, True]


def test_a_bare_c_is_asked_back_where_both_were_asked_about_that_day(phone: Phone) -> None:
    """Ten in the morning and nine at night lie eleven hours apart: read together, perhaps."""
    _asked_together(phone, "2026-12-03 19:59")
    phone.writes("C")
    assert phone.confirmed() == [False, False]
    assert phone.answers == ["which_one"]
    assert phone.calls() == ["unclear_reply"]


@pytest.mark.parametrize("status", ["accepted", "sent", "unknown"])
def test_a_bare_c_is_asked_back_while_the_last_text_may_not_have_arrived(
    phone: Phone, status: str
) -> None:
    """Who has not read the second text answers the first."""
    phone.waits_until(ASKED_FIRST)
    phone.arrives = False
    phone.waits_until(ASKED_SECOND)
    phone.world.execute(
        "UPDATE message SET status = :status WHERE status = 'accepted'", status=status
    )
    phone.writes("C")
    assert (phone.confirmed(), phone.answers) == ([False, False], ["which_one"])


def test_a_bare_c_that_crossed_the_last_text_is_asked_back(phone: Phone) -> None:
    """Its delivery was told after the reply came in: the patient may not have seen it."""
    _asked_about_both(phone)
    phone.world.execute(
        "UPDATE message SET final_at = CAST(:now AS timestamptz) + interval '2 seconds'"
        " WHERE submitted_at > CAST(:now AS timestamptz) - interval '1 day'",
        now=phone.world.now,
    )
    phone.writes("C")
    assert (phone.confirmed(), phone.answers) == ([False, False], ["which_one"])


def test_a_text_that_was_off_the_air_for_a_day_counts_from_when_it_came(phone: Phone) -> None:
    """A phone that was off shows both texts at once, whatever the carrier took when."""
    _asked_about_both(phone)
    phone.world.execute("UPDATE message SET final_at = :now WHERE status = 'delivered'",
                        now=phone.world.now)  # fmt: skip
    phone.writes("C")
    assert (phone.confirmed(), phone.answers) == ([False, False], ["which_one"])


def test_a_bare_c_answers_the_only_text_that_went(phone: Phone) -> None:
    """The number refused the second: only the first was asked about."""
    phone.waits_until(ASKED_FIRST)
    phone.world.gateway.always(phone_of(0), refuse(21211))
    phone.waits_until(ASKED_SECOND)
    phone.world.gateway.always(phone_of(0), None)
    phone.writes("C")
    assert phone.confirmed() == [True, False]


def test_a_c_that_is_sent_twice_confirms_one_visit(phone: Phone) -> None:
    """The second is no answer to the older text that still stands open."""
    _asked_about_both(phone)
    phone.writes("C")
    phone.writes("C")
    assert (phone.confirmed(), phone.calls()) == ([False, True], [])


@pytest.mark.parametrize("body", ["c see you then", "ok", "see you thursday", "C and R idk"])
def test_words_beside_a_c_are_for_a_person_with_several_visits_ahead(
    phone: Phone, body: str
) -> None:
    """They may name the other visit, or answer something else."""
    _asked_about_both(phone)
    phone.writes(body)
    assert phone.confirmed() == [False, False]
    assert "unclear_reply" in phone.calls()


def test_an_r_holds_each_visit_it_may_mean(phone: Phone) -> None:
    """Nobody comes fasting to a visit they gave up: staff say which of the two holds."""
    _asked_about_both(phone)
    phone.writes("R")
    assert (phone.held(), phone.confirmed()) == ([True, True], [False, False])
    assert phone.calls().count("change_requested") == 2
    assert phone.answers == ["change_ack"]
    assert {each.reason for each in phone.texts("visit_24h_prep")} == {"change_requested"}


def test_what_staff_keep_is_reminded_again_and_the_rest_waits(phone: Phone) -> None:
    """The visit that was not meant stands after a call; the other one is still to be decided."""
    _asked_about_both(phone)
    phone.writes("R")
    phone.records(VisitStatus.BOOKED, visit="A1")
    assert (phone.held(), phone.calls().count("change_requested")) == ([False, True], 1)
    phone.waits_until("2026-12-09 12:00")
    assert phone.read()[-1] == "visit_24h_prep"
    phone.writes("C")
    assert phone.confirmed() == [True, False]


def test_an_r_after_a_c_may_mean_the_visit_just_confirmed(phone: Phone) -> None:
    """It takes the C back (care rule 1), and the older question still stands open beside it."""
    _asked_about_both(phone)
    phone.writes("C")
    phone.writes("R")
    assert (phone.held(), phone.confirmed()) == ([True, True], [False, False])


def test_a_no_to_two_questions_holds_no_visit(phone: Phone) -> None:
    """ "No" answers what was asked with Y or N; which of the two, a person finds out."""
    phone.imports("2026-12-11T15:00", first=3)
    for asked in (
        ASKED_FIRST,
        ASKED_SECOND,
        "2026-12-08 12:00",
        "2026-12-09 12:00",
        "2026-12-09 15:00",
    ):
        phone.waits_until(asked)
    assert phone.read().count("visit_48h") == 2
    phone.writes("no")
    assert phone.held() == [False, False]
    assert "which_one" in phone.answers


def test_an_r_to_one_visit_leaves_the_other(phone: Phone) -> None:
    """Only one was asked about by then."""
    phone.waits_until(ASKED_FIRST)
    phone.writes("R")
    assert phone.held() == [True, False]
    assert phone.calls().count("change_requested") == 1


@pytest.mark.parametrize(
    "body",
    [
        "need to reschedule, i feel detached and im alone",
        "me siento desconectada y sola, no puedo ir, necesito otra fecha",
    ],
)
def test_visits_given_up_beside_alarm_are_held(phone: Phone, body: str) -> None:
    """Somebody is paged for how they are; neither visit goes on as if they came."""
    _asked_about_both(phone)
    phone.writes(body)
    assert phone.held() == [True, True]
    assert phone.answers == ["high_score_ack"]
    assert [phone.calls().count(each) for each in ("change_requested", "side_effect")] == [2, 1]


@pytest.mark.parametrize("body", ["R, disconnected and scared", "cant make it, unreal and alone"])
def test_a_visit_given_up_first_is_held_beside_alarm(phone: Phone, body: str) -> None:
    """As after any R, with one visit asked about."""
    phone.waits_until(ASKED_FIRST)
    phone.writes(body)
    assert (phone.held(), phone.answers) == ([True, False], ["high_score_ack"])
    assert [phone.calls().count(each) for each in ("change_requested", "side_effect")] == [1, 1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("i cant come tmrw, i drank last night and feel ashamed", "use_disclosed"),
        ("I been throwing up since breakfast so I better not come, put me on another day", None),
        ("R. threw up all night", None),
    ],
)
def test_visits_given_up_beside_a_lapse_or_a_symptom_are_held(
    phone: Phone, body: str, reason: str | None
) -> None:
    """Nobody fasts for a visit that they gave up, whatever they said first."""
    _asked_about_both(phone)
    phone.writes(body)
    assert phone.held() == [True, True]
    assert phone.calls().count("change_requested") == 2
    assert (reason or "side_effect") in phone.calls()
    assert "which_one" not in phone.answers


@pytest.mark.parametrize("body", ["cant sleep. like at all", "no pude dormir y me duele la cabeza"])
def test_a_symptom_with_a_no_in_it_holds_no_visit(phone: Phone, body: str) -> None:
    """Words that give nothing up by themselves are about how they are."""
    _asked_about_both(phone)
    phone.writes(body)
    assert phone.held() == [False, False]
