"""What gives a patient away in a text, and what misfires at the carrier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import datafiles
from messages.lint import FindingKind, lint, lint_name, without_digits

K = FindingKind


def kinds(text: str, language: str = "en", template_key: str | None = None) -> list[str]:
    return [finding.rule for finding in lint(text, language=language, template_key=template_key)]


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("en", "Your ketamine visit is at 8", "ketamin"),
        ("en", "Your Infusion is at 8", "infusion"),
        ("en", "See www.myrecoveryplace.test", "recovery"),
        ("en", "Riverside Rehab: visit at 8", "rehab"),
        ("en", "How strong is the urge?", "urge"),
        ("en", "Did you use today?", "use"),
        ("en", "Your IV visit", "iv"),
        ("en", "Bring your doses", "doses"),
        ("en", "See your therapist", "therap"),
        ("es", "Su infusión es a las 8", "infusión"),
        ("es", "Su infusion es a las 8", "infusion"),
        ("es", "¿Tiene ganas?", "ganas"),
        ("es", "Su terapia es a las 8", "terap"),
        ("es", "Clinic for addiction", "addict"),
        ("es", "una recaída", "recaída"),
        ("es", "KETAMINA", "ketamin"),
        ("es", "Any craving since?", "craving"),
        ("es", "No drinking before", "drinking"),
        ("en", "Su dosis es a las 9", "dosis"),
        ("en", "Grupo de psicologia", "psicolog"),
        ("en", "¿Tuvo una recaída?", "recaída"),
    ],
)
def test_telling_words_are_found(language, text, word):
    """In any case and either language, with and without accents, inside addresses."""
    found = [one.word.lower() for one in lint(text, language=language) if one.kind is K.privacy]
    assert found == [word]


@pytest.mark.parametrize(
    "text",
    [
        "This is not urgent. Call if you must.",
        "Your visit moved because of the holiday. Please divide your time.",
        "We are in the same building, suite 4.",
        "Cleaner air, a stripe, a methodical amuse",
        "Take acetaminophen, not at dawn. Su sobrina viene de madrugada a la calle Soberania.",
        "No hay cambios sustanciales; el mendrugo es de Ana Soberon.",
    ],
)
def test_parts_of_harmless_words_are_not_found(text):
    """Whole words only, where the word is an everyday one inside others."""
    assert lint(text, language="en") == ()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Use la puerta de al lado. Si le urge, llame."),
        ("en", "Do not consume anything after that. No contradiction, ni contradiccion."),
    ],
)
def test_an_everyday_word_passes_where_only_the_other_language_lists_it(language, text):
    """The same letters give somebody away in one language and say nothing in the other."""
    assert lint(text, language=language) == ()


@pytest.mark.parametrize(
    "text",
    [
        *("cityinfusions.test", "soberliving.test", "nydrughelp.test", "mydosing.test"),
        *("recuperacion.test", "Methamphetamine", "cannabis", "marijuana", "tobacco", "dosage"),
        *("naltrexone", "withdrawal", "cetamina", "drogodependencia", "sobrios", "abstinencia"),
        *("marihuana", "tabaco"),
    ],
)
def test_telling_words_are_found_inside_others(text):
    """Where nothing harmless has the same letters."""
    assert kinds(text) == ["privacy"]


@pytest.mark.parametrize(
    ("name", "word", "position"),
    [
        ("SoberLife Care", "SoberLife", 0),
        ("NYDrug Team", "Drug", 2),
        ("The CleanLife Team", "Clean", 4),
        ("IVCare", "IV", 0),
        ("CanWeUse", "Use", 5),
        ("https://visits.CleanLife.test/CleanDosX", "Clean", 15),
    ],
)
def test_capitals_divide_the_words_of_a_name(name, word, position):
    """People read them apart; in a link only the host says anything."""
    assert (word, position) in [(one.word, one.position) for one in lint_name(name, language="en")]


@pytest.mark.parametrize("name", ["Riverside Care", "McLean Team", "https://v.test/j/aUseIv9"])
def test_harmless_names_pass(name):
    """A family's name, and what stands at random in a link."""
    assert lint_name(name, language="en") == lint_name(name, language="es") == ()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Reply YES to confirm", ["reserved_keyword"]),
        ("Reply yes to confirm", ["reserved_keyword"]),
        ('Text "cancel" to change', ["reserved_keyword"]),
        ("Reply with info", ["reserved_keyword"]),
        ("C to confirm, CANCEL to cancel", ["reserved_keyword"]),
        ("Responda con HELP", ["reserved_keyword"]),
        ("QUIT any time", ["reserved_keyword"]),
        ("At the end of the visit we start again. Yes.", []),
        ("Reply STOP to end texts.", []),
        ("Reply C or R", []),
    ],
)
def test_words_that_carriers_act_on_are_not_invited(text, rules):
    """A patient who does as told must not be opted out or in by it (rule 12)."""
    assert kinds(text) == rules


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("See https://bit.ly/abc", ["shortener"]),
        ("See tinyurl.com/abc", ["shortener"]),
        ("See bit.lyrics.test", []),
        ("Get 20% discount", ["promotional"]),
        ("sáb a las 8", ["not_gsm"]),
        ("It\u2019s at 8", ["not_gsm"]),
    ],
)
def test_links_adverts_and_letters(text, rules):
    """Carriers filter the first two, and the third halves a text."""
    assert kinds(text) == rules


def test_the_overdose_reply_may_say_what_helps():
    """Only that reply, and only those words."""
    text = "Give naloxone if you have it."
    assert kinds(text, template_key="overdose_reply") == []
    assert kinds(text, template_key="help") == ["privacy"]
    assert kinds(text + " Ketamine", template_key="overdose_reply") == ["privacy"]


def test_findings_say_where_and_what_to_do():
    """A coordinator sees the word, its place and the mend."""
    (finding,) = lint("Your infusión is at 8", language="es")[:1]
    assert (finding.word, finding.position) == ("infusión", 5)
    assert str(finding) == (
        "'infusión' at letter 6: It can tell others what the visits are for; say it neutrally."
    )


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_listed_word_is_found_alone_and_in_a_sentence(language):
    """A pattern that swallows another word of the list would hide it."""
    lists = datafiles.load(f"lexicon/privacy_{language}.yaml")
    listed = [word for name in lists if name != "innocent" for word in lists[name]]
    words = [word.removesuffix("*") for word in listed]
    missed = [word for word in words if not lint(f"The {word.upper()}, at 8", language=language)]
    assert missed == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_no_listed_word_loses_its_digit(language):
    """A text is read without the digits of its dates; "part 2" must stay what it is."""
    lists = [datafiles.load(f"lexicon/{name}.yaml") for name in (f"privacy_{language}", "lint")]
    words = [word for each in lists for words in each.values() for word in words]
    texts = [f"See {word.removesuffix('*').title()} at 10:30, suite 25" for word in words]
    folded = [without_digits(text, language=language) for text in texts]
    told = [lint(text, language=language) for text in texts]
    assert [lint(text, language=language) for text in folded] == told
    assert all(text.endswith("at 00:00, suite 00") for text in folded)


@pytest.mark.parametrize("words", ["Part 2", "part  2", "PART-2", "part\n2"])
def test_a_listed_phrase_is_found_however_it_is_spaced(words):
    """In capitals too; its digit as part of another number is none."""
    assert kinds(f"Sign the {words} form.") == ["privacy"]
    assert kinds(f"See {words}5.") == []


@given(text=st.text())
def test_positions_point_into_the_text(text):
    """Folding keeps letters in their places, whatever the letters."""
    for finding in lint(text, language="en"):
        assert 0 <= finding.position < len(text)


def test_an_unknown_language_is_read_as_english():
    """A missing word list must not switch the lint off."""
    assert kinds("ketamine", "xx") == ["privacy"]
