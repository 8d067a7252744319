"""Which number of a text answers the question: learned from the corpora, as what a text resembles.

    text with its numbers in figures -> what stands around each -> weights -> the one that answers

"7 had a rough day" answers and "2 grandkids here today" does not, though both open with a number:
no list names all that can be counted. So each number is looked at where it stands: the words around
it, whether it opens or ends its clause or is all of it, what the word lists know of those, and
whether they point at it (`messages.numbers`).
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product

from messages import datafiles, weights
from messages.binding import lies_on, scale_of
from messages.lexicon import Lexicon
from messages.numbers import NUMBER, WORD, counts_else, of_one_clause, pointed_at
from messages.weights import Model

WEIGHTS = "data/pointing.tsv"
ANSWERS, COUNTS = "answers", "counts something else"
# From which probability on a number is the answer, and what part of its odds another one may reach.
_SURE, _RIVAL = 0.7, 0.15
#: A scale that ends at seven counts days or nights.
DAYS = 7
_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)?|[^\w\s]")
_CLAUSE = re.compile(r"[,;!?\n]+|\.+(?!\d)|\s-\s")
_NEAR = 5
# So many words and signs between two numbers are looked at.
_BETWEEN = 8


def answering(text: str, contexts: Sequence[str], lists: Lexicon) -> str | None:
    """Return the one number of a text that answers a question, or None where it is not sure.

    `text` has its numbers in figures; `contexts` are those of the numeric questions that are open.
    One that fits no scale is never recorded, so that for it the lists' word is enough.
    """
    likely: dict[str, float] = {}
    for one, around in surroundings(text, contexts, lists):
        share = model().probabilities(model().rows(around))[ANSWERS]
        likely[one.value] = max(share, likely.get(one.value, 0.0))
    best = max(likely, key=lambda value: likely[value], default="")
    rivals = (share for value, share in likely.items() if value != best)
    share = likely.get(best, 0.0)
    if share >= _SURE and all(_odds(each) < _RIVAL * _odds(share) for each in rivals):
        return best
    listed = _listed(text, contexts, lists)
    return listed if listed is not None and not _fits(listed, contexts) else None


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


@lru_cache(maxsize=1)
def model() -> Model:
    """Return the shipped weights, read once a process.

    Raises LexiconError where the file is not one that `make classifier` writes.
    """
    return weights.parse(datafiles.text(WEIGHTS), name=WEIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A number in a text, how many there are before it and in all, and where its neighbours are.

    `after` is where the number before it ends, `until` where the next one begins; -1 for none.
    """

    text: str
    start: int
    end: int
    nth: int
    of: int
    after: int = -1
    until: int = -1

    @property
    def value(self) -> str:
        return self.text[self.start : self.end]


def surroundings(
    text: str, contexts: Sequence[str], lists: Lexicon
) -> Iterator[tuple[Candidate, Iterator[str]]]:
    """Yield each number that may answer with its features; the training sees the same."""
    listed, of_days = _listed(text, contexts, lists), _of_days(contexts)
    found = list(NUMBER.finditer(text))
    for nth, match in enumerate(found):
        if counts_else(match, lists, of_days=of_days):
            continue
        one = Candidate(
            text=text,
            start=match.start(),
            end=match.end(),
            nth=nth,
            of=len(found),
            after=found[nth - 1].end() if nth else -1,
            until=found[nth + 1].start() if nth + 1 < len(found) else -1,
        )
        pointed = "none" if listed is None else "this" if listed == one.value else "other"
        yield one, chain([f"listed {pointed}"], features(one, contexts, lists))


def _listed(text: str, contexts: Sequence[str], lists: Lexicon) -> str | None:
    """Return the number that the lists point at, if they point at one."""
    return of_one_clause(text, lists) or pointed_at(text, lists, of_days=_of_days(contexts))


def _of_days(contexts: Sequence[str]) -> bool:
    """Say whether a scale counts days or nights, so that a number of these is no other amount."""
    return any(high == DAYS for context in contexts for high in (scale_of(context) or ())[1:])


def features(one: Candidate, contexts: Sequence[str], lists: Lexicon) -> Iterator[str]:
    """Yield what stands around a number, and what was asked."""
    before, after = one.text[: one.start], one.text[one.end :]
    left, right = _TOKEN.findall(before), _TOKEN.findall(after)
    yield from _neighbours([*"^^^", *left], [*right, *"$$$"])
    said, follows = list(filter(str.isalpha, left)), list(filter(str.isalpha, right))
    yield from _since_and_until(one)
    yield from (f"B {word}" for word in set(said[-_NEAR:]))
    yield from (f"A {word}" for word in set(follows[:_NEAR]))
    yield from _known(before, said, follows, lists)
    fits = "in" if _fits(one.value, contexts) else "out"
    asked = "+".join(sorted(set(contexts)))
    yield from (fits, f"? {asked}", f"n {min(one.of, 4)}", f"{fits} {asked}")
    start, end = _clause(one)
    clause = WORD.findall(one.text, start, one.start) + WORD.findall(one.text, one.end, end)
    yield from (f"C {word}" for word in set(clause))
    if all(word in lists.fillers for word in clause):
        yield from ("fillers in clause", f"fillers in clause {fits}")
    ends = (_is_silent(one.text, start, one.start), _is_silent(one.text, one.end, end))
    for place in (f"clause {min(len(clause), 5)}", *_places(one, left, right, ends)):
        yield from (place, f"{place} {fits}", f"{place} ? {asked}", f"{place} n {min(one.of, 3)}")


def _since_and_until(one: Candidate) -> Iterator[str]:
    """Yield what stands between a number and those next to it: "6... no, last nights. 3"."""
    for place, start, end in (("since", one.after, one.start), ("until", one.end, one.until)):
        if min(start, end) >= 0:
            between = _TOKEN.findall(one.text, start, end)[:_BETWEEN]
            yield f"{place}: {' '.join(filter(str.isalpha, between))}"
            yield from (f"{place} {token}" for token in set(between))


def _neighbours(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    """Yield the words and signs next to a number, and how the word after it ends."""
    for far in (1, 2, 3):
        yield f"b{far} {left[-far]}"
        yield f"a{far} {right[far - 1]}"
    yield f"bb {left[-2]} {left[-1]}"
    yield f"bbb {left[-3]} {left[-2]} {left[-1]}"
    yield f"aa {right[0]} {right[1]}"
    yield f"ba {left[-1]} {right[0]}"
    word = right[0]
    if word.isalpha():
        yield from (f"a1~ {word[-size:]}" for size in (1, 2, 3))


def _known(
    before: str, said: Sequence[str], follows: Sequence[str], lists: Lexicon
) -> Iterator[str]:
    """Yield what the lists know of the words around: fillers, units, words of time, cues."""
    sorts = {
        "filler": lists.fillers,
        "unit": lists.units,
        "days": lists.days,
        "now": lists.present,
        "past": lists.past,
    }
    near = {"b1": said[-1:], "b2": said[-2:-1], "a1": follows[:1], "a2": follows[1:2]}
    for place, (name, words) in product(near, sorts.items()):
        yield from (f"{place} is {name}" for word in near[place] if word in words)
    if " ".join(said).endswith(lists.cues):
        yield "cued"
    if all(word in lists.fillers for word in said):
        yield "fillers before"
    if all(word in lists.fillers for word in follows):
        yield "fillers after"
    clause = WORD.findall(_CLAUSE.split(before)[-1])
    for word in reversed(clause[-4:]):
        if word in lists.present or word in lists.past:
            yield "now" if word in lists.present else "past"
            break


def _places(
    one: Candidate, left: Sequence[str], right: Sequence[str], alone: tuple[bool, bool]
) -> Iterator[str]:
    """Yield where in the text and in its clause a number stands.

    `alone` says whether nothing stands before and behind it in its clause.
    """
    opens, ends = alone
    if opens:
        yield "opens clause"
    if ends:
        yield "ends clause"
    if not any(map(str.isalpha, left)):
        yield "opens"
    if not any(map(str.isalpha, right)):
        yield "ends"
    yield "first" if one.nth == 0 else "later"
    if one.nth == one.of - 1:
        yield "last"


def _clause(one: Candidate) -> tuple[int, int]:
    start = max((match.end() for match in _CLAUSE.finditer(one.text, 0, one.start)), default=0)
    ends = _CLAUSE.search(one.text, one.end)
    return start, ends.start() if ends else len(one.text)


def _is_silent(text: str, start: int, end: int) -> bool:
    return not _TOKEN.search(text, start, end)


def _fits(value: str, contexts: Iterable[str]) -> bool:
    return any(lies_on(context, value) for context in contexts)
