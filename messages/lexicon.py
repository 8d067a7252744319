"""The words that replies are understood by, read from `lexicon/*.yaml` into fast patterns.

All languages are searched at once, since patients mix them; a match knows its language.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from messages import datafiles
from messages.phrases import any_of

# Language files are named by their two letters; the others in the folder have longer names.
LANGUAGES = tuple(name for name in datafiles.stems("lexicon") if len(name) == 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where a category was found, and in which language its words are."""

    start: int
    end: int
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of thing a patient can say, in all languages."""

    exact: re.Pattern[str] | None
    say: re.Pattern[str] | None
    excuses: re.Pattern[str] | None
    starts: re.Pattern[str] | None

    def is_whole(self, text: str) -> str | None:
        """Return the language in which the whole text is one of the exact phrases, or None."""
        match = self.exact.fullmatch(text, 1) if self.exact else None
        return match.lastgroup if match else None

    def opens(self, text: str) -> str | None:
        """Return the language in which the text starts like this category, or None."""
        match = self.starts.match(text, 1) if self.starts else None
        return match.lastgroup if match else None

    def appears(self, text: str) -> bool:
        """Say whether any phrase stands in the text, everyday ones not yet taken out."""
        return self.say is not None and self.say.search(text) is not None

    def matches(self, text: str) -> Iterator[Match]:
        """Yield each place that says it. Everyday phrases are blanked first, lengths kept."""
        if not self.say or not self.appears(text):
            return
        if self.excuses:
            text = self.excuses.sub(_blank, text)
        for match in self.say.finditer(text):
            yield Match(start=match.start(), end=match.end(), language=match.lastgroup or "")


def _blank(match: re.Match[str]) -> str:
    # The last space stays: it is the one that goes before the next word.
    return "," * (len(match.group()) - 1) + " "


def _pattern(lists: Mapping[str, list[str]]) -> re.Pattern[str] | None:
    """Join the phrases of all languages; the group that matched names the language."""
    groups = [
        f"(?P<{language}>{any_of(phrases)})" for language, phrases in lists.items() if phrases
    ]
    return re.compile(f"(?<= )(?:{'|'.join(groups)})") if groups else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Everything the recognisers look words up in."""

    categories: Mapping[str, Category]
    keywords: Mapping[str, Mapping[str, str]]
    carrier: Mapping[str, frozenset[str]]
    on_a_scale: frozenset[str]
    number_words: Mapping[str, str]
    fillers: frozenset[str]
    units: frozenset[str]
    ratio: frozenset[str]
    markers: Mapping[str, frozenset[str]]
    denied: re.Pattern[str]
    polite: tuple[re.Pattern[str], re.Pattern[str]]

    def __getitem__(self, name: str) -> Category:
        return self.categories[name]


def _categories(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Category]:
    names = {
        name: None
        for words in files.values()
        for name, value in words.items()
        if _is_category(value)
    }
    return {name: _category(name, files) for name in names}


def _is_category(value: object) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"exact", "say", "starts"})


def _category(name: str, files: Mapping[str, Mapping[str, Any]]) -> Category:
    def of(part: str) -> re.Pattern[str] | None:
        return _pattern(
            {language: words.get(name, {}).get(part, []) for language, words in files.items()}
        )

    return Category(exact=of("exact"), say=of("say"), excuses=of("not"), starts=of("starts"))


def _union(files: Mapping[str, Mapping[str, Any]], name: str) -> frozenset[str]:
    return frozenset(word for words in files.values() for word in words[name])


def _alternatives(files: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return any_of(sorted(_union(files, name)))


def _denials(files: Mapping[str, Mapping[str, Any]]) -> re.Pattern[str]:
    """Return a pattern for the words right before a denied phrase: "not really feeling"."""
    negators, between = _alternatives(files, "negators"), _alternatives(files, "between")
    return re.compile(f"(?<! why )(?<= )(?:{negators})(?:{between}){{0,3}}$")


def _polite(files: Mapping[str, Mapping[str, Any]]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return patterns for polite words at the start and at the end of a text."""
    before, after = _alternatives(files, "polite_before"), _alternatives(files, "polite_after")
    return re.compile(f"^ (?:{before})+"), re.compile(f"(?<= )(?:{after})+$")


def _keywords(common: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    return {
        kind: MappingProxyType(
            {word: language for language, words in common[kind].items() for word in words}
        )
        for kind in ("stop", "start", "help")
    }


@cache
def lexicon() -> Lexicon:
    """Return the shipped words of every language, compiled once per process."""
    files = {language: datafiles.load(f"lexicon/{language}.yaml") for language in LANGUAGES}
    common = datafiles.load("lexicon/keywords.yaml")
    numbers = {word: value for words in files.values() for word, value in words["numbers"].items()}
    return Lexicon(
        categories=MappingProxyType(_categories(files)),
        keywords=MappingProxyType(_keywords(common)),
        carrier={kind: frozenset(words) for kind, words in common["carrier"].items()},
        on_a_scale=frozenset(common["on_a_scale"]),
        number_words=MappingProxyType(numbers),
        fillers=_union(files, "number_fillers"),
        units=_union(files, "units"),
        ratio=_union(files, "ratio"),
        markers={language: frozenset(words["markers"]) for language, words in files.items()},
        denied=_denials(files),
        polite=_polite(files),
    )
