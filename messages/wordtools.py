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
    *(0x00AD, 0x034F, 0x061C, 0x180E, 0xFEFF, 0x20E3),
    # Fillers of Hangul, which show nothing.
    *(0x115F, 0x1160, 0x3164, 0xFFA0),
)
_INVISIBLE = dict.fromkeys(_ZERO_WIDTH)
_UNSEEN = {**_MARKS, **_INVISIBLE}
# Letters of other alphabets that look like Latin ones, after case folding: in English and Spanish
# texts nobody means them.
_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u0455\u0458\u043a\u043c\u0442\u0432\u043d\u0501\u051b\u051d"
    "\u03b1\u03b5\u03bf\u03c1\u03c4\u03b9\u03ba\u03bd\u03c5\u03c7\u03b7\u0131\u0251\u0261\u2170\u217c"
    "\u03c3\u03c2\u00f8\u0111\u0142"
    # Letters of Lisu, which look like Latin capitals.
    "\ua4d0\ua4d1\ua4d3\ua4d4\ua4d6\ua4d7\ua4d9\ua4da\ua4dc\ua4dd\ua4df\ua4e0\ua4e1\ua4e2\ua4e3\ua4e6"
    "\ua4e7\ua4ea\ua4eb\ua4ec\ua4ee\ua4f0\ua4f2\ua4f3\ua4f4",
    "aeopcxyisjkmtbhdqwaeoptikvuxniagilssodlbpdtgkjczfmnlsrvhwxyaeiou",
)
# Letters in signs that no normal form takes out of them: white in circles and squares, and flags.
_ALIKE.update(
    {first + at: ord("a") + at for first in (0x1F150, 0x1F170, 0x1F1E6) for at in range(26)}
)
_THUMBS_UP = "\U0001f44d"
# Signs that say something inside a sentence, and what a text says that is nothing but signs.
_DRAWN = {
    " gun ": "\U0001f52b",
    " knife ": "\U0001f52a\U0001f5e1",
    " pills ": "\U0001f48a",
    " laughing ": "\U0001f602\U0001f923\U0001f606\U0001f639\U0001f605\U0001f480",
}
_SIGNED = {
    " thumbsup ": "\U0001f44d\U0001f44c\u2705\u2714\u2611\U0001fae1\U0001f91d\U0001f4af\U0001f197",
    " thumbsdown ": "\U0001f44e\u274c\U0001f645\U0001f6ab\u2716",
    " sickface ": "\U0001f922\U0001f92e\U0001f915\U0001f974\U0001f635\U0001f912\U0001f616",
    " stopsign ": "\U0001f6d1",
    " smile ": "\U0001f64f\u2764\U0001f60a\U0001f642\U0001f600\U0001f603\U0001f604\U0001f601"
    "\U0001f970\U0001f60d\U0001f495\U0001f49c\U0001f499\U0001f49a\U0001f917\U0001f618\U0001f64c\U0001f44f",
}
_SIGNS_OF_WORDS = str.maketrans({sign: name for name, signs in _DRAWN.items() for sign in signs})
_SIGNS_ALONE = str.maketrans({sign: name for name, signs in _SIGNED.items() for sign in signs})
_KEYCAP_TEN = "\U0001f51f"
# With a space before: "6\u00bd" is no 61 by anything.
_FRACTIONS = {0xBC: " 1/4", 0xBD: " 1/2", 0xBE: " 3/4"}
_WORD = re.compile(r"[^\W_]+|[.,;:!?\u00bf\u00a1()\[\]]")
# "Wrong #" says a word; "#5" does not.
_NUMBER_SIGN = re.compile(r"#(?!\w)")
_SENTENCE = re.compile(r"[.;!?\r\n]+")
_PAUSE = re.compile(r"\.{2,}|[\r\n]+")


def fold(text: str) -> str:
    """Return a reply in one plain spelling: compatibility forms, case, accents, apostrophes.

    Letters nobody can see are dropped, so that they can't hide a word.
    """
    if text.isascii():
        return text.translate(_APOSTROPHES).lower()
    text = text.translate(_APOSTROPHES).replace(_THUMBS_UP, " thumbsup ").translate(_FRACTIONS)
    text = text.replace(_KEYCAP_TEN, " 10 ")
    text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).translate(_APOSTROPHES)
    folded = unicodedata.normalize("NFD", text.casefold()).translate(_UNSEEN)
    return folded if folded.isascii() else folded.translate(_ALIKE)


def sentences(folded: str) -> list[str]:
    """Return the sentences and lines of folded text that have words."""
    return [each for each in _SENTENCE.split(folded) if any(map(str.isalpha, each))]


def drawn(text: str) -> str:
    """Return a text with the signs that stand for words written out: a gun, pills, laughter."""
    return text if text.isascii() else text.translate(_SIGNS_OF_WORDS)


def signed(text: str) -> str:
    """Return the words for a text that is nothing but signs."""
    return text.translate(_SIGNS_ALONE)


def spoken(folded: str) -> list[str]:
    """Return folded text as words, clauses divided by a comma.

    Dots in a row and line breaks are pauses within a sentence, so they divide nothing.
    """
    tokens = _WORD.findall(_NUMBER_SIGN.sub(" number ", _PAUSE.sub(" ", folded)))
    words: list[str] = []
    for token in tokens:
        if token.isalnum():
            words.append(token)
        elif words and words[-1] != ",":
            words.append(",")
    if words and words[-1] == ",":
        words.pop()
    return words
