"""Words as phones and hurry spell them, brought to the spelling that the word lists use.

    folded words -> mended words -> phrases

Nothing is mended that the lists know as it stands, or that `real_words` names: "chess" is no
"chest". Mending only adds what a text can be found by: the folded spelling is looked at as well.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

# "8pm" is an hour, and no "bpm".
_CLOCK = re.compile(r"\d{1,2}(?:am|pm)")
_LEET = str.maketrans("01345789@$", "oieastbgas")
_RUN = re.compile(r"(.)\1+")
_SHORTEST_TYPO = 5
# Whoever sends more words than these gets them mended anew.
_MOST_KEPT = 20_000
_SHORTEST_BY_SOUND = 4
# What sounds alike in Spanish and is swapped in texting: kiero, nesesito, bomito, ayer.
_SOUNDS = (
    (re.compile("qu(?=[ei])"), "k"),
    (re.compile("c(?=[ei])"), "s"),
    (re.compile("ch"), "x"),
    (re.compile("[cq]"), "k"),
    (re.compile("z"), "s"),
    (re.compile("v"), "b"),
    (re.compile("h"), ""),
    (re.compile("ll"), "y"),
    (re.compile("g(?=[ei])"), "j"),
    (_RUN, r"\1"),
)


@dataclass(frozen=True, eq=False)
class Spelling:
    """Mends words. `known` are those of the lists, `stems` their open beginnings.

    `targets` are the words worth finding behind a typo, `by_sound` those behind a Spanish one,
    `slang` what stands for other words, `real` what looks like a typo and is none. What stands for
    another word only between words is in `between`: "n" is "and" there, and alone an answer. Beside
    the words of `stays` it is itself.
    """

    known: frozenset[str]
    stems: frozenset[str]
    targets: frozenset[str]
    by_sound: frozenset[str]
    real: frozenset[str]
    slang: Mapping[str, str] = field(default_factory=dict)
    between: Mapping[str, str] = field(default_factory=dict)
    stays: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _kept: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _deletes(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for word in sorted(self.targets):
            for key in _without_one(word):
                found[key] = (*found.get(key, ()), word)
        return found

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({len(stem) for stem in self.stems}))

    @cached_property
    def _sounds(self) -> dict[str, str]:
        return {sound(word): word for word in sorted(self.by_sound, reverse=True)}

    def mended(self, words: Iterable[str]) -> list[str]:
        """Return the words, each as the lists spell it where that can be told."""
        given = [",", *words, ","]
        return [
            self.between[word]
            if word in self.between and self._stands_for(word, before, after)
            else self._kept.get(word) or self._keep(word)
            for before, word, after in zip(given, given[1:], given[2:], strict=False)
        ]

    def _stands_for(self, word: str, before: str, after: str) -> bool:
        """Say whether a word stands for another between these two."""
        return "," not in {before, after} and self.stays.get(word, frozenset()).isdisjoint(
            (before, after)
        )

    def _keep(self, word: str) -> str:
        """Mend a word and remember how: people use few words again and again."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        mended = self._kept[word] = self._mend(word)
        return mended

    def _mend(self, word: str) -> str:
        if word == "," or word.isdigit() or _CLOCK.fullmatch(word):
            return word
        if word in self.slang:
            return self.slang[word]
        if self._knows(word) or word in self.real:
            return word
        plain = next((each for each in _plainer(word) if self._knows(each)), None)
        if plain is not None:
            return self.slang.get(plain, plain)
        return self._behind_typo(word) or self._by_sound(word) or word

    def _knows(self, word: str) -> bool:
        if word in self.known or word in self.slang:
            return True
        return any(word[:length] in self.stems for length in self._lengths)

    def _behind_typo(self, word: str) -> str | None:
        """Return the one word of the targets that is a single slip away, if exactly one is."""
        if len(word) < _SHORTEST_TYPO or not word.isalpha():
            return None
        keys = chain((word,), _without_one(word))
        close = {
            target
            for key in keys
            for target in self._deletes.get(key, ())
            if _one_slip(word, target)
        }
        return close.pop() if len(close) == 1 else None

    def _by_sound(self, word: str) -> str | None:
        return self._sounds.get(sound(word)) if len(word) >= _SHORTEST_BY_SOUND else None


def _plainer(word: str) -> Iterator[str]:
    """Yield the word without digits for letters ("k1ll"), drawn-out letters or a dropped g."""
    if word.isalpha():
        yield _RUN.sub(r"\1\1", word)
        yield _RUN.sub(r"\1", word)
        if word.endswith("in"):  # "shakin"
            yield f"{word}g"
    elif sum(map(str.isalpha, word)) >= 2:
        spelled = word.translate(_LEET)
        yield spelled
        yield _RUN.sub(r"\1", spelled)


def _without_one(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _one_slip(word: str, target: str) -> bool:
    """Say whether one letter is missing, added, wrong, or two neighbours are swapped.

    The first letter is hardly ever mistyped, and "fought" is no "thought".
    """
    if word[0] != target[0] and word[:2] != target[1::-1]:
        return False
    size = len(word) - len(target)
    if abs(size) == 1:
        longer, shorter = (word, target) if size > 0 else (target, word)
        return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
    if size:
        return False
    wrong = [at for at, pair in enumerate(zip(word, target, strict=True)) if pair[0] != pair[1]]
    if len(wrong) == 2:
        one, two = wrong
        return two == one + 1 and word[one] == target[two] and word[two] == target[one]
    return len(wrong) == 1


def sound(word: str) -> str:
    """Return how a Spanish word sounds, near enough to tell its spellings together."""
    for pattern, by in _SOUNDS:
        word = pattern.sub(by, word)
    return word
