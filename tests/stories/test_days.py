"""Days at the clinic: after a dose, calls, outages, closed days, silence, a wrong number."""

import re
from datetime import date

from records.followups import FollowUp
from schedules.facts import VisitStatus
from tests.sandbox.conftest import Product
from tests.stories.table import ANA, NEW_YORK, PHONES, as_told, begins, played, situations
from tests.stories.town import Make, Story
from tests.web.house import PASSWORD
from worker.steps import closing, events, people, visits
from worker.steps import staff as staff_step

#: What docs/operations.md has the carrier's fallback address answer (care rule 14).
STATIC = (
    "We can't read texts at the moment. Emergency: call 911. Crisis: call or text 988, free, 24/7."
)


@situations("rule_12")
def test_rule_12_detached_after_a_dose_is_rechecked_by_a_person(
    make: Make, situation: str, table: str
) -> None:
    """Within the hour; alone, frightened or confused at once."""
    story = begins(make, situation, table)
    deeds = {"a_dose_ends": lambda story: story.desk.dose_ends()}
    assert played(story, table, **deeds) == as_told(table)


def the_account_is_refused(story: Story) -> None:
    story.lab.fault("suspended")


def the_account_works_again(story: Story) -> None:
    story.lab.api("DELETE", "/faults", status=204)


def sam_goes_away(story: Story) -> None:
    today = story.world.now.astimezone(NEW_YORK).date()
    staff_step.away(
        story.world.services, email="sam@clinic.test", first=today, last=today, actor="desk"
    )


@situations("rule_13")
def test_rule_13_a_page_goes_though_the_texts_account_is_refused(
    make: Make, situation: str, table: str
) -> None:
    """By e-mail; whoever is away gives back what they have, and is paged no more."""
    story = begins(make, situation, table)
    story.staff("sam@clinic.test")
    deeds = (the_account_is_refused, the_account_works_again, sam_goes_away)
    assert played(story, table, **{deed.__name__: deed for deed in deeds}) == as_told(table)


@situations("rule_13_test")
def test_rule_13_the_weekly_test_page_must_be_acknowledged(
    make: Make, situation: str, table: str
) -> None:
    """Who has not done so a day later is before the clinic as an item."""
    assert played(begins(make, situation, table), table) == as_told(table)


@situations("rule_14")
def test_rule_14_calls_and_a_web_that_is_away_are_answered(
    make: Make, product: Product, unused_port: int, situation: str, table: str
) -> None:
    """Calls by a voice, texts by the carrier's fallback; the list brings them all the same."""
    story = begins(make, situation, table, pulls=True)
    product.answers["/fallback"] = [f"<Response><Message>{STATIC}</Message></Response>"]
    away = {
        "inbound_url": f"http://127.0.0.1:{unused_port}/twilio/inbound",
        "fallback_url": product.url("/fallback"),
    }
    deeds = {
        "Ana_calls": lambda story: _in_short(story.calls_us(ANA)),
        "our_web_is_away": lambda story: story.lab.api("PATCH", "/settings", away),
        "the_list_is_read": lambda story: story.engine.pull(),
    }
    assert played(story, table, **deeds) == as_told(table)


def _in_short(said: str) -> str:
    found = re.findall(r"9 1 1|9 8 8|connecting|opens [^.]+|\[Dial: [^]]+\]|abre [^.]+", said)
    return ", ".join(dict.fromkeys(found))


def doses_are_given_and_booked(story: Story) -> None:
    story.desk.imports("2026-12-02T16:00", first=2, patient="P1", quiet=True)
    story.desk.dose_ends()


def the_desk_opens_the_list(story: Story) -> str:
    """Return whether Today says that texts are down, and who is on the list in which order."""
    story.web.sign_in("desk@clinic.test", PASSWORD)
    down = "Open the call list" in story.web.get("/").text
    listed = dict.fromkeys(re.findall(r">(P[01])<", story.web.get("/call-list").text))
    names = ", then ".join({"P0": "Ana", "P1": "Ben"}[each] for each in listed)
    return f"{'down' if down else 'up'}: {names}"


def the_clinic_closes_on_wednesday(story: Story) -> None:
    world = story.world
    done = closing.close_day(world.services, world.clinic_id, day=date(2026, 12, 2), actor="desk")
    for visit_id in done.visits:
        events.record_event(world.services, visit_id, VisitStatus.CANCELLED, actor="desk")


@situations("rule_16")
def test_rule_16_while_texts_are_down_the_list_says_whom_to_call(
    make: Make, situation: str, table: str
) -> None:
    """And a day on which the clinic closes cancels visits, tells patients, and moves clocks."""
    deeds = {
        "doses_are_given_and_booked": doses_are_given_and_booked,
        "the_account_is_refused": the_account_is_refused,
        "the_desk_opens_the_list": the_desk_opens_the_list,
        "the_clinic_closes_on_Wednesday": the_clinic_closes_on_wednesday,
        "the_account_works_again": the_account_works_again,
    }
    assert played(begins(make, situation, table), table, **deeds) == as_told(table)


def ana_is_asked_each_day(story: Story) -> None:
    world, ana = story.world, story.talk.patient()
    assert story.desk.rows(FollowUp) == []
    sealed = world.vault.seal("patient", "profile", ana.id, '{"substances": ["opioid"]}')
    world.execute("UPDATE patient SET profile = :p WHERE id = :id", p=sealed, id=ana.id)
    visits.enroll(world.services, ana.id, "daily-check-in", actor="desk")


def nothing_arrives(story: Story) -> None:
    outcome = {"status": "undelivered", "error_code": 30003}
    story.lab.api("PUT", f"/phones/{ANA}/outcome", outcome)


@situations("rule_19")
def test_rule_19_silence_must_be_the_patients(make: Make, situation: str, table: str) -> None:
    """Not ours, nor the network's; on closed days it reaches who is on call or who is named."""
    story = begins(make, situation, table, pulls=True)
    if "nobody" in situation:
        pat = {"name": "Pat", "phone": PHONES["Pat"], "email": "pat@clinic.test"}
        story.file(closed_day_caller=pat)
    deeds = {
        "Ana_is_asked_each_day": ana_is_asked_each_day,
        "nothing_reaches_us": lambda story: story.lab.fault("status", on="list", code=500),
        "nothing_arrives": nothing_arrives,
    }
    assert played(story, table, **deeds) == as_told(table)


def a_visit_is_booked(story: Story) -> None:
    story.desk.has_imported_before()
    story.desk.imports("2026-12-09T10:00")


def the_desk_opens_the_breach(story: Story) -> str:
    """Return what the item lists as gone to the number."""
    [item] = [row for row in story.talk.rows(FollowUp) if row.reason == "breach_assessment"]
    story.web.sign_in("desk@clinic.test", PASSWORD)
    page = story.web.get(f"/follow-ups/{item.id}").text
    return ", ".join(re.findall(r": ([a-z_0-9]+, [A-Za-z ]+)</li>", page))


@situations("rule_21")
def test_rule_21_a_wrong_number_is_stopped_and_assessed(
    make: Make, situation: str, table: str
) -> None:
    """Every text that was delivered there is listed; a plea from it is answered all the same."""
    deeds = (a_visit_is_booked, the_desk_opens_the_breach)
    known = {deed.__name__: deed for deed in deeds}
    assert played(begins(make, situation, table), table, **known) == as_told(table)


_PATIENTS = (
    "patient_id,clinic,first_name,phone,language,timezone,consent_method,consented_at,"
    "consent_purposes\nP7,riverside,Ana,{phone},en,America/New_York,written,"
    "2026-12-01T09:50:00-05:00,visits;check_ins;health_questions\n"
)


def the_welcome_does_not_arrive(story: Story) -> None:
    phone = PHONES["Eve"]
    outcome = {"status": "undelivered", "error_code": 30006}
    story.lab.api("PUT", f"/phones/{phone}/outcome", outcome)
    assert story.desk.rows(FollowUp) == []
    file = _PATIENTS.format(phone=phone).encode()
    assert people.import_patients(story.world.services, file, actor="desk").bad == 0


def her_visit_is_booked(story: Story) -> None:
    story.desk.has_imported_before()
    story.desk.imports("2026-12-09T10:00", patient="P7")


@situations("rule_21_welcome")
def test_rule_21_a_welcome_that_does_not_arrive_holds_everything(
    make: Make, situation: str, table: str
) -> None:
    """Somebody calls the same day, and no text about the visit goes there."""
    deeds = {
        "the_welcome_does_not_arrive": the_welcome_does_not_arrive,
        "a_visit_is_booked": her_visit_is_booked,
    }
    assert played(begins(make, situation, table), table, **deeds) == as_told(table)
