"""The texts that ship, and what a clinic may do to their wording."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import formats
from messages.errors import (
    MissingVariable,
    TemplateError,
    UnknownLanguage,
    UnknownPlaceholder,
    UnknownTemplate,
)
from messages.lint import lint
from messages.segments import Encoding, count
from messages.templates import TemplateKind, build, shipped

CATALOG = shipped()
EACH = [(key, language) for key in CATALOG.templates for language in CATALOG.languages(key)]
STARTED = [key for key in CATALOG.templates if CATALOG.template(key).kind == "started"]
VALUES = {name: by_language["en"] for name, by_language in CATALOG.samples.items()}


@pytest.mark.parametrize(("key", "language"), EACH)
def test_every_text_is_one_gsm_part(key, language):
    """With values of real length, in each language."""
    size = count(CATALOG.sample(key, language))
    allowed = CATALOG.template(key).max_segments
    assert (size.encoding, size.segments <= allowed) == (Encoding.gsm7, True)


def _longest(language, write, *, midnight=True):
    """Draw every day of a year, at clock times of the most letters, as seen from weeks before."""
    zone, now = ZoneInfo("America/New_York"), datetime(2026, 1, 1, 12, tzinfo=UTC)
    clocks = (time(10, 30), time(12, 30), time(22, 30), *([time(0)] if midnight else []))
    days = (date(2026, 1, 10) + timedelta(days=number) for number in range(366))
    written = (
        write(datetime.combine(day, clock, zone), zone, now, language)
        for day in days
        for clock in clocks
    )
    return max(written, key=len)


WAITING = [
    (key, language) for key, language in EACH if {"until", "window"} & set(CATALOG.variables(key))
]


@pytest.mark.parametrize(("key", "language"), WAITING)
def test_a_text_of_closed_hours_is_one_part_on_any_day(key, language):
    """The day and the hour at which somebody reads or calls may take the most letters there are."""
    longest = {
        "until": _longest(language, formats.opening),
        "window": _longest(language, formats.call_window),
    }
    names = CATALOG.variables(key)
    values = {name: CATALOG.samples[name][language] for name in names}
    values |= {name: text for name, text in longest.items() if name in names}
    size = count(CATALOG.render(key, language, values))
    assert (size.encoding, size.segments) == (Encoding.gsm7, 1)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(
    ("name", "write"), [("until", formats.opening), ("window", formats.call_window)]
)
def test_the_samples_of_closed_hours_are_as_long_as_real_ones(language, name, write):
    """But for midnight, at which few open: what is measured with them holds for patients."""
    by_day = _longest(language, write, midnight=False)
    assert len(CATALOG.samples[name][language]) == len(by_day)


@pytest.mark.parametrize(("key", "language"), EACH)
def test_every_text_passes_the_lint(key, language):
    """Nothing that ships gives a patient away or invites a carrier's keyword."""
    assert lint(CATALOG.sample(key, language), language=language, template_key=key) == ()


@pytest.mark.parametrize(("key", "language"), EACH)
def test_no_text_asks_for_a_word_that_carriers_act_on(key, language):
    """YES, CANCEL, END, QUIT and INFO nowhere; HELP and START only where they belong (rule 12)."""
    allowed = {"welcome": {"HELP"}, "start_confirm": {"HELP"}, "help": {"HELP"}}
    allowed["optout_confirm"] = allowed["optout_confirm_visit"] = {"START"}
    shouted = set(
        re.findall(r"\b(?:YES|CANCEL|END|QUIT|INFO|HELP|START)\b", CATALOG.sample(key, language))
    )
    assert shouted <= allowed.get(key, set())


@pytest.mark.parametrize("key", STARTED)
def test_every_started_text_names_the_clinic(key):
    """Care rule 30."""
    assert all("{sms_name}" in CATALOG.wording(key, one).text for one in ("en", "es"))


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("key", ["welcome", "help"])
def test_stop_stands_in_welcome_and_help(key, language):
    """Care rule 30: where a patient learns how to leave."""
    assert "STOP" in CATALOG.sample(key, language)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("key", ["crisis_reply", "crisis_reply_noalert", "crisis_noack"])
def test_crisis_replies_give_911_before_988(key, language):
    """Danger first, then somebody to talk to."""
    text = CATALOG.sample(key, language)
    assert -1 < text.index("911") < text.index("988")


@pytest.mark.parametrize(
    "key", ["crisis_reply_noalert", "emergency_reply_noalert", "overdose_reply_noalert"]
)
def test_texts_for_a_failed_page_promise_no_alert(key):
    """ "We've alerted our team" is said only when it is true."""
    said = CATALOG.sample(key, "en") + CATALOG.sample(key, "es")
    assert "alerted" not in said
    assert "visamos" not in said


@pytest.mark.parametrize(
    "key",
    [
        *("visit_eve_ride", "visit_booked", "visit_moved", "visit_cancelled", "change_ack"),
        *("after_evening_closed", "unwell_closed", "crisis_noack", "scale_or_stop"),
        *("neutral_ack", "reask", "optout_confirm", "help", "start_confirm", "pause_ack"),
        *("thanks_score", "welcome", "confirm_ack", "assess_48h", "visit_7d", "visit_48h"),
        *("visit_24h_prep", "visit_2h_ride", "after_evening", "after_morning", "followup_24h"),
        *("followup_2h", "followup_unbooked", "daily_0_10", "weekly_days", "checkin_missed"),
        *("followup_eve", "count_coach", "no_show", "high_score_ack"),
        *("crisis_reply", "crisis_reply_noalert"),
        *("emergency_reply", "overdose_reply", "after_hours_ack"),
    ],
)
def test_the_care_rules_texts_exist_in_both_languages(key):
    """Steps ask for them by these names."""
    assert set(CATALOG.languages(key)) == {"en", "es"}


@pytest.mark.parametrize(
    ("key", "expects"),
    [
        ("visit_7d", "appointment_reminder"),
        ("visit_48h", "yes_no"),
        ("visit_eve_ride", "yes_no"),
        ("after_evening", "side_effect_check"),
        ("after_evening_closed", "scale:0-2"),
        ("daily_0_10", "craving_scale"),
        ("weekly_days", "scale:0-7"),
        ("no_show", "none"),
        ("visit_cancelled", None),
        ("crisis_reply", None),
    ],
)
def test_a_template_says_how_its_answer_is_read(key, expects):
    """The reading of a reply starts from the question."""
    assert CATALOG.template(key).expects == expects


def test_values_are_put_in_as_they_are():
    """A value that looks like a placeholder is only text."""
    values = VALUES | {"sms_name": "{phone} %(phone)s %s"}
    assert CATALOG.render("neutral_ack", "en", values) == (
        "{phone} %(phone)s %s: thanks, we got your text."
    )


@given(value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_value_can_break_a_text_or_its_alphabet(value):
    """What a clinic calls itself never turns texts into 70-letter parts."""
    try:
        text = CATALOG.render("neutral_ack", "en", {"sms_name": value})
    except MissingVariable:
        return  # Nothing of it is left in GSM-7.
    assert count(text).encoding is Encoding.gsm7


@pytest.mark.parametrize("values", [{}, {"sms_name": ""}])
def test_a_missing_value_names_template_and_variable(values):
    """Half a sentence must not go out."""
    with pytest.raises(MissingVariable, match=r"neutral_ack needs a value for \{sms_name\}"):
        CATALOG.render("neutral_ack", "en", values)


def test_values_that_a_wording_does_not_name_are_ignored():
    """Callers offer all they have."""
    assert CATALOG.render("emergency_reply_noalert", "en", VALUES).startswith("This may be")


def test_regional_languages_find_their_base():
    """A patient's "es-US" is Spanish."""
    assert CATALOG.render("neutral_ack", "es-US", VALUES).endswith("gracias, recibimos su texto.")


def test_unknown_names_are_said():
    """A protocol that asks for a text that isn't there is told so."""
    with pytest.raises(UnknownTemplate, match="no_such"):
        CATALOG.render("no_such", "en", VALUES)
    with pytest.raises(UnknownLanguage, match="'fr'"):
        CATALOG.render("neutral_ack", "fr", VALUES)


def test_variables_are_the_union_over_languages():
    """Whoever renders knows what to bring."""
    assert CATALOG.variables("visit_24h_prep") == {"sms_name", "time", "food", "liq"}


@pytest.mark.parametrize(
    "placeholder",
    [
        *("{phone.format}", "{phone[0]}", "{phone!r}", "{phone:>9}", "{}", "{0}", "{ phone }"),
        *("{{phone}}", "{% if x %}", "{phone", "phone}", "{Phone}", "{__class__}"),
    ],
)
def test_anything_but_a_bare_name_is_a_fault(placeholder):
    """A wording can reach no attribute, index, format or template language."""
    with pytest.raises(TemplateError, match=r"template neutral_ack \(en\)"):
        CATALOG.with_overrides({"neutral_ack": {"en": f"Thanks {placeholder}"}})


def test_an_unknown_placeholder_lists_the_known():
    """The mend stands in the message."""
    with pytest.raises(UnknownPlaceholder, match=r"\{first_name\} .* Use one of: date, food"):
        CATALOG.with_overrides({"neutral_ack": {"en": "Thanks {first_name}"}})


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("visit_7d", "Visit {when}. Reply C or R.", "does not name the clinic"),
        ("neutral_ack", "", "it is empty"),
        ("neutral_ack", "x" * 161, "it takes 2 parts"),
        ("neutral_ack", "It\u2019s noted", "it says '\u2019'"),
        ("neutral_ack", "See you at the ketamine visit", "it says 'ketamin'"),
        ("neutral_ack", "Reply YES", "it says 'YES'"),
        ("daily_0_10", "{sms_name}: a number from 0 to 9?", "its scale reaches 10"),
        ("weekly_days", "{sms_name}: how many days off plan, 1 to 7?", "its scale reaches 0"),
    ],
)
def test_a_clinics_wording_is_checked(key, text, said):
    """Every fault names template, language and mend before anything is live."""
    with pytest.raises(TemplateError) as caught:
        CATALOG.with_overrides({key: {"en": text}})
    assert said in str(caught.value)


def test_all_faults_are_told_at_once():
    """Nobody mends one fault at a time."""
    with pytest.raises(TemplateError) as caught:
        CATALOG.with_overrides({"neutral_ack": {"en": "", "es": "{x}"}, "reask": {"en": "YES"}})
    assert [(fault.template, fault.language) for fault in caught.value.faults] == [
        ("neutral_ack", "en"),
        ("neutral_ack", "es"),
        ("reask", "en"),
    ]


def test_overrides_leave_the_shipped_texts_alone():
    """Each clinic has a catalogue of its own."""
    own = CATALOG.with_overrides({"neutral_ack": {"en": "{sms_name}: got it."}})
    assert own.render("neutral_ack", "en", VALUES) == "Northside Clinic: got it."
    assert CATALOG.render("neutral_ack", "en", VALUES).endswith("thanks, we got your text.")
    assert own.render("neutral_ack", "es", VALUES).endswith("recibimos su texto.")
    assert own.overridden == {("neutral_ack", "en")}


def test_an_override_of_an_unknown_template_is_refused():
    """A slip in the key would otherwise leave the old wording live."""
    with pytest.raises(UnknownTemplate):
        CATALOG.with_overrides({"neutral_akc": {"en": "Thanks"}})


def test_a_wording_missing_in_a_language_is_a_fault():
    """A text that exists in English only would fail for half the patients."""
    with pytest.raises(TemplateError, match=r"template b \(es\): it has no wording"):
        build(
            {"a": {"kind": "answer"}, "b": {"kind": "answer"}},
            {"en": {"a": "x", "b": "y"}, "es": {"a": "x"}},
            {},
        )


def test_kinds_are_the_three_known():
    """The gates a text passes hang on its kind."""
    kinds = {CATALOG.template(key).kind for key in CATALOG.templates}
    assert kinds == set(TemplateKind)


def test_the_shipped_catalogue_has_no_fault():
    """`check` is what a console runs on every edit."""
    assert CATALOG.check() == []
