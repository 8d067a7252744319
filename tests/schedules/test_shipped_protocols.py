"""The protocols that come with the product: readable, complete, and as the care rules want them."""

from datetime import timedelta

import pytest

from schedules.loader import load_all, shipped, shipped_files
from schedules.phrases import moment, moment_phrase
from schedules.planner import plan
from schedules.protocol import Anchor, Importance, Purpose, Severity, Step
from tests.schedules.planning import clinic, enrolled, going, local, patient, skipped, visit

#: In minutes.
DAY = 24 * 60
STEPS = [(protocol.id, step) for protocol in shipped().values() for step in protocol.steps]


def test_the_set_is_the_one_clinics_name():
    """A clinic's file names these ids, and their files are named after them."""
    assert set(shipped()) == {
        *("visit-notices", "assessment-visit", "dosing-visit", "dosing-at-home", "after-dose"),
        *("integration", "integration-unbooked", "no-show", "no-show-dosing", "booster"),
        *("daily-check-in", "relapse-prevention", "relapse-prevention-alcohol"),
        *("relapse-prevention-opioids", "relapse-prevention-stimulants"),
        *("relapse-prevention-nicotine", "mood-check", "outcome-follow-up", "welcome"),
    }


def test_they_load_without_a_fault_from_their_files():
    """File names are the ids, so that a coordinator finds them."""
    assert [f"{name}.yaml" for name in load_all(shipped_files())] == sorted(shipped_files())


def test_every_text_exists_and_gets_its_variables():
    """Checked against the shipped catalogue when it is there."""
    templates = pytest.importorskip("messages.templates").shipped()
    variables = {key: templates.variables(key) for key in templates.templates}
    load_all(shipped_files(), templates=variables)


@pytest.mark.parametrize(("protocol", "step"), STEPS, ids=lambda one: getattr(one, "id", one))
def test_a_confirmation_ends_only_pure_requests(protocol: str, step: Step):
    """Health news, food, ride and day-of texts have no such condition (care rule 1)."""
    always = step.importance in {Importance.FOOD, Importance.RIDE, Importance.AFTER_DOSE}
    if always or step.id in {"visit_48h", "followup_2h"}:
        assert "not confirmed" not in {condition.kind for condition in step.only_if}


def test_food_ride_and_health_news_become_calls():
    """Care rule 2's three, those at home, the news that voids them (5), the welcome, the checks."""
    calls = {step.id for _, step in STEPS if step.if_not_delivered}
    assert calls == {
        *("visit_48h", "visit_24h_prep", "visit_2h_ride"),
        *("after_evening", "evening_unrecorded", "after_morning", "home_evening", "home_morning"),
        *("home_24h", "home_ready", "visit_moved", "visit_cancelled", "welcome"),
    }


def test_staffed_hours_are_as_the_care_rules_say():
    """Changes and health news need 4 hours, the ride 2 (care rule 4)."""
    needs = {step.id: step.needs_staffed_minutes // 60 for _, step in STEPS}
    assert needs["visit_48h"] == needs["assess_48h"] == needs["followup_24h"] == 4
    assert needs["visit_2h_ride"] == 2


def test_purposes_are_those_patients_consent_to():
    """Questions about health and check-ins have a consent of their own."""
    purposes = {protocol: step.purpose for protocol, step in STEPS}
    assert purposes["after-dose"] is Purpose.HEALTH_QUESTIONS
    assert purposes["daily-check-in"] is Purpose.CHECK_INS
    assert purposes["dosing-visit"] is Purpose.VISITS


def test_high_numbers_need_a_person_the_same_day():
    """7 or more is called today and 10 pages (the clinical brief, section 3)."""
    rules = shipped()["daily-check-in"].steps[0].on_answer
    found = {rule.when.number: rule.severity for rule in rules}
    assert (found[7], found[10]) == (Severity.CALL_TODAY, Severity.PAGE_NOW)


@pytest.mark.parametrize("route", ["iv", "im", "lozenge", None])
def test_every_route_in_the_clinic_is_taken_in(route):
    """A visit without a route is too, since a missing field must not cost the fasting text."""
    filters = shipped()["dosing-visit"].visits
    assert filters is not None
    assert filters.matches("dosing", route, None)
    assert not filters.matches("dosing", route, "home")


@pytest.mark.parametrize(
    ("kind", "protocol", "expected"),
    [
        ("assessment", "assessment-visit", {"assess_48h": "Tue 08 14:00"}),
        (
            "integration",
            "integration",
            {"followup_24h": "Wed 09 14:00", "followup_2h": "Thu 10 12:00"},
        ),
    ],
)
def test_the_other_visits_are_reminded(kind, protocol, expected):
    """A Thursday at 14:00, with nothing to move."""
    start = local("2026-12-10 14:00")
    facts = enrolled(protocol, visit(start, kind=kind, route=None))
    texts = plan(facts, patient(), clinic(), now=start - timedelta(days=5))
    assert going(texts) == expected


@pytest.mark.parametrize("start", ["08:00", "09:30", "10:59"])
def test_an_early_talk_is_spoken_of_the_afternoon_before(start: str):
    """Care rule 3, for a visit after which the patient may drive: in words of its own."""
    facts = enrolled("integration", visit(local(f"2026-12-10 {start}"), kind="integration"))
    texts = plan(facts, patient(), clinic(), now=local("2026-12-05 14:00"))
    assert going(texts)["followup_eve"] == "Wed 09 16:00"
    assert skipped(texts) == {}


#: What is said shortly before a visit, which may be before the window opens. Whether the sitter is
#: there, an hour before a session at home, can't be asked the day before: then somebody calls.
ON_THE_DAY = {"visit_2h_ride": "visit_eve_ride", "followup_2h": "followup_eve", "home_ready": None}


def test_every_text_of_the_day_itself_has_words_for_the_afternoon_before():
    """Care rule 3, or a call where no such words could be true."""
    before_a_visit = {
        step.id: step
        for _, step in STEPS
        if step.when.anchor is Anchor.VISIT_START and -DAY < (step.when.minutes or -DAY) < 0
    }
    found = {name: step.otherwise for name, step in before_a_visit.items()}
    assert {name: each and each.template for name, each in found.items()} == ON_THE_DAY
    assert before_a_visit["home_ready"].if_not_delivered is not None


@pytest.mark.parametrize(("protocol", "step"), STEPS, ids=lambda one: getattr(one, "id", one))
def test_sentences_survive_an_export(protocol: str, step: Step):
    """What is written back reads back."""
    for value in (step.when, step.latest):
        assert moment(moment_phrase(value)) == value
