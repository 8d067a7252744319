"""Telephone numbers as the carrier judges them: E.164, Twilio's magic test numbers, segments."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from sandbox.errors import ApiError, refusal

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_NANP = re.compile(r"\+1[2-9]\d{2}[2-9]\d{6}")
_PUNCTUATION = re.compile(r"[\s().\-]")

# Twilio's magic test numbers (twilio.com/docs/iam/test-credentials). They are answered for every
# account here, because a sandbox has no second pair of credentials worth configuring.
MAGIC_TO: Mapping[str, int] = MappingProxyType(
    {
        "+15005550001": 21211,
        "+15005550002": 21612,
        "+15005550003": 21408,
        "+15005550004": 21610,
        "+15005550009": 21614,
    }
)
MAGIC_FROM: Mapping[str, int] = MappingProxyType(
    {
        "+15005550001": 21212,
        "+15005550007": 21606,
        "+15005550008": 21611,
    }
)

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")
_GSM = _GSM_BASIC | _GSM_EXTENDED
_PLAIN = re.compile(r"[A-Za-z0-9 .,:;?!'\"()/+\-=%&#*@$_\n\r<>]*")


def normalise(text: str) -> str | None:
    """E.164 for what a caller wrote, as Twilio does for national US forms; None when it is none."""
    number = text
    if not _E164.fullmatch(number):
        number = _PUNCTUATION.sub("", text)
        if re.fullmatch(r"\d{10}", number):
            number = "+1" + number
        elif re.fullmatch(r"1\d{10}", number):
            number = "+" + number
        if not _E164.fullmatch(number):
            return None
    return None if number.startswith("+1") and not _NANP.fullmatch(number) else number


def recipient(text: str) -> str:
    """The E.164 number to send to; ApiError 21211 or a magic number's own error."""
    number = normalise(text)
    if number is None:
        raise ApiError(refusal(21211, value=text))
    magic = MAGIC_TO.get(number)
    if magic is not None:
        raise ApiError(refusal(magic, value=number))
    return number


def sender(text: str) -> str:
    """The E.164 number or the 5-6 digit short code to send from; ApiError 21212 or a magic one."""
    number = text if re.fullmatch(r"\d{5,6}", text) else normalise(text)
    if number is None:
        raise ApiError(refusal(21212, value=text))
    magic = MAGIC_FROM.get(number)
    if magic is not None:
        raise ApiError(refusal(magic, value=number))
    return number


def segments(body: str) -> int:
    """How many parts a text costs: GSM-7 160/153 septets, else UCS-2 70/67 code units."""
    if len(body) <= 160 and _PLAIN.fullmatch(body):
        return 1
    if all(letter in _GSM for letter in body):
        units = len(body) + sum(letter in _GSM_EXTENDED for letter in body)
        return 1 if units <= 160 else -(-units // 153)
    units = len(body.encode("utf-16-le")) // 2
    return 1 if units <= 70 else -(-units // 67)
