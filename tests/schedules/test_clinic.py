"""The clinic file: read whole, stored and back, and every fault with its line and its mend."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import clinic_cover
from schedules.clinic import AfterHours, ClinicFile, DetailLevel, UnknownPolicy, read_clinic
from schedules.errors import ClinicFileError
from schedules.windows import SendWindow
from schedules.yamlfile import parse

EXAMPLE = Path(__file__).parents[2] / "examples" / "clinic.yaml"
CONTRACT = """\
id: riverside
name: Riverside Ketamine & Recovery Center      # internal, never in a text
sms_name: Riverside Care                        # neutral; what texts say
phone: "+12125550100"
timezone: America/New_York
languages: [en, es]
send_window: {from: "09:00", to: "20:00"}
staffed_hours: {mon: ["08:00-12:00", "13:00-17:00"], tue: ["08:00-17:00"], sat: []}
holidays: {country: US, subdivision: NY, extra: ["2026-12-24"]}
sender: {messaging_service_sid: MG00000000000000000000000000000000, numbers: ["+12125550110"], \
segments_per_second: 10, previous: []}
caps: {per_day: 2, per_week: null}
fasting: {solids_hours: 6, fluids_hours: 2}
on_call: [{name: Sam, phone: "+12125550190", email: sam@clinic.test, hours: always}]
lead: {name: Kim, phone: "+12125550191", email: kim@clinic.test}
after_hours: on_call                            # or none
optout_handled_by: twilio                       # or app
unknown: {policy: verify_then_retry, grace_seconds: 180, recheck_seconds: 60}
detail_level: L0
stop_footer: monthly
protocols: [assessment-visit, dosing-visit, after-dose, integration, daily-check-in]
"""
SHORTEST = """\
id: small
name: Small Clinic
sms_name: Small Care
phone: "+12125550100"
timezone: America/Phoenix
staffed_hours: {mon: ["08:00-12:00"]}
sender: {from: "+12125550110"}
after_hours: none
"""


def clinic(text: str = CONTRACT, *, sandbox: bool = False) -> ClinicFile:
    return read_clinic(text, "clinic.yaml", sandbox=sandbox)


def faults(text: str, *, sandbox: bool = False) -> list[str]:
    """Every fault of a file, as it is printed."""
    with pytest.raises(ClinicFileError) as caught:
        clinic(text, sandbox=sandbox)
    return [str(fault) for fault in caught.value.faults]


def changed(line: str, *, key: str | None = None) -> str:
    """The contract's file with one line replaced, or without it when `line` is empty."""
    key = key or line.partition(":")[0]
    old = next(each for each in CONTRACT.splitlines() if each.startswith(f"{key}:"))
    return CONTRACT.replace(old + "\n", line + "\n" if line else "")


def test_the_file_in_the_contract_is_read_as_it_stands():
    """Every key of the published example arrives with its meaning."""
    found = clinic()
    assert found.zone == ZoneInfo("America/New_York")
    assert found.window() == SendWindow(opens=time(9), closes=time(20))
    assert found.holidays.extra == (date(2026, 12, 24),)
    assert (found.after_hours, found.detail_level) == (AfterHours.ON_CALL, DetailLevel.L0)
    assert found.unknown.policy is UnknownPolicy.VERIFY_THEN_RETRY
    assert found.caps.per_week is None
    assert found.heard_numbers == {"+12125550110"}
    assert not found.needs_sandbox


def test_three_a_week_are_the_default_and_none_has_to_be_said():
    """Care rule 8; the week's cap is of patients who did not agree to check-ins."""
    assert clinic(changed("", key="caps")).caps.per_week == 3
    assert clinic(changed("caps: {per_day: 2}")).caps.per_week == 3
    assert clinic(changed("caps: {per_day: 2, per_week: null}")).caps.per_week is None


def test_the_shipped_example_needs_the_sandbox_and_is_staffed_every_day():
    """Its short wait for unknown texts is refused where real texts go."""
    text = EXAMPLE.read_text(encoding="utf-8")
    found = clinic(text, sandbox=True)
    assert found.needs_sandbox
    assert all(found.staffed_hours.by_weekday().values())
    assert ["unknown.grace_seconds" in fault for fault in faults(text)] == [True]


def test_a_short_file_gets_the_documented_defaults():
    """What is left out is the default, and the one sender's number is heard."""
    found = clinic(SHORTEST)
    assert (found.languages, found.caps.per_day, found.fasting.solids_hours) == (("en",), 2, 6)
    assert (found.sender.segments_per_second, found.unknown.grace_seconds) == (1, 180)
    assert (found.after_hours, found.stop_footer, found.optout_handled_by) == (
        "none",
        "monthly",
        "twilio",
    )
    assert found.heard_numbers == {"+12125550110"}
    assert not found.is_covered(datetime(2026, 11, 23, 3, tzinfo=UTC))


@pytest.mark.parametrize("text", [CONTRACT, SHORTEST, EXAMPLE.read_text(encoding="utf-8")])
def test_a_stored_clinic_comes_back_equal(text):
    """The JSON has the shape of the file, and reading it needs no mode."""
    found = clinic(text, sandbox=True)
    stored = found.to_json()
    assert ClinicFile.from_json(stored) == found
    assert ClinicFile.from_json(stored).to_json() == stored


@settings(max_examples=50, deadline=None)
@given(
    opens=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    rate=st.integers(1, 500),
    policy=st.sampled_from(list(UnknownPolicy)),
)
def test_changed_values_survive_storing(opens, rate, policy):
    """Any accepted value is the same after a round trip."""
    text = changed(f'send_window: {{from: "{opens:%H:%M}", to: "24:00"}}')
    text = text.replace("segments_per_second: 10", f"segments_per_second: {rate}")
    found = clinic(text.replace("verify_then_retry", policy), sandbox=True)
    assert ClinicFile.from_json(found.to_json()) == found
    assert found.window().closes == time(0)


def test_equal_files_share_one_set_of_staffed_hours():
    """A clinic read again from the database keeps its cache of days."""
    one = clinic()
    assert ClinicFile.from_json(one.to_json()).staffed() is one.staffed()
    assert clinic(SHORTEST).staffed() is not one.staffed()
    assert clinic(changed('timezone: "America/Chicago"')).staffed() is not one.staffed()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("id: River Side", 'clinic.yaml:1: id: "River Side" is not written as it must be.'),
        ("sms_name: Riverside Care Center of Town", "sms_name has 29 letters; 24 are the most"),
        ('sms_name: ""', "sms_name is empty"),
        ("phone: 212-555-0100", 'Write "+12125550100"'),
        ('phone: "+442071838750"', 'Write a US number as "+1" and ten digits'),
        ("timezone: EST", 'Did you mean "America/New_York"'),
        ("timezone: America/NewYork", 'Did you mean "America/New_York"'),
        ("languages: [en, fr]", 'languages[2]: "fr" is not one of en, es'),
        ("languages: []", "no language is named"),
        ("languages: [en, en]", '"en" stands here twice'),
        ('send_window: {from: "20:00", to: "09:00"}', "ends at 09:00, before it starts at 20:00"),
        ('send_window: {from: "07:00", to: "20:00"}', "between 08:00 and 21:00"),
        ('send_window: {from: "7 pm"}', '"7 pm" is not a time of day'),
        ("send_window: {form: x}", 'Did you mean "from"'),
        ('staffed_hours: {mon: ["08:00-12:00", "11:00-17:00"]}', "overlap"),
        ('staffed_hours: {mon: ["22:00-06:00"]}', '"20:00-24:00" and "00:00-06:00"'),
        ('staffed_hours: {mon: "08:00-12:00"}', "staffed_hours.mon must be a list in [ ]"),
        ('staffed_hours: {tues: ["08:00-12:00"]}', 'Did you mean "tue"'),
        ("staffed_hours: {mon: []}", "no hour of the week is staffed"),
        ("holidays: {country: Oz}", 'no holidays are known for "Oz"'),
        ("holidays: {country: US, subdivision: NYC}", '"NYC" is no part of US'),
        ("holidays: {subdivision: NY}", "a subdivision needs its country"),
        ('holidays: {extra: ["12/24/2026"]}', '"12/24/2026" is not a date'),
        ('sender: {numbers: ["+12125550110"]}', "either a messaging service or one number"),
        (
            "sender: {messaging_service_sid: MG00000000000000000000000000000000}",
            "needs the numbers",
        ),
        ('sender: {from: "+12125550110", segments_per_second: 0}', "must be greater than 0"),
        ("sender: {messaging_service_sid: MG12}", "MG and 32 digits"),
        ("caps: {per_day: 0}", "must be at least 1"),
        ("caps: {per_day: two}", "caps.per_day must be a whole number. Write per_day: 2"),
        ("fasting: {solids_hours: 2, fluids_hours: 6}", "fluids end before food does"),
        ('on_call: [{name: Sam, phone: "+12125550190", hours: alway}]', '"alway" says no hours'),
        ('on_call: [{name: Sam, phone: "+12125550190", email: sam}]', "Write an address"),
        ("on_call: [{name: Sam}]", "on_call[1].phone is missing"),
        ("on_call: []", "on_call needs somebody who takes pages"),
        ("lead: null", "on_call needs a lead"),
        ("after_hours: oncall", 'Did you mean "on_call"'),
        ("optout_handled_by: us", "Write one of twilio, app"),
        ("unknown: {policy: retry}", "Write one of verify_then_retry, prefer_silence"),
        ("unknown: {grace_seconds: 15}", "Give at least 120"),
        ("unknown: {recheck_seconds: 0}", "must be at least 1"),
        ("detail_level: L2", "Write one of L0, L1"),
        ("stop_footer: never", "Write one of always, monthly"),
        ("protocols: dosing-visit", "protocols must be a list in [ ]"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_mend(line, fault):
    """One fault, on the line of its key, in words that say what to write."""
    text = changed(line)
    found = faults(text)
    number = text.splitlines().index(line) + 1
    assert len(found) == 1 or line.startswith("on_call: []")
    assert any(fault in each and each.startswith("clinic.yaml:") for each in found)
    if not line.startswith(("on_call: []", "lead: null")):
        assert found[0].startswith(f"clinic.yaml:{number}: ")


@pytest.mark.parametrize(
    "key", ["id", "name", "sms_name", "phone", "timezone", "staffed_hours", "sender"]
)
def test_a_missing_key_is_named_with_a_line_to_add(key):
    """The mend is a line that can be copied."""
    found = faults(changed("", key=key))
    assert len(found) == 1
    assert found[0].startswith(f"clinic.yaml:1: {key} is missing. Add {key}: ")


def test_an_unknown_key_is_named_with_the_nearest():
    """A misspelt key would otherwise silently mean its default."""
    found = faults(CONTRACT + "stop_foot: always\n")
    assert found == [
        'clinic.yaml:21: "stop_foot" is no key of a clinic file. Did you mean "stop_footer".'
    ]
    assert "The keys here are id, name" in faults(CONTRACT + "zzz: 1\n")[0]


def test_every_fault_is_named_at_once_in_the_order_of_lines():
    """Nobody mends a file one run at a time."""
    text = changed("phone: 5").replace("detail_level: L0", "detail_level: L9")
    found = faults(text.replace("name: Sam, ", "").replace("per_day", "perday"))
    lines = [int(fault.split(":")[1]) for fault in found]
    assert lines == sorted(lines)
    assert len(found) == 4


@pytest.mark.parametrize("text", ["", "- a\n", "riverside\n"])
def test_what_is_no_clinic_file_is_called_so(text):
    """An empty file, a list and a word are each one fault."""
    assert "this is no clinic file" in faults(text)[0]


def test_broken_yaml_is_a_fault_of_the_clinic_file():
    """The caller has one error to catch."""
    assert faults("id: [\n")[0].startswith("clinic.yaml:2: this is not readable YAML")


def test_an_unquoted_number_keeps_its_meaning():
    """YAML reads +12125550100 as a whole number, which is still that phone number."""
    assert clinic(changed("phone: +12125550100")).phone == "+12125550100"


def test_braces_in_a_wrong_value_are_shown_as_written():
    """A value that looks like a placeholder is only a value."""
    assert '"{message}"' in faults(changed('phone: "{message}"'))[0]


def test_rehearsal_settings_pass_in_the_sandbox_only():
    """Texts at any hour and short waits are for rehearsals."""
    text = changed('send_window: {from: "00:00", to: "24:00"}')
    text = text.replace("grace_seconds: 180", "grace_seconds: 15")
    assert len(faults(text)) == 2
    assert clinic(text, sandbox=True).needs_sandbox


def test_pages_reach_those_whose_hours_it_is():
    """`always`, `after_hours` and hours by weekday, in the order of the file."""
    text = changed(
        'on_call: [{name: Always, phone: "+12125550190"}, '
        '{name: Nights, phone: "+12125550191", hours: after_hours}, '
        '{name: Mondays, phone: "+12125550192", hours: {mon: ["00:00-24:00"]}}]'
    )
    found = clinic(text)

    def names(at: datetime) -> list[str]:
        return [person.name for person in found.on_call_at(at)]

    assert names(datetime(2026, 11, 23, 15, tzinfo=UTC)) == ["Always", "Mondays"]
    assert names(datetime(2026, 11, 24, 15, tzinfo=UTC)) == ["Always"]
    assert names(datetime(2026, 11, 25, 2, tzinfo=UTC)) == ["Always", "Nights"]
    assert found.is_covered(datetime(2026, 11, 25, 2, tzinfo=UTC))
    assert ClinicFile.from_json(found.to_json()) == found


def test_due_times_know_whether_anybody_is_on_call():
    """Without on-call a page at night is due when the clinic opens."""
    night = datetime(2026, 11, 24, 4, tzinfo=UTC)
    assert clinic().staffed().due("page_now", night) == datetime(2026, 11, 24, 4, 15, tzinfo=UTC)
    alone = clinic(changed("after_hours: none"))
    assert alone.staffed().due("page_now", night) == datetime(2026, 11, 24, 13, tzinfo=UTC)


def test_a_clinic_file_cannot_be_changed_in_place():
    """Frozen, so that a shared object never differs from what is stored."""
    with pytest.raises(ValueError, match="frozen"):
        clinic().phone = "+12125550101"


ALONE = CONTRACT.replace("after_hours: on_call ", "after_hours: none    ")
OPIOIDS = "daily-check-in, relapse-prevention-opioids]"
CALLER = 'closed_day_caller: {name: Kim, phone: "+12125550191"}\n'


def test_a_clinic_of_opioid_patients_names_who_phones_on_closed_days():
    """Care rule 19: with nobody on call the file is refused until somebody is named."""
    [fault] = faults(ALONE.replace("daily-check-in]", OPIOIDS))
    line = ALONE.splitlines().index(next(x for x in ALONE.splitlines() if "after_hours" in x)) + 1
    told = "nobody phones on closed days about silence that is urgent (opioids)"
    assert fault.startswith(f"clinic.yaml:{line}: {told}")
    assert "Add closed_day_caller: {name: Kim" in fault
    named = clinic(ALONE.replace("daily-check-in]", OPIOIDS) + CALLER)
    assert named.closed_day_caller is not None
    assert clinic(CONTRACT.replace("daily-check-in]", OPIOIDS)).closed_day_caller is None


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (ALONE, "if any of yours is treated for opioids"),
        (ALONE + CALLER, None),
        (CONTRACT, None),
        (SHORTEST, None),
    ],
    ids=["check-ins and nobody", "somebody named", "on call", "no check-ins"],
)
def test_what_is_better_said_of_closed_hours(text, warned):
    """Some patients of a general check-in may be opioid patients."""
    found = clinic_cover.warnings(clinic(text), parse(text, "clinic.yaml"))
    assert [warned in fault.message for fault in found] == ([True] if warned else [])
    assert all(fault.line > 0 and fault.mend for fault in found)


def test_a_clinic_says_itself_whether_anybody_is_on_call():
    """Nobody after hours is nothing that one forgets to say: the file is refused, with its mend."""
    [fault] = faults(SHORTEST.replace("after_hours: none\n", ""))
    assert fault.startswith("clinic.yaml:1: after_hours is missing")
    assert "Add after_hours: on_call, or after_hours: none" in fault


def test_a_clinic_stored_before_the_rules_is_still_read():
    """What is in force goes on; the next file has to say it."""
    stored = clinic(ALONE + CALLER).to_json()
    stored["protocols"] = ["relapse-prevention-opioids"]
    del stored["closed_day_caller"], stored["after_hours"]
    old = ClinicFile.from_json(stored)
    assert (old.closed_day_caller, old.after_hours) == (None, "none")


def test_a_playbook_names_reasons_that_items_have():
    """A misspelt reason would never be shown to anybody."""
    book = 'playbook: {crisis: ["Call the patient."], overdose: ["911 first."]}\n'
    assert clinic(CONTRACT + book).playbook["crisis"] == ("Call the patient.",)
    [fault] = faults(CONTRACT + 'playbook: {crises: ["Call."]}\n')
    assert 'no item has the reason "crises". Did you mean crisis' in fault
    assert fault.startswith("clinic.yaml:21:")


USUAL = "{solids_hours: 6, fluids_hours: 2}"
BY_ROUTE = "{routes: {im: {solids_hours: 3}, lozenge: {solids_hours: 3, fluids_hours: 1}}}"


def test_each_route_has_fasting_hours_of_its_own():
    """What one leaves out is as for all; a route that nobody entered never shortens a fast."""
    fasting = clinic(CONTRACT.replace(USUAL, BY_ROUTE)).fasting
    hours = {route: fasting.hours(route) for route in ("iv", "im", "lozenge", None)}
    assert hours == {"iv": (6, 2), "im": (3, 2), "lozenge": (3, 1), None: (6, 2)}
    longer = clinic(CONTRACT.replace(USUAL, "{routes: {iv: {solids_hours: 8}}}"))
    assert longer.fasting.hours(None) == (8, 2)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{routes: {ivv: {solids_hours: 3}}}", '"ivv" is no route. Known are iv, im, lozenge'),
        ("{routes: {im: {fluids_hours: 7}}}", "fluids end before food does"),
        ("{routes: {im: {solids: 7}}}", "solids"),
        ("{routes: {im: {solids_hours: 25}}}", "solids_hours"),
    ],
)
def test_fasting_hours_of_a_route_that_cannot_be(said, message):
    """A misspelt route would silently mean the usual hours."""
    line = next(n for n, text in enumerate(CONTRACT.splitlines(), 1) if text.startswith("fasting"))
    [fault] = faults(CONTRACT.replace(USUAL, said))
    assert fault.startswith(f"clinic.yaml:{line}: ")
    assert message in fault
