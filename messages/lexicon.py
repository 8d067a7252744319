"""The words that replies are understood by, read from `lexicon/*.yaml` into fast patterns.

All languages are searched at once, since patients mix them; a match knows its language.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from messages import datafiles
from messages.errors import LexiconError
from messages.phrases import any_of, spelled_out, words_of
from messages.spelling import Spelling

# Language files are named by their two letters; the others in the folder have longer names.
LANGUAGES = tuple(name for name in datafiles.stems("lexicon") if len(name) == 2)

# Only so long a text is looked at piece by piece.
_SHORT = 120


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
    made_up: re.Pattern[str] | None = None

    def is_whole(self, text: str) -> str | None:
        """Return the language in which the whole text is one of the exact phrases, or None."""
        match = self.exact.fullmatch(text, 1) if self.exact and len(text) <= _SHORT else None
        return match.lastgroup if match else None

    def opens(self, text: str) -> str | None:
        """Return the language in which the text starts like this category, or None."""
        match = self.starts.match(text, 1) if self.starts else None
        return match.lastgroup if match else None

    def is_made_up(self, text: str) -> str | None:
        """Return a language if the text is one of the exact phrases with others beside it.

        Beside it stand the phrases of `beside`: "got it, see you tomorrow at 8".
        """
        if self.made_up is None or len(text) > _SHORT:
            return None
        match = self.made_up.fullmatch(text, 1)
        return match.lastgroup if match else None

    def appears(self, text: str) -> bool:
        """Say whether any phrase stands in the text, everyday ones not yet taken out."""
        return self.say is not None and self.say.search(text) is not None

    def without_excuses(self, text: str, instead: str) -> str:
        """Return the text with other words instead of this category's everyday phrases."""
        return self.excuses.sub(instead, text) if self.excuses else text

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
    ratio: re.Pattern[str]
    prefers: re.Pattern[str]
    corrects: re.Pattern[str]
    cues: tuple[str, ...]
    present: frozenset[str]
    past: frozenset[str]
    days: frozenset[str]
    amounts: tuple[re.Pattern[str], Mapping[str, str]]
    markers: Mapping[str, frozenset[str]]
    denied: re.Pattern[str]
    polite: tuple[re.Pattern[str], re.Pattern[str]]
    spelling: Spelling

    def __getitem__(self, name: str) -> Category:
        return self.categories[name]


def _longest_first(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _ratio(between: Iterable[str], numbers: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for "7 out of 10" and "siete de diez"."""
    number = rf"(\d{{1,3}}|{_longest_first(numbers)})"
    words = _longest_first(between)
    return re.compile(rf"(?<![\w.,:/-]){number} (?:{words}) {number}(?![\w:/]|[.,]\d)")


def _amounts(
    files: Mapping[str, Mapping[str, Any]],
) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """Return a pattern for amounts that are said without a number, and the number of each."""
    said = {
        words: str(number) for file in files.values() for words, number in file["amounts"].items()
    }
    return re.compile(rf"\b(?:{_longest_first(said)})\b"), MappingProxyType(said)


def _between_numbers(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for two numbers with these words between them."""
    between = rf"\W+(?:{_longest_first(words)})\W+(?:(?:an?|un) )?"
    return re.compile(rf"(?<![\w.,:/-])(\d{{1,3}}){between}(\d{{1,3}})(?![\w:/]|[.,]\d)")


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

    return Category(
        exact=of("exact"),
        say=of("say"),
        excuses=of("not"),
        starts=of("starts"),
        made_up=_made_up(name, files),
    )


def _made_up(name: str, files: Mapping[str, Mapping[str, Any]]) -> re.Pattern[str] | None:
    """Return a pattern for a text of one exact phrase and any of `beside`, language by language."""
    groups = []
    for language, words in files.items():
        parts = words.get(name, {})
        if "beside" in parts:
            beside = f"(?:{any_of(parts['beside'])})*"
            exact = any_of(parts["exact"])
            groups.append(
                f"(?P<{language}>{beside}(?:{exact})(?:{any_of(parts['beside'])}|{exact})*)"
            )
    return re.compile(f"(?:{'|'.join(groups)})") if groups else None


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


def _spelling(files: Mapping[str, Mapping[str, Any]], keywords: Iterable[str]) -> Spelling:
    """Return what mends words: what the lists hold is known, what they name is worth finding."""
    words = {word for file in files.values() for word in _words_in(file)} | set(keywords)
    for name in ("number_fillers", "units", "ratio", "markers", "real_words"):
        words |= _union(files, name)
    words |= {word for file in files.values() for word in file["numbers"]}
    stems = sorted({word[:-1] for word in words if word.endswith("*")})
    slang, between = dict[str, str](), dict[str, str]()
    for file in files.values():
        slang |= file["slang"]
        between |= file["slang_between"]
    return Spelling(
        known=frozenset(word for word in words if not word.endswith("*")),
        stems=tuple(stems),
        targets=_union(files, "typos"),
        by_sound=frozenset(word for word in _words_in(files["es"]) if word.isalpha()),
        real=_union(files, "real_words"),
        slang=MappingProxyType(slang),
        between=MappingProxyType(between),
    )


def _words_in(file: Mapping[str, Any]) -> set[str]:
    phrases = [
        phrase
        for value in file.values()
        if _is_category(value)
        for part in value.values()
        for phrase in part
    ]
    phrases += file["sets"].values()
    return {word for phrase in phrases for word in words_of(phrase)}


#: What a clinic's own words may add to, and for danger and stops never take away from.
_PARTS, _ADD_ONLY = ("exact", "say", "not", "beside"), ("exact", "say")
_NEVER_LESS = frozenset(
    {
        *("medical_emergency", "overdose", "self_harm", "harm_to_others", "abuse"),
        *("dissociation", "worry", "stop", "wrong_number"),
    }
)

#: A clinic's own words: language, then category, then part, then phrases.
Extension = Mapping[str, Mapping[str, Mapping[str, Iterable[str]]]]


def lexicon(extension: Extension | None = None) -> Lexicon:
    """Return the words of every language, a clinic's own with them, compiled once a process.

    Raises LexiconError for an extension that names no category, has a broken phrase, or would take
    something away from what is recognised as danger or as a stop.
    """
    return _compiled(json.dumps(extension, sort_keys=True) if extension else "")


@lru_cache(maxsize=32)
def _compiled(extension: str) -> Lexicon:
    files = {language: datafiles.load(f"lexicon/{language}.yaml") for language in LANGUAGES}
    if extension:
        files = _extended(files, json.loads(extension))
    files = {language: _without_sets(words) for language, words in files.items()}
    common = datafiles.load("lexicon/keywords.yaml")
    numbers = {word: value for words in files.values() for word, value in words["numbers"].items()}
    keywords = _keywords(common)
    return Lexicon(
        categories=MappingProxyType(_categories(files)),
        keywords=MappingProxyType(keywords),
        carrier={kind: frozenset(words) for kind, words in common["carrier"].items()},
        on_a_scale=frozenset(common["on_a_scale"]),
        number_words=MappingProxyType(numbers),
        fillers=_union(files, "number_fillers"),
        units=_union(files, "units"),
        ratio=_ratio(_union(files, "ratio"), numbers),
        prefers=_between_numbers(_union(files, "prefers")),
        corrects=_between_numbers(_union(files, "corrects")),
        cues=tuple(sorted(_union(files, "number_cues"))),
        present=_union(files, "present"),
        past=_union(files, "past"),
        days=_union(files, "days"),
        amounts=_amounts(files),
        markers={language: frozenset(words["markers"]) for language, words in files.items()},
        denied=_denials(files),
        polite=_polite(files),
        spelling=_spelling(files, (word for words in keywords.values() for word in words)),
    )


def _without_sets(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return a language's words with each named set of words written out."""
    sets = words["sets"]
    return {
        name: {
            part: [spelled_out(each, sets) for each in phrases] for part, phrases in value.items()
        }
        if _is_category(value)
        else value
        for name, value in words.items()
    }


def _extended(files: Mapping[str, Any], extension: Extension) -> dict[str, dict[str, Any]]:
    merged = {language: dict(words) for language, words in files.items()}
    for language, categories in extension.items():
        if language not in merged:
            raise LexiconError(f'There are no words of the language "{language}".')
        for name, parts in categories.items():
            merged[language][name] = _category_with(merged[language], name, parts)
    return merged


def _category_with(
    words: Mapping[str, Any], name: str, parts: Mapping[str, Iterable[str]]
) -> dict[str, list[str]]:
    category = words.get(name)
    if not _is_category(category):
        known = ", ".join(each for each, value in words.items() if _is_category(value))
        raise LexiconError(f'There is no category "{name}"; it is one of {known}.')
    allowed = _ADD_ONLY if name in _NEVER_LESS else _PARTS
    merged = {part: list(phrases) for part, phrases in (category or {}).items()}
    for part, phrases in parts.items():
        if part not in allowed:
            raise LexiconError(f'{name}: "{part}" cannot be added to, only {", ".join(allowed)}.')
        merged[part] = [*merged.get(part, []), *phrases]
    return merged
