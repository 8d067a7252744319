"""The consent's wording: whole in both languages, and never changed once people agreed to it."""

import hashlib
import re

import pytest

from messages import consent, datafiles
from messages.templates import shipped
from schedules.protocol import Purpose

# What each version was when it shipped. A changed word is a new version, in a file of its own.
_AS_SHIPPED = {"texts-1": "643d5cc08e663de8"}
# Rules of the compliance checklist (consent, D4) and care rule 26: each has to stand there.
_SAID = {
    "en": ("rates may apply", "STOP", "HELP", "911", "988", "not private", "do not have to agree"),
    "es": ("tarifas", "STOP", "HELP", "911", "988", "no son privados", "No tiene que aceptar"),
}


def _whole(language: str) -> str:
    words = consent.wording(language, sms_name="Riverside Care", phone="212-555-0100", per_day=2)
    return "\n".join(
        (words.title, words.asks, *words.purposes.values(), *words.points, words.risk, words.agrees)
    )


def test_care_rule_26_the_wording_ships_in_every_language_of_the_texts() -> None:
    """And each says as much as the others: as many points, and every purpose."""
    languages = {one for each in shipped().templates.values() for one in each.wordings}
    assert set(consent.languages()) == languages
    files = datafiles.load(f"consent/{consent.CURRENT}.yaml")
    assert len({len(words["points"]) for words in files.values()}) == 1
    for words in files.values():
        assert list(words["purposes"]) == [each.value for each in Purpose]


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_wording_says_all_that_a_consent_needs(language: str) -> None:
    """Who texts, how often, the rates, the way out and help, that it is free, and the risk."""
    text = _whole(language)
    for part in ("Riverside Care", "212-555-0100", *_SAID[language]):
        assert part in text
    assert re.search(r"\b2\b", text)
    assert "{" not in text


def test_the_wording_names_no_kind_of_care() -> None:
    """It lies on a table, and stays on a screen: it gives nobody away."""
    told = " ".join(map(_whole, consent.languages())).casefold()
    for word in ("ketamin", "infusion", "dose", "dosis", "addict", "recovery", "substance"):
        assert word not in told


@pytest.mark.parametrize("version", datafiles.stems("consent"))
def test_a_version_is_never_changed(version: str) -> None:
    """The ledger has its name alone. Write another file, and name it in messages/consent."""
    found = hashlib.sha256(repr(datafiles.load(f"consent/{version}.yaml")).encode()).hexdigest()
    assert found[:16] == _AS_SHIPPED[version]


def test_the_ledger_keeps_version_and_language() -> None:
    """Of two languages a patient has read one."""
    assert consent.version_in("es") == "texts-1.es"
