"""What a coordinator can get wrong: each mistake is named with its line and how to mend it."""
# ruff: noqa: E501 - The sentences of a protocol stand on one line each, as in its file.

from dataclasses import replace
from datetime import time

import pytest

from schedules import coverage
from schedules.clinic import read_clinic
from schedules.errors import ClinicFileError, ProtocolError
from schedules.loader import load, shipped_files
from schedules.staffing import StaffedHours
from schedules.windows import SendWindow
from tests.schedules.planning import NEW_YORK, WEEKDAY, clinic, local
from tests.support.world import CLINIC

VISIT = """\
id: own
title: Own
for: {visit: dosing}
purpose: visits
importance: visit
steps:
  - id: a
    template: visit_7d
    when: 2 days before visit start at 10:00
    latest: 3 hours before visit start
"""
BY_HAND = """\
id: own
title: Own
enroll: by hand
purpose: check_ins
importance: check-in
steps:
  - id: a
    template: daily_0_10
    when: same day as enrollment at 17:00
    latest: 3 hours after sending
    expects: craving_scale
    answer_until: 20 hours after sending
"""
TEMPLATES = {
    "visit_7d": frozenset({"sms_name", "when", "link"}),
    "daily_0_10": frozenset({"sms_name", "phone"}),
    "mood_form": frozenset({"sms_name", "link"}),
}


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "message", "mend"),
    [
        (VISIT, "2 days before visit start at 10:00", "900 days before visit start at 10:00", 9, "more than two years", "730"),
        (VISIT, "2 days before visit start at 10:00", "0 hours before visit start", 9, "no distance", "at ..."),
        (VISIT, "2 days before visit start at 10:00", "400 hours before visit start", 9, "too many hours", "count in days"),
        (VISIT, "2 days before visit start at 10:00", "2 days before visit start at 25:00", 9, "25:00", "24-hour"),
        (VISIT, "3 hours before visit start", "4 days before visit start at 10:00", 10, "can never be sent", "after `when`"),
        (VISIT, "    latest", "    stays_on: same day\n    latest", 9, "true only on the day itself", "day before"),
        (VISIT, "    when: 2 days before visit start at 10:00\n    latest: 3 hours before visit start\n", "    when: 3 hours before visit start\n    stays_on: same day\n    latest: 1 day before visit start at 12:00\n", 11, "over before the day it is true", "Put `latest`"),
        (BY_HAND, "template: daily_0_10", "template: mood_form", 8, "wants {link}", "form: ..."),
        (VISIT, "template: visit_7d", "template: visit_9d", 8, "no text `visit_9d`", "catalogue"),
        (BY_HAND, "template: daily_0_10", "template: visit_7d", 8, "{when}", "for: {visit"),
        (BY_HAND, "    latest", "    repeat: [from day 1 to day 14, every day, from day 10 to day 20, every day]\n    latest", 10, "", ""),
        (BY_HAND, "    latest", "    repeat: ['from day 1 to day 14, every day', 'from day 10 to day 20, every day']\n    latest", 10, "overlap", "day 15"),
        (BY_HAND, "    expects: craving_scale\n    answer_until: 20 hours after sending\n", "    form: mood\n    expects: yes_no\n    answer_until: 2 days after sending\n", 12, "answered on its page", "Leave"),
        (BY_HAND, "when: same day as enrollment at 17:00", "when: at consent", 9, "starts with the consent", "with consent"),
        (BY_HAND, "    answer_until", "    on_answer: [{when: any score 3 or more, open: high_score, severity: digest}]\n    answer_until", 12, "scores are those of a form", "form: ..."),
    ],
)  # fmt: skip
def test_a_protocol_that_cannot_be_meant(text, old, new, line, message, mend):
    """Impossible offsets, texts that never go, overlaps, variables that nobody can give."""
    assert old in text
    with pytest.raises(ProtocolError) as caught:
        load(text.replace(old, new, 1), "own.yaml", templates=TEMPLATES)
    found = [one for one in caught.value.faults if message in one.message and mend in one.mend]
    assert [one.line for one in found][:1] == [line]


def test_a_zone_that_does_not_exist():
    """With its line, and the name that was meant."""
    text = CLINIC.format(key="x", number="+12125550110", opens="09:00", closes="20:00")
    with pytest.raises(ClinicFileError) as caught:
        read_clinic(text.replace("America/New_York", "America/NewYork"), "clinic.yaml")
    [fault] = [one for one in caught.value.faults if "NewYork" in one.message]
    assert (fault.line, "America/New_York" in str(fault)) == (6, True)


@pytest.mark.parametrize("link", ["forms .example.org", "ftp://x", "forms.example.org/" + "x" * 60])
def test_a_form_whose_link_no_text_could_carry(link):
    """Spaces, another scheme, and too long."""
    text = CLINIC.format(key="x", number="+12125550110", opens="09:00", closes="20:00")
    with pytest.raises(ClinicFileError) as caught:
        read_clinic(f"{text}forms: {{mood: {link!r}}}\n", "clinic.yaml", sandbox=True)
    assert [one.line for one in caught.value.faults] == [text.count("\n") + 1]


def test_a_text_for_which_a_clinic_leaves_no_minute_is_a_warning():
    """Two hours before a morning visit, where texts go in the late afternoon only."""
    changed = VISIT.replace("2 days before visit start at 10:00", "2 hours before visit start")
    changed = changed.replace("3 hours before", "1 hour before") + "    stays_on: same day\n"
    protocol, now = load(changed, "own.yaml"), local("2026-11-30 09:00")
    late = SendWindow(opens=time(16), closes=time(17))
    [found] = coverage.warnings(protocol, clinic(window=late), now=now)
    assert "step `a`: for none of the visits tried is there a minute" in found
    assert coverage.warnings(protocol, clinic(), now=now) == []


def test_every_step_that_ships_finds_a_minute_in_an_ordinary_clinic():
    """None warns that it can never be sent, with the hours of most clinics."""
    for name, source in shipped_files().items():
        found = coverage.warnings(load(source, name), clinic(), now=local("2026-11-30 09:00"))
        assert not [one for one in found if "for none of the visits" in one], name


FOOD_AND_RIDE = "dosing-visit.yaml"


def test_too_few_staffed_hours_before_a_visit_are_a_warning():
    """Care rule 4: a Monday's food text can only go on Sunday, and nobody reads its answer."""
    protocol, now = load(shipped_files()[FOOD_AND_RIDE], "p.yaml"), local("2026-11-30 09:00")
    found = coverage.warnings(protocol, clinic(), now=now)
    short = [one for one in found if "staffed hours that it needs" in one]
    assert [one.split(":")[0] for one in short] == ["step `visit_24h_prep`", "step `visit_2h_ride`"]
    assert all("for visits on Monday, fewer than the" in one for one in short)
    everyday = StaffedHours(hours=dict.fromkeys(range(7), WEEKDAY), zone=NEW_YORK)
    assert coverage.warnings(protocol, replace(clinic(), staffed=everyday), now=now) == []
    wants = load(VISIT + "    needs_staffed_hours: 80\n", "p.yaml")
    [never] = coverage.warnings(wants, clinic(), now=now)
    assert "for visits on Monday, Tuesday, Wednesday, Thursday, Friday, fewer than the 80" in never


def test_a_holiday_between_a_text_and_its_visit_is_a_warning():
    """Every day is staffed, but for the calendar's closed ones."""
    protocol, now = load(shipped_files()[FOOD_AND_RIDE], "p.yaml"), local("2026-11-30 09:00")
    hours = StaffedHours(hours=dict.fromkeys(range(7), WEEKDAY), zone=NEW_YORK, country="US")
    found = coverage.warnings(protocol, replace(clinic(), staffed=hours), now=now)
    assert any("visit_24h_prep" in one and "such as Fri 2026-12-25, fewer" in one for one in found)
    assert not any("on Monday" in one for one in found)


def test_a_question_late_in_a_year_is_looked_at_too():
    """Once a month, from the seventh on: its Fridays are as closed as the first week's."""
    late = BY_HAND.replace(
        "    latest", "    repeat: from day 198 to day 365, every 30 days\n    latest"
    )
    [found] = coverage.warnings(load(late, "p.yaml"), clinic(), now=local("2026-11-30 09:00"))
    assert "asked on Friday, Saturday, its answer" in found


def test_every_route_is_tried_by_itself():
    """Where some have a minute, those that have none are named."""
    text = VISIT.replace("dosing}", "dosing, routes: [iv, im]}")
    text = text.replace("2 days before visit start at 10:00", "24 hours before visit start")
    text = text.replace("3 hours before visit start", "6 hours before food cut-off")
    place = clinic(fasting_by_route={"iv": (24, 2)})
    protocol = load(text + "    stays_on: day before\n", "p.yaml")
    found = coverage.warnings(protocol, place, now=local("2026-11-30 09:00"))
    assert [one for one in found if "for none of dosing visits by iv is there a minute" in one]
    assert not [one for one in found if "by im" in one]


def test_an_answer_window_outside_staffed_hours_is_a_warning():
    """The file is right, and somebody has to know."""
    protocol = load(shipped_files()["daily-check-in.yaml"], "p.yaml")
    found = coverage.warnings(protocol, clinic(), now=local("2026-11-30 09:00"))
    assert "answer can come only while nobody is there" in found[0]
