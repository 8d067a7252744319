"""Routes and substances are data: a clinic adds its own, and code asks for what is said of them."""

import pytest

from schedules import terms
from schedules.clinic import read_clinic
from schedules.errors import ClinicFileError, ProtocolError
from schedules.facts import Dose, VisitStatus
from schedules.loader import load
from schedules.planner import plan
from schedules.schema import schema
from tests.schedules.planning import clinic, enrolled, going, local, patient, skipped, visit
from tests.support.world import CLINIC

OWN = """
routes: {nasal: {shown: nasal spray}}
substances:
  cannabis: {shown: cannabis, also: [weed], silence_is_urgent: true}
  opioids: {shown: opioids and fentanyl}
"""
PROTOCOL = """\
id: own
title: Own
for: {visit: dosing, routes: [nasal, iv]}
substances: cannabis
purpose: visits
importance: visit
steps:
  - id: a
    template: visit_7d
    when: 2 days before visit start at 10:00
    latest: 3 hours before visit start
    only_if: [route nasal, substance is cannabis or alcohol]
tasks:
  - id: b
    when: 1 day after visit start at 10:00
    only_if: route not nasal
    open: callback
    severity: digest
"""


def _file(more: str = OWN):
    text = CLINIC.format(key="x", number="+12125550110", opens="09:00", closes="20:00")
    return read_clinic(text + more, "clinic.yaml", sandbox=True)


def test_a_clinic_adds_a_route_and_a_substance():
    """They stand beside the shipped ones, and survive being kept as JSON."""
    known = type(_file()).from_json(_file().to_json()).terms
    assert known.route_names == (*terms.shipped().route_names, "nasal")
    assert known.substance_names == (*terms.shipped().substance_names, "cannabis")
    assert (known.route_shown("nasal"), known.route_shown("oral")) == ("nasal spray", "oral")


def test_what_is_said_of_a_shipped_one_leaves_the_rest_as_it_was():
    """Another word for staff must not make silence less urgent."""
    (opioids,) = [one for one in _file().terms.substances if one.name == "opioids"]
    assert (opioids.shown, opioids.silence_is_urgent) == ("opioids and fentanyl", True)
    off = _file("substances: {opioids: {silence_is_urgent: false}}\n").terms
    assert not off.urgent_in(["opioids"])


@pytest.mark.parametrize(
    ("said", "meant", "urgent"),
    [
        (["Opioid use disorder"], {"opioids"}, True),
        (["heroin", "alcohol"], {"opioids", "alcohol"}, True),
        ("opioid", {"opioids"}, True),
        (["meth"], {"methamphetamine"}, False),
        (["methadone"], set(), False),
        (["weed"], {"cannabis"}, True),
        (["tobacco"], {"nicotine"}, False),
        (None, set(), False),
    ],
)
def test_a_record_means_a_substance_in_words_of_its_own(said, meant, urgent):
    """Whole sentences, other names, and none at all."""
    assert (_file().terms.meant_by(said), _file().terms.urgent_in(said)) == (meant, urgent)


def test_a_protocol_may_name_what_its_clinic_knows():
    """It plans for that route and that substance, and for no other."""
    protocol = load(PROTOCOL, "own.yaml", terms=_file().terms)
    booked = visit(local("2026-12-09 11:00"), route="nasal")
    person = patient(substances=frozenset({"cannabis"}))
    now = booked.booked_at
    assert "visit_7d" in going(plan(enrolled(protocol, booked), person, clinic(), now=now))
    other = enrolled(protocol, visit(local("2026-12-09 11:00"), route="iv"))
    assert skipped(plan(other, person, clinic(), now=now)) == {"a": "not_meant"}
    assert skipped(plan(enrolled(protocol, booked), patient(), clinic(), now=now)) == {
        "a": "not_meant"
    }


def test_a_name_that_the_clinic_does_not_know_is_a_fault_with_its_line():
    """A typo, or one that its file has to name first."""
    with pytest.raises(ProtocolError) as caught:
        load(PROTOCOL, "own.yaml")
    assert [(one.line, one.message.split("`")[1]) for one in caught.value.faults] == [
        (3, "nasal"),
        (4, "cannabis"),
        (12, "nasal"),
        (12, "cannabis"),
        (16, "nasal"),
    ]
    assert all("clinic adds its own under" in one.mend for one in caught.value.faults)
    with pytest.raises(ProtocolError, match=r"Did you mean `lozenge`\?"):
        load(PROTOCOL.replace("route not nasal", "route not lozenges"), "own.yaml")


def test_a_published_protocol_is_followed_whatever_the_clinics_file_says_now():
    """A name that was taken out again stops nobody's texts."""
    assert load(PROTOCOL, "own.yaml", published=True).steps[0].only_if[0].routes == {"nasal"}


def test_an_editor_completes_the_clinics_names():
    """The schema of a clinic's file has its routes and substances."""
    found = schema(_file().terms)["properties"]
    assert "nasal" in found["for"]["properties"]["routes"]["anyOf"][0]["enum"]
    assert "cannabis" in found["substances"]["anyOf"][0]["enum"]


@pytest.mark.parametrize("name", ["Nasal", "or", "two words", "not"])
def test_a_name_that_no_sentence_could_hold_is_refused(name):
    """`route nasal or oral` has to mean two routes."""
    with pytest.raises(ClinicFileError, match="no name of a route or substance"):
        _file(f"routes: {{{name!r}: {{shown: spray}}}}\n")


def test_a_dose_by_a_route_of_the_clinics_own_is_followed_up():
    """After-dose texts ask for no route, and fasting texts take it in."""
    after = visit(
        local("2026-12-09 11:00"),
        route="nasal",
        status=VisitStatus.CHECKED_OUT,
        checked_out_at=local("2026-12-09 13:00"),
        dose=Dose.GIVEN,
    )
    found = plan(enrolled("after-dose", after), patient(), clinic(), now=local("2026-12-09 13:00"))
    assert set(going(found)) == {"after_evening", "after_morning"}
