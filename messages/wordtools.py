"""Text made comparable, and word lists made into fast patterns: shared by lint and replies."""

import re
import unicodedata
from collections.abc import Iterable

_MARKS = dict.fromkeys(range(0x300, 0x370))
# Composed letters of Latin-1 and Latin Extended-A to their bare letter, one for one: positions in
# the folded text are then positions in the text itself, which findings report.
_BARE: dict[int, str] = {}
for _code in range(0xC0, 0x250):
    _parts = unicodedata.normalize("NFD", chr(_code)).translate(_MARKS)
    if len(_parts) == 1:
        _BARE[_code] = _parts.lower()


def base_language(language: str) -> str:
    """Return the plain language of a tag: "es" for "es-US" and "es_MX"."""
    return language.replace("_", "-").partition("-")[0].lower()


def fold_accents(text: str) -> str:
    """Return the text in lower case without accents, letter for letter."""
    return text.translate(_BARE).lower()


_Node = dict[str, "_Node"]
_END, _ANY = "", "*"


def trie_pattern(words: Iterable[str], *, ending: str = "") -> str:
    """Return one pattern for many words, shared beginnings merged, which keeps a search fast.

    `ending` closes every word except one written with a final `*`, which takes any ending.
    """
    root: _Node = {}
    for word in words:
        node = root
        for letter in word.removesuffix("*"):
            node = node.setdefault(letter, {})
        node[_ANY if word.endswith("*") else _END] = {}
    return _pattern(root, ending)


def _pattern(node: _Node, ending: str) -> str:
    # An open ending swallows whatever follows, so nothing longer needs to be tried after it.
    if _ANY in node:
        return "[a-z0-9]*"
    branches = [
        ending if letter == _END else re.escape(letter) + _pattern(child, ending)
        for letter, child in sorted(node.items(), reverse=True)
    ]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


# What people's keyboards put for an apostrophe: dropped, so that "can't" and "cant" are one word.
_APOSTROPHES = dict.fromkeys(map(ord, "'\u2018\u2019\u02bc\u00b4`\u2032"))
_ZERO_WIDTH = (
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x206F),
    *range(0xFE00, 0xFE10),
    *(0x00AD, 0x034F, 0x061C, 0x180E, 0xFEFF),
)
_INVISIBLE = dict.fromkeys(_ZERO_WIDTH)
_UNSEEN = {**_MARKS, **_INVISIBLE}
_THUMBS_UP = "\U0001f44d"
_WORD = re.compile(r"[^\W_]+|[.,;:!?\u00bf\u00a1()\[\]]")
_PAUSE = re.compile(r"\.{2,}|[\r\n]+")


def fold(text: str) -> str:
    """Return a reply in one plain spelling: compatibility forms, case, accents, apostrophes.

    Letters nobody can see are dropped, so that they can't hide a word.
    """
    text = text.translate(_APOSTROPHES).replace(_THUMBS_UP, " thumbsup ")
    text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).translate(_APOSTROPHES)
    return unicodedata.normalize("NFD", text.casefold()).translate(_UNSEEN)


def spoken(folded: str) -> str:
    """Return folded text as words with one space around each, clauses divided by a comma.

    Dots in a row and line breaks are pauses within a sentence, so they divide nothing.
    """
    tokens = _WORD.findall(_PAUSE.sub(" ", folded))
    words: list[str] = []
    for token in tokens:
        if token.isalnum():
            words.append(token)
        elif words and words[-1] != ",":
            words.append(",")
    if words and words[-1] == ",":
        words.pop()
    return f" {' '.join(words)} " if words else " "
