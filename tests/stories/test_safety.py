"""Somebody in danger writes, day and night, with and without somebody on call."""

import re
from datetime import timedelta

from tests.stories.table import ANA, as_told, begins, played, situations
from tests.stories.town import Make, Story
from tests.web.house import PASSWORD
from tests.worker.duty import KIM, SAM

FACTS = ("I want to kill myself", "alcohol", "naltrexone", "after 18:00", "Lee, 212-555-0188")


@situations("rule_09")
def test_rule_9_nothing_of_ours_stops_a_safety_reply(
    make: Make, situation: str, table: str
) -> None:
    """Not a breaker, pause, hold, spent bucket or consent withdrawn; a stop is tried once."""
    story = begins(make, situation, table)
    assert played(story, table, all_is_stopped=_all_is_stopped) == as_told(table)
    story.web.sign_in("desk@clinic.test", PASSWORD)
    arrived = []
    for (item,) in story.world.execute(
        "SELECT id FROM follow_up WHERE severity = 'page_now' ORDER BY opened_at"
    ):
        arrived += re.findall("Our reply: ([^<]+)", story.web.get(f"/follow-ups/{item}").text)
    assert arrived == ["Not sent", "Delivered", "Delivered"]


def _all_is_stopped(story: Story) -> None:
    world = story.world
    world.execute(
        "UPDATE sender SET breaker_opened_at = :now, breaker_until = :until, tokens = 0,"
        " breaker_reason = 'refused', segments_per_second = 0.0001",
        now=world.now,
        until=world.now + timedelta(hours=1),
    )
    world.execute("UPDATE clinic SET paused_at = :now", now=world.now)
    world.execute("UPDATE patient SET status = 'held', purposes = '{}'")


@situations("rule_09_late")
def test_rule_9_a_plea_found_late_is_paged_with_its_age(
    make: Make, situation: str, table: str
) -> None:
    """The webhook was lost; the carrier's list has the text 25 minutes later."""
    story = begins(make, situation, table, pulls=True)
    deeds = {
        "webhooks_get_lost": lambda story: story.lab.fault("lose_inbound"),
        "the_list_is_read": lambda story: story.engine.pull(),
    }
    assert played(story, table, **deeds) == as_told(table)
    letters = (str(letter["Subject"]) for _, letter in story.box.letters)
    told = [*story.heard(SAM), *story.heard(KIM), *letters]
    assert told
    # The carrier's clock went on for the moment that the text took.
    assert all(re.search(r"Their\s+text\s+is\s+2[45]\s+min\s+old\.", words) for words in told)


@situations("rule_10")
def test_rule_10_acknowledging_stops_the_climb_and_not_the_clock(
    make: Make, situation: str, table: str
) -> None:
    """The owner is paged again, then the next; a new text pages again; a clinician ends it."""
    assert played(begins(make, situation, table), table) == as_told(table)


@situations("rule_11")
def test_rule_11_nobody_is_promised_who_is_not_there(
    make: Make, situation: str, table: str
) -> None:
    """With nobody covered the reply names no team; after 20 min one more does, never of abuse."""
    story = begins(make, situation, table)
    assert played(story, table) == as_told(table)
    promised = any("alerted our team" in words for words in story.heard(ANA))
    assert promised == (situation != "night, nobody")


@situations("rule_15")
def test_rule_15_whoever_is_paged_opens_one_card(make: Make, situation: str, table: str) -> None:
    """By the page's own link, after sign-in; what 911 was told is noted there."""
    story = begins(make, situation, table)
    profile = (
        '{"substances": ["alcohol"], "medicines": "naltrexone", "voicemail_ok": false,'
        ' "safe_hours": "after 18:00", "emergency_contact": "Lee, 212-555-0188"}'
    )
    ana = story.talk.patient()
    sealed = story.world.vault.seal("patient", "profile", ana.id, profile)
    story.world.execute("UPDATE patient SET profile = :p WHERE id = :id", p=sealed, id=ana.id)
    deeds = {
        "a_dose_ends": lambda story: story.desk.dose_ends(),
        "the_page_is_opened": _opened,
        "911_is_told": _told_911,
    }
    assert played(story, table, **deeds) == as_told(table)


def _card(story: Story) -> str:
    """Return the address that the last page's letter gives, without its host."""
    letter = story.box.letters[-1][1].get_payload(decode=True)
    assert isinstance(letter, bytes)
    [path] = re.findall(rf"{story.web.base}(/follow-ups/\S+)", letter.decode())
    return str(path)


def _opened(story: Story) -> str:
    path = _card(story)
    assert story.web.get(path).status_code == 303, "nobody reads it without signing in"
    story.web.sign_in("doc@clinic.test", PASSWORD)
    page = story.web.get(path).text
    assert all(fact in page for fact in FACTS), page
    assert "<dd>no</dd>" in page, "no voicemail may be left"
    assert "Call the patient now" in page
    [dose] = re.findall(r"<dt>Last dose</dt><dd>(.*?)</dd>", page)
    return " ".join(re.sub(r"<[^>]+>", "", dose).split())


def _told_911(story: Story) -> str:
    path = _card(story)
    form = {"csrf": story.web.csrf(), "recipient": "911, county EMS", "told": "Elm St 5, IV dose"}
    story.web.post(f"{path}/told", data=form)
    return ", ".join(re.findall(r"911, county EMS, told by [^<\s]+", story.web.get(path).text))


@situations("rule_23")
def test_rule_23_a_safety_reply_speaks_the_language_of_the_text(
    make: Make, situation: str, table: str
) -> None:
    """Ana reads English and writes Spanish, Ben the other way round; items show what they read."""
    story = begins(make, situation, table)
    ben = story.talk.patient(1)
    story.world.execute("UPDATE patient SET language = 'es' WHERE id = :id", id=ben.id)
    assert played(story, table) == as_told(table)
    story.web.sign_in("desk@clinic.test", PASSWORD)
    [(item,)] = story.world.execute("SELECT id FROM follow_up WHERE patient_id = :id", id=ben.id)
    assert "<dd>Spanish</dd>" in story.web.get(f"/follow-ups/{item}").text
