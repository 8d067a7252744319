"""How many billed parts a text takes: one letter outside GSM-7 turns 160 letters a part into 70."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# The GSM 7-bit default alphabet (3GPP TS 23.038 section 6.2.1) and its extension table, whose
# letters are sent as an escape and a second unit. á í ó ú are in neither; é ñ ü ¿ ¡ are.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"

_OUTSIDE = re.compile(f"[^{re.escape(BASIC + EXTENDED)}]")
_EXTENDED = re.compile(f"[{re.escape(EXTENDED)}]")

_GSM_ONE, _GSM_PART = 160, 153
_UCS_ONE, _UCS_PART = 70, 67


class Encoding(StrEnum):
    """The two alphabets a text can travel in."""

    gsm7 = "GSM-7"
    ucs2 = "UCS-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """The size of a text: units of its alphabet, and the parts it is billed as."""

    encoding: Encoding
    units: int
    segments: int


def outside_gsm(text: str) -> str | None:
    """Return the first letter that GSM-7 does not have, or None."""
    found = _OUTSIDE.search(text)
    return found.group() if found else None


def count(text: str) -> Segments:
    """Return encoding, units and parts of a text; an empty text has no part."""
    if _OUTSIDE.search(text):
        units = len(text.encode("utf-16-le")) // 2
        parts = _parts(text, units, one=_UCS_ONE, part=_UCS_PART, wide=_is_pair)
        return Segments(encoding=Encoding.ucs2, units=units, segments=parts)
    units = len(text) + len(_EXTENDED.findall(text))
    parts = _parts(text, units, one=_GSM_ONE, part=_GSM_PART, wide=EXTENDED.__contains__)
    return Segments(encoding=Encoding.gsm7, units=units, segments=parts)


def _is_pair(letter: str) -> bool:
    return letter > "\uffff"


def _parts(text: str, units: int, *, one: int, part: int, wide: Callable[[str], bool]) -> int:
    if units <= one:
        return 1 if units else 0
    if units == len(text):
        return -(-units // part)
    # A letter of two units is never torn between two parts, so a part may stay one unit short.
    parts, room = 1, part
    for letter in text:
        need = 2 if wide(letter) else 1
        if need > room:
            parts, room = parts + 1, part
        room -= need
    return parts
