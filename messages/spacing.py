"""Words written letter by letter, to be seen or to get past a filter: "d i e", "s.t.o.p".

    folded text -> runs of single letters -> words, where the lists know each of them

A run becomes words only as a whole, in as few words as it can be cut into: "i w a n t t o d i e" is
"i want to die". What is no word of the lists stays as it stands, so "A B C" and "D N R" do.
"""

import re
from collections.abc import Container

# Three letters at least: "p.m." and "o k" are written like that by everybody.
_RUN = re.compile(r"(?<![^\W_])[a-z](?:[\s.*_/\-]{1,3}[a-z](?![^\W_])){2,}")
_WIDE = re.compile(r"\s{2,}|\s[/\-]\s")
_ALONE = frozenset("aioyu")
_LONGEST = 16
# A text of 640 characters at most, letter by letter; to look for words in more would take long.
_MOST = 320


def closed_up(folded: str, known: Container[str]) -> str:
    """Return folded text in which words written letter by letter are words."""

    def closed(match: re.Match[str]) -> str:
        pieces = [_letters(piece) for piece in _WIDE.split(match.group())]
        words = [_cut(piece, known) for piece in pieces]
        if not all(words):
            return match.group()
        return " ".join(word for cut in words for word in cut)

    return _RUN.sub(closed, folded)


def _letters(piece: str) -> str:
    return "".join(filter(str.isalpha, piece))


def _cut(letters: str, known: Container[str]) -> tuple[str, ...]:
    """Return the fewest words that the letters are; none where they are no words."""
    if len(letters) > _MOST:
        return ()
    best: list[tuple[str, ...] | None] = [()]
    for end in range(1, len(letters) + 1):
        cuts = [
            (*before, letters[start:end])
            for start in range(max(0, end - _LONGEST), end)
            if (before := best[start]) is not None and _is_word(letters[start:end], known)
        ]
        best.append(min(cuts, key=len, default=None))
    return best[-1] or ()


def _is_word(letters: str, known: Container[str]) -> bool:
    return letters in (known if len(letters) > 1 else _ALONE)
