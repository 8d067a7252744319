"""Reading a reply: CPU time a text, by its length.

The replies are held-out ones, which no reader has learned: a text of which the quick readers are
sure costs a fraction of one that the language model reads as well. `python -m bench.reading`
measures this alone, and needs no database.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console

from bench.figures import Figure, Section, at_most, show
from messages.classifier import classifier
from messages.encoder import encoder
from messages.lexicon import lexicon
from messages.neural import network
from messages.reading import OpenPrompt
from messages.replies import read
from tests.corpus.reading import HELD_OUT, rows
from worker.collecting import never_looked_through

# What a text may take (docs/understanding.md). The carrier sends no more than 1,600 letters.
_BUDGET_MS = 1.0
_LENGTHS = (160, 300, 1600)
_SHORT = 80
_ASKED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)

Asked = tuple[str, str]


def measure(*, quick: bool) -> Section:
    """Read replies, and longer texts made of them."""
    started = time.process_time()
    # As the processes do that read.
    with never_looked_through():
        lexicon()
        classifier()
        network()
        encoder()
    figures = [_figure("loading lists and weights", "ms", [_ms_since(started)])]
    replies = [(row["context"], row["text"]) for file in HELD_OUT for row in rows(file)]
    chance = random.Random(1)
    count = 200 if quick else 1000
    short = [each for each in replies if len(each[1]) <= _SHORT]
    figures += _figures(f"up to {_SHORT} letters", chance.sample(short, count))
    for length in _LENGTHS:
        texts = [_joined(replies, length, chance) for _ in range(count // 5)]
        figures += _figures(f"{length:,} letters", texts, budget=length <= max(_LENGTHS[:-1]))
    return Section(title="reading", figures=figures)


def _joined(replies: Sequence[Asked], length: int, chance: random.Random) -> Asked:
    """Return a text of exactly so many letters, made of replies one after the other."""
    context, said = chance.choice(replies)
    while len(said) < length:
        said += ". " + chance.choice(replies)[1]
    return context, said[:length]


def _figures(what: str, texts: Sequence[Asked], *, budget: bool = True) -> Iterator[Figure]:
    for each in texts:
        _cpu_ms(each)
    taken = sorted(min(_cpu_ms(each), _cpu_ms(each)) for each in texts)
    for name, at in (("median", 0.5), ("95 of 100", 0.95), ("slowest", 1.0)):
        value = taken[min(int(at * len(taken)), len(taken) - 1)]
        yield _figure(f"{what}, {name}", "CPU ms", [value], budget=budget)


def _figure(what: str, unit: str, values: Sequence[float], *, budget: bool = False) -> Figure:
    if not budget:
        return Figure(what=what, unit=unit, values=values)
    keeps = at_most(_BUDGET_MS)
    return Figure(what=what, unit=unit, values=values, budget=f"<= {_BUDGET_MS:g}", keeps=keeps)


def _cpu_ms(asked: Asked) -> float:
    context, text = asked
    prompt = OpenPrompt(
        id="1", context=context, asked_at=_ASKED_AT, until=_ASKED_AT + timedelta(days=1)
    )
    prompts = () if context == "none" else (prompt,)
    started = time.process_time()
    read(text, prompts=prompts)
    return _ms_since(started)


def _ms_since(started: float) -> float:
    return (time.process_time() - started) * 1000


def main() -> int:
    show([measure(quick="--quick" in sys.argv)], Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
