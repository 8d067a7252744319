"""What a phone, not a person, put into a text: quoted copies of ours, and automatic replies.

The first thing done to a received text (care rule 18). A reaction ("Liked ...") to a text of ours
quotes our own words, which must not be read as the patient's; one to the patient's own text, or to
somebody else's, quotes words that may be a plea (`is_one_of`). Driving mode answers nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from messages.wordtools import fold


class Reaction(StrEnum):
    """What a tap on one of our texts says. Only a thumbs-up counts as yes (care rule 18)."""

    UP = "up"
    DOWN = "down"
    ASKS = "asks"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unquoted:
    """A text without what the phone added, and the words that were quoted, if any were.

    `whole` are the words quoted with all that follows, where a quotation mark may be an apostrophe.
    """

    body: str = field(repr=False)
    reaction: Reaction | None = None
    quoted: str = field(default="", repr=False)
    whole: str = field(default="", repr=False)


_OPEN = "[\"'\u201c\u00ab\u2018\u201e]"
# What closes; within a word it is an apostrophe.
_DOUBLE, _SINGLE = '["\u201d\u00bb\u201c]', r"['\u2019](?!\w)"
_THING = r"(?:an? )?(?:image|message|photo|attachment|text|movie)|(?:una? )?(?:imagen|mensaje|foto)"
_QUOTED = (
    rf"\s*(?P<words>[\"\u201c\u00ab\u201e](?P<double>.*?)(?:{_DOUBLE}|\Z)"
    rf"|['\u2018](?P<single>.*?)(?:{_SINGLE}|\Z)|(?:{_THING})\b)"
)
# As iOS and Android write them, in English and Spanish; "Removed a like from" takes one back.
_WORDS = {
    Reaction.UP: r"liked|me gusta|(?:le|te|me)? ?gust[oó]|marc[oó] como me gusta",
    Reaction.DOWN: r"disliked|no (?:le|te|me) ?gust[oóa]+",
    Reaction.ASKS: r"questioned|cuestion[oó]|pregunt[oó] (?:por|sobre)",
    Reaction.OTHER: r"loved|laughed at|emphasi[sz]ed|reacted to|removed an? \w+(?: \w+)? from"
    r"|(?:le|te|me)? ?encant[oóa]|(?:se )?ri[oó] (?:de|con)|(?:le|te|me) ?dio risa(?: con)?"
    r"|(?:enfatiz[oó]|hizo [eé]nfasis en|resalt[oó]|destac[oó])|elimin[oó] .{1,20}? de",
}
_BY_WORD = tuple(
    (reaction, re.compile(rf"^\s*(?:{words}){_QUOTED}", re.IGNORECASE | re.DOTALL))
    for reaction, words in _WORDS.items()
)
_BY_EMOJI = re.compile(
    r"^\s*(?:(?:reacted(?: with)?|reaccion[oó](?: con)?)\s*(?P<said>\S{1,8})"
    r"|(?P<bare>[^\w\s\x00-\x7f]{1,8}))"
    # Our texts are longer than this, so that a disguised "a'lto" is no quote of one.
    rf"\s+(?:to|a)\s+(?={_THING}|{_OPEN}.{{10}}){_QUOTED}",
    re.IGNORECASE | re.DOTALL,
)
_THUMB_UP, _THUMB_DOWN = "\U0001f44d", "\U0001f44e"


def unquoted(body: str) -> Unquoted:
    """Return a text without a quoted copy of another, and what the tap on that says."""
    emoji = _BY_EMOJI.match(body)
    if emoji:
        sign = emoji["said"] or emoji["bare"]
        reaction = Reaction.OTHER
        if sign.startswith((_THUMB_UP, _THUMB_DOWN)):
            reaction = Reaction.UP if sign.startswith(_THUMB_UP) else Reaction.DOWN
        return _without(emoji, reaction)
    for reaction, pattern in _BY_WORD:
        found = pattern.match(body)
        if found:
            return _without(found, reaction)
    return Unquoted(body=body)


def _without(found: re.Match[str], reaction: Reaction) -> Unquoted:
    quoted = found["double"] or found["single"] or ""
    return Unquoted(
        body=found.string[found.end() :],
        reaction=reaction,
        quoted=quoted,
        whole=found.string[found.start("words") :] if quoted else "",
    )


def is_one_of(quoted: str, texts: Iterable[str]) -> bool:
    """Return whether words are one of these texts, or the beginning that a phone quotes of one."""
    words = _compact(quoted)
    for text in texts:
        whole = _compact(text)
        if words == whole or (len(words) >= _SHORTEST_BEGINNING and whole.startswith(words)):
            return True
    return False


# "I" begins many a text.
_SHORTEST_BEGINNING = 12


def _compact(text: str) -> str:
    """Return what of a text a phone leaves as it is when it quotes: letters and digits."""
    return "".join(filter(str.isalnum, fold(text)))


def is_blank(folded: str) -> bool:
    """Return whether nothing is left in folded text that anybody could have written."""
    return not any(map(str.isalnum, folded))
