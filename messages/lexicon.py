"""The words that replies are understood by, read from `lexicon/*.yaml`.

All languages are looked for at once, since patients mix them; a match knows its language.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from messages import datafiles
from messages.categories import PARTS, Category, row_after, row_before
from messages.errors import LexiconError
from messages.index import Index, Listed, Said
from messages.phrases import Notation, Piece, chain, choice, maybe, words_of
from messages.spelling import Spelling

# Language files are named by their two letters; the others in the folder have longer names.
LANGUAGES = tuple(name for name in datafiles.stems("lexicon") if len(name) == 2)
#: What stands behind a number for a half: "six and a half", "6 y medio".
A_HALF = r"(?:and|n|y) (?:a )?(?:half|medi[oa])"


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
    tens_and_ones: "Sought"
    hundreds: "Sought"
    pronouns: re.Pattern[str]
    beyond: Mapping[str, str]
    ratio: "Sought"
    rated: re.Pattern[str]
    prefers: "Sought"
    corrects: "Sought"
    cues: tuple[str, ...]
    no_answers: tuple[str, ...]
    amounts_used: tuple[str, ...]
    present: frozenset[str]
    past: frozenset[str]
    days: frozenset[str]
    counted: re.Pattern[str]
    amounts: tuple[re.Pattern[str], Mapping[str, str]]
    dozens: tuple[re.Pattern[str], Mapping[str, str]]
    packs: tuple[re.Pattern[str], Mapping[str, str]]
    takes_back: frozenset[str]
    yesterday: frozenset[str]
    markers: Mapping[str, frozenset[str]]
    denial: Piece
    subjects: frozenset[str]
    spelling: Spelling
    index: Index
    #: A clinic's own phrases alone.
    own: Index

    def __getitem__(self, name: str) -> Category:
        return self.categories[name]

    def are_a_clinics(self, said: Said) -> bool:
        """Say whether any phrase that a clinic added stands in a text, whatever it is for."""
        ours = Said(said.words, self.own)
        return self.own.size > 0 and any(ours.find(part) for part in PARTS)

    def denies(self, said: Said, at: int) -> bool:
        """Say whether the words right before one deny it: "not really feeling". "Why not" asks.

        A "no" before somebody ("no i cant breathe") answers a question, and denies nothing; nor
        does what ends a sentence before somebody ("take it no more he hit me", "or not he hit me").
        """
        return any(
            at in self.denial.ends(said.ended, start)
            and said.words[start - 1 : start] != ("why",)
            and not (said.words[start] == "no" and said.words[start + 1] in self.subjects)
            and not (said.words[at] in {*self.subjects, "he"} and _ends_before(said.words[:at]))
            for start in range(max(0, at - self.denial.most), at)
        )

    def cores(self, said: Said) -> tuple[Said, ...]:
        """Return a text, then without polite words after it, then without those before it too."""
        polite = said.find(_POLITE)
        last = row_before(len(said.words), polite.get(_AFTER, ()))
        first = row_after(0, polite.get(_BEFORE, ()), until=last)
        shorter, shortest = said.words[:last], said.words[first:last]
        return tuple(map(said.part, dict.fromkeys((said.words, shorter, shortest))))


def _ends_before(words: Sequence[str]) -> bool:
    """Say whether a sentence ends in words that deny something, where they may end one."""
    return tuple(words[-2:]) in {("no", "more"), ("or", "not")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A pattern, and words of which one must stand in a text for it to stand there.

    Most texts have none of them, and a pattern that may begin with any number tries them all.
    """

    pattern: re.Pattern[str]
    needs: tuple[str, ...]

    def sub(self, by: str | Callable[[re.Match[str]], str], text: str) -> str:
        """Return a text with what is found replaced, as the pattern would."""
        return self.pattern.sub(by, text) if any(each in text for each in self.needs) else text


def _longest_first(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _any_word(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_longest_first(words)})\b")


def _ratio(between: Collection[str], numbers: Iterable[str]) -> Sought:
    """Return a pattern for "7 out of 10", "6.5 out of 10" and "siete y medio de diez"."""
    number = rf"\d{{1,3}}|{_longest_first(numbers)}"
    part = rf"((?:\d{{1,3}}[.,]\d{{1,2}}|{number})(?: {A_HALF})?)"
    words = _longest_first(between)
    pattern = re.compile(rf"(?<![\w.,:/-]){part} (?:{words}) ({number})(?![\w:/]|[.,]\d)")
    return Sought(pattern=pattern, needs=tuple(between))


def _tens_and_ones(numbers: Mapping[str, str]) -> Sought:
    """Return a pattern for "forty five" and "treinta y cinco"."""
    tens = tuple(word for word, value in numbers.items() if re.fullmatch("[2-9]0", value))
    ones = (word for word, value in numbers.items() if re.fullmatch("[1-9]", value))
    between = r"(?: y |\s?-\s?| )"
    pattern = re.compile(
        rf"\b({_longest_first(tens)}){between}({_longest_first([*ones, 'un', 'una'])})\b"
    )
    return Sought(pattern=pattern, needs=tens)


def _hundreds(files: Mapping[str, Mapping[str, Any]], numbers: Mapping[str, str]) -> Sought:
    """Return a pattern for numbers in words with a hundred in them, and for shares of one."""
    words = [_union(files, name) for name in ("hundreds", "shares")]
    hundred, share = map(_longest_first, words)
    small = rf"(?:\d+|{_longest_first(numbers)})"
    beside = rf"(?:(?: y| and)? {small})"
    pattern = re.compile(
        rf"\b(?:{small} (?:{hundred}){beside}*|(?:{hundred}){beside}+|{small} ?(?:{share}))\b"
    )
    return Sought(pattern=pattern, needs=tuple(frozenset().union(*words)))


def _worded(
    files: Mapping[str, Mapping[str, Any]], name: str
) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """Return a pattern for amounts that are said without a number, and the number of each."""
    said = {words: str(number) for file in files.values() for words, number in file[name].items()}
    return re.compile(rf"\b(?:{_longest_first(said)})\b"), MappingProxyType(said)


def _between_numbers(words: Collection[str]) -> Sought:
    """Return a pattern for two numbers with these words between them."""
    between = rf"\W+(?:{_longest_first(words)})\W+(?:(?:an?|un) )?"
    pattern = re.compile(rf"(?<![\w.,:/-])(\d{{1,3}}){between}(\d{{1,3}})(?![\w:/]|[.,]\d)")
    return Sought(pattern=pattern, needs=tuple(words))


def _is_category(value: object) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"exact", "say", "starts"})


_Files = Mapping[str, Mapping[str, Any]]


def _categories(files: _Files) -> dict[str, Category]:
    return {
        name: Category(name=name)
        for words in files.values()
        for name, value in words.items()
        if _is_category(value)
    }


def listed(files: _Files) -> Iterator[Listed]:
    """Yield all phrases, language by language."""
    for language, words in files.items():
        notation = Notation(words["sets"])
        for name, value in words.items():
            parts = (
                value
                if _is_category(value)
                else {_POLITE: sorted(value)}
                if name in _MANNERS
                else {}
            )
            yield from _phrases(notation, language, name, parts)


def _phrases(
    notation: Notation, language: str, name: str, parts: Mapping[str, Iterable[str]]
) -> Iterator[Listed]:
    for part, phrases in parts.items():
        for phrase in phrases:
            try:
                piece = notation.phrase(phrase)
            except LexiconError as error:
                raise LexiconError(f"{language}.{name}.{part}: {error}") from error
            yield Listed(piece, part, name, language)


def listed_as_written(language: str) -> Iterator[tuple[str, str, str]]:
    """Yield the category, the part and the words of each shipped phrase of a language."""
    for name, value in datafiles.load(f"lexicon/{language}.yaml").items():
        for part, phrases in value.items() if _is_category(value) else ():
            for phrase in phrases:
                yield name, part, phrase


# Words that change nothing about a text that is otherwise one of the exact phrases.
_POLITE = "polite"
_BEFORE, _AFTER = _MANNERS = ("polite_before", "polite_after")


def _union(files: _Files, name: str) -> frozenset[str]:
    return frozenset(word for words in files.values() for word in words[name])


def _set_right(files: _Files, numbers: Iterable[str]) -> Sought:
    """Return a pattern for a number that another one sets right, which is its group.

    "9, oops, meant to hit 6, fat thumbs": words that say so stand between both, and slips may be
    told beside them. "Quise poner 3 no 8" says it before the first, which is then the one meant,
    and "dropped from 7 to 3" tells how it was and is (the second group).
    """
    listed = {name: _union(files, name) for name in (*_SET_RIGHT, "slips", "leads")}
    words, intends, moves, beside, leads = map(_longest_first, listed.values())
    number = rf"(?:\d{{1,6}}|{_longest_first(numbers)})"
    meant = rf"(?:(?:{leads}) )*({number})(?![\w:/]|[.,]\d)"
    # Possessive: words that could be told apart in several ways must not be tried in each of them.
    between = rf"\W+(?:(?:{beside})\W+)*+(?:{words})\W+(?:(?:{words}|{beside})\W+)*+"
    # Of "not 6, I meant 9" the first is denied already.
    wrong = rf"(?<![\w.,:/-])(?<!\bnot )(?<!\bnot a ){number}(?:[ -]{number}){{0,2}}"
    instead = rf"\b(?:{intends})\W+{meant}\W+(?:y )?not?\W+(?:(?:an?|un) )?{number}\b"
    moved = rf"\b(?:{moves}) (?:an? )?{number} (?:back |down |up )?(?:to|al?|hasta) {meant}"
    pattern = re.compile(rf"(?:{wrong}{between}{meant}|{moved}|{instead})(?:\W+(?:{beside})\b)*")
    return Sought(
        pattern=pattern, needs=tuple(frozenset().union(*(listed[name] for name in _SET_RIGHT)))
    )


_SET_RIGHT = ("corrects", "intends", "moves")


def _any_of(files: _Files, name: str) -> Piece:
    return choice(Notation().phrase(phrase) for phrase in sorted(_union(files, name)))


def _denial(files: _Files) -> Piece:
    """Return the words that stand right before a denied phrase: "not really feeling"."""
    between = maybe(_any_of(files, "between"))
    return chain([_any_of(files, "negators"), between, between, between])


def _keywords(common: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    return {
        kind: MappingProxyType(
            {word: language for language, words in common[kind].items() for word in words}
        )
        for kind in ("stop", "start", "help")
    }


def _endings(files: _Files, name: str) -> tuple[str, ...]:
    """Return phrases as the end of a text has them whose words are parted by one space each."""
    return tuple(sorted(f" {phrase}" for phrase in _union(files, name)))


#: The language whose words people also write as they sound.
_BY_SOUND = "es"


def _spelling(files: _Files, keywords: Iterable[str]) -> Spelling:
    """Return what mends words: what the lists hold is known, what they name is worth finding."""
    said = {language: _words_in(file) for language, file in files.items()}
    words = set(keywords).union(*said.values())
    for name in ("number_fillers", "units", "ratio", "markers", "real_words"):
        words |= _union(files, name)
    words |= {word for file in files.values() for word in file["numbers"]}
    slang, between, stays = dict[str, str](), dict[str, str](), dict[str, frozenset[str]]()
    for file in files.values():
        slang |= file["slang"]
        between |= file["slang_between"]
        stays |= {word: frozenset(beside) for word, beside in file["not_between"].items()}
    return Spelling(
        known=frozenset(word for word in words if not word.endswith("*")),
        stems=frozenset(word[:-1] for word in words if word.endswith("*")),
        targets=_union(files, "typos"),
        by_sound=frozenset(filter(str.isalpha, said[_BY_SOUND])),
        real=_union(files, "real_words"),
        slang=MappingProxyType(slang),
        between=MappingProxyType(between),
        stays=MappingProxyType(stays),
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
    return _extended(json.dumps(extension, sort_keys=True)) if extension else _shipped()


@lru_cache(maxsize=1)
def _files() -> _Files:
    return {language: datafiles.load(f"lexicon/{language}.yaml") for language in LANGUAGES}


@lru_cache(maxsize=1)
def _shipped() -> Lexicon:
    files, common = _files(), datafiles.load("lexicon/keywords.yaml")
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
        tens_and_ones=_tens_and_ones(numbers),
        hundreds=_hundreds(files, numbers),
        pronouns=_any_word(_union(files, "number_pronouns")),
        beyond={
            said: str(number)
            for words in files.values()
            for said, number in words["beyond"].items()
        },
        ratio=_ratio(_union(files, "ratio"), numbers),
        rated=_any_word(_union(files, "rated")),
        prefers=_between_numbers(_union(files, "prefers")),
        corrects=_set_right(files, numbers),
        cues=tuple(sorted(_union(files, "number_cues"))),
        no_answers=_endings(files, "number_not"),
        amounts_used=_endings(files, "number_used"),
        present=_union(files, "present"),
        past=_union(files, "past"),
        days=_union(files, "days"),
        counted=_any_word(_union(files, "counted")),
        amounts=_worded(files, "amounts"),
        dozens=_worded(files, "dozens"),
        packs=_worded(files, "packs"),
        takes_back=_union(files, "takes_back"),
        yesterday=_union(files, "yesterday"),
        markers={language: frozenset(words["markers"]) for language, words in files.items()},
        denial=_denial(files),
        subjects=_union(files, "subjects"),
        spelling=_spelling(files, (word for words in keywords.values() for word in words)),
        index=Index(listed(files)),
        own=Index(()),
    )


@lru_cache(maxsize=256)
def _extended(extension: str) -> Lexicon:
    """Return the shipped words with a clinic's own behind them, which cost only themselves."""
    shipped, own = _shipped(), json.loads(extension)
    listed_too = list(_own(_files(), own))
    return replace(
        shipped,
        spelling=_spelling_with(shipped.spelling, own),
        index=Index(listed_too, base=shipped.index),
        own=Index(listed_too),
    )


def _own(files: _Files, extension: Extension) -> Iterator[Listed]:
    """Yield a clinic's own phrases; they may name the shipped sets."""
    for language, categories in extension.items():
        if language not in files:
            raise LexiconError(f'There are no words of the language "{language}".')
        notation = Notation(files[language]["sets"])
        for name, parts in categories.items():
            _refuse_unless_added(files[language], name, parts)
            yield from _phrases(notation, language, name, parts)


def _refuse_unless_added(words: Mapping[str, Any], name: str, parts: Iterable[str]) -> None:
    """Raise LexiconError unless there is such a category, and these parts can be added to."""
    if not _is_category(words.get(name)):
        known = ", ".join(each for each, value in words.items() if _is_category(value))
        raise LexiconError(f'There is no category "{name}"; it is one of {known}.')
    allowed = _ADD_ONLY if name in _NEVER_LESS else _PARTS
    for part in parts:
        if part not in allowed:
            raise LexiconError(f'{name}: "{part}" cannot be added to, only {", ".join(allowed)}.')


def _spelling_with(spelling: Spelling, extension: Extension) -> Spelling:
    """Return what mends words, with those of a clinic's own phrases among what it knows."""
    said = {
        language: {
            word
            for parts in categories.values()
            for phrases in parts.values()
            for phrase in phrases
            for word in words_of(phrase)
        }
        for language, categories in extension.items()
    }
    words = set[str]().union(*said.values())
    return replace(
        spelling,
        known=spelling.known.union(word for word in words if not word.endswith("*")),
        stems=spelling.stems.union(word[:-1] for word in words if word.endswith("*")),
        by_sound=spelling.by_sound.union(filter(str.isalpha, said.get(_BY_SOUND, ()))),
    )
