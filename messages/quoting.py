"""What a phone, not a person, put into a text: quoted copies of ours, and automatic replies.

The first thing done to a received text (care rule 18). A reaction ("Liked ...") quotes our own
words, which must not be read as the patient's; driving mode answers nothing.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum


class Reaction(StrEnum):
    """What a tap on one of our texts says. Only a thumbs-up counts as yes (care rule 18)."""

    UP = "up"
    DOWN = "down"
    ASKS = "asks"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unquoted:
    """A text without what the phone added."""

    body: str = field(repr=False)
    reaction: Reaction | None = None


_OPEN, _CLOSE = "[\"'\u201c\u00ab\u2018\u201e]", "[\"'\u201d\u00bb\u2019\u201c]"
_THING = r"(?:an? )?(?:image|message|photo|attachment|text|movie)|(?:una? )?(?:imagen|mensaje|foto)"
_QUOTED = rf"\s*(?:{_OPEN}.*?(?:{_CLOSE}|\Z)|(?:{_THING})\b)"
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
    """Return a text without a quoted copy of ours, and what the tap on it says."""
    emoji = _BY_EMOJI.match(body)
    if emoji:
        sign = emoji["said"] or emoji["bare"]
        reaction = Reaction.OTHER
        if sign.startswith((_THUMB_UP, _THUMB_DOWN)):
            reaction = Reaction.UP if sign.startswith(_THUMB_UP) else Reaction.DOWN
        return Unquoted(body=body[emoji.end() :], reaction=reaction)
    for reaction, pattern in _BY_WORD:
        found = pattern.match(body)
        if found:
            return Unquoted(body=body[found.end() :], reaction=reaction)
    return Unquoted(body=body)


def is_blank(folded: str) -> bool:
    """Return whether nothing is left in folded text that anybody could have written."""
    return not any(map(str.isalnum, folded))
