"""The consent's wording that ships: what a patient reads, or hears, before they agree to texts.

Each version is a file of its own in this folder and is never changed, since the ledger keeps only
its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from messages import datafiles

#: The version that is shown today.
CURRENT = "texts-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWording:
    """One language of a version, in the clinic's own name.

    `purposes` says by the words of `patients.csv` what can be agreed to; `risk` is the warning that
    texts are not private, and `agrees` the sentence that acknowledges it.
    """

    version: str
    language: str
    title: str
    asks: str
    purposes: Mapping[str, str]
    points: tuple[str, ...]
    risk: str
    agrees: str


def languages() -> tuple[str, ...]:
    """Return the languages that a consent can be given in."""
    return tuple(_shipped(CURRENT))


def version_in(language: str) -> str:
    """Return what the ledger keeps of the wording that is shown today, as "texts-1.es"."""
    return f"{CURRENT}.{language}"


def wording(language: str, *, sms_name: str, phone: str, per_day: int) -> ConsentWording:
    """Return what is shown today in a language; `phone` is a number as people write it."""
    said = {"{sms_name}": sms_name, "{phone}": phone, "{per_day}": str(per_day)}

    def filled(text: str) -> str:
        for name, value in said.items():
            text = text.replace(name, value)
        return text

    words = _shipped(CURRENT)[language]
    return ConsentWording(
        version=version_in(language),
        language=language,
        title=filled(words["title"]),
        asks=filled(words["asks"]),
        purposes={name: filled(text) for name, text in words["purposes"].items()},
        points=tuple(map(filled, words["points"])),
        risk=filled(words["risk"]),
        agrees=filled(words["agrees"]),
    )


@cache
def _shipped(version: str) -> Mapping[str, Any]:
    return MappingProxyType(datafiles.load(f"consent/{version}.yaml"))
