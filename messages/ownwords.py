"""What a clinic should know of its own words before they are in force: nothing here refuses them.

A phrase that stands in the lists already, one that the lists hold for something else, one that no
reply can hold, and everyday replies (`data/everyday.yaml`) that would be read in another way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from messages import datafiles
from messages.categories import EXCUSES
from messages.index import Index, Listed, Said
from messages.lexicon import LANGUAGES, Extension, Lexicon, lexicon, listed_as_written
from messages.phrases import Notation
from messages.reading import OpenPrompt, Reading
from messages.replies import hear, read
from messages.wordtools import fold

_ASKED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """One phrase of a clinic and where it is added."""

    language: str
    category: str
    part: str
    phrase: str

    @property
    def place(self) -> str:
        return f"words.{self.language}.{self.category}.{self.part}: {self.phrase!r}"


def warnings(extension: Extension) -> list[str]:
    """Return what is doubtful about a clinic's own words, each with its place and the mend.

    Raises LexiconError for words that could not be in force at all, as `lexicon` does.
    """
    words, owned = lexicon(extension), list(_own(extension))
    return [*_of_phrases(owned), *_of_everyday_replies(owned, words)]


def _own(extension: Extension) -> Iterator[_Own]:
    for language, categories in extension.items():
        for category, parts in categories.items():
            for part, phrases in parts.items():
                for phrase in phrases:
                    yield _Own(language=language, category=category, part=part, phrase=phrase)


def _of_phrases(owned: list[_Own]) -> Iterator[str]:
    """Yield what a look at each phrase tells: twice there, meant otherwise, or never found."""
    known: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for language in LANGUAGES:
        for category, part, phrase in listed_as_written(language):
            known.setdefault((language, phrase), set()).add((category, part))
    for own in owned:
        there = known.setdefault((own.language, own.phrase), set())
        if (own.category, own.part) in there:
            yield f"{own.place} stands in the lists already; leave it out."
        for category, part in sorted(there):
            if category != own.category or (part == EXCUSES) != (own.part == EXCUSES):
                yield (
                    f"{own.place} stands in the lists as {category}.{part}, which says otherwise; "
                    "make it longer, or leave it out."
                )
        there.add((own.category, own.part))
        if _unfolded(own.phrase):
            yield (
                f"{own.place} is never found: replies are looked at in small letters, without "
                f"accents and apostrophes. Write it so."
            )


def _unfolded(phrase: str) -> bool:
    """Say whether a phrase has what no folded text has, besides the notation's kinds of numbers."""
    plain = " ".join(word for word in phrase.split() if not word.strip("()|?").isupper())
    return fold(plain) != plain


def _of_everyday_replies(owned: list[_Own], words: Lexicon) -> Iterator[str]:
    index = Index(
        Listed(Notation(_sets(own.language)).phrase(own.phrase), own.part, own.place, own.language)
        for own in owned
    )
    parts = {own.part for own in owned}
    for context, replies in datafiles.load("data/everyday.yaml").items():
        for reply in replies:
            before, after = _as_shipped(reply, context), _read(reply, context, words)
            if before != after:
                said = [Said(each.words, index) for each in hear(reply, (), words).variants]
                places = {place for each in said for part in parts for place in each.find(part)}
                yield (
                    f"{'; '.join(sorted(places))} changes how an everyday reply is read: {reply!r} "
                    f"was {_told(before)} and would be {_told(after)}. Make the phrase longer."
                )


def _sets(language: str) -> dict[str, str]:
    return dict(datafiles.load(f"lexicon/{language}.yaml")["sets"])


@cache
def _as_shipped(reply: str, context: str) -> Reading:
    """Return how one of the everyday replies is read without any clinic's words."""
    return _read(reply, context, lexicon())


def _read(reply: str, context: str, words: Lexicon) -> Reading:
    until = _ASKED_AT + timedelta(days=1)
    asked = OpenPrompt(id="1", context=context, asked_at=_ASKED_AT, until=until)
    return read(reply, prompts=() if context == "none" else (asked,), words=words)


def _told(reading: Reading) -> str:
    told = [reading.intent, reading.value, *reading.also, reading.severity]
    return " ".join(str(each) for each in told if each)
