"""What a text resembles: the classifier and the network together.

Each is right where the other is not about as often, so the mean of both is better than either. It
is the mean of their logarithms: what one of them holds impossible is unlikely.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from messages.classifier import Classifier, classifier
from messages.errors import LexiconError
from messages.neural import Likeness, Network, network

# Chosen on files that neither had learned (docs/understanding.md).
_OF_THE_NETWORK = 0.4


def likeness(words: Sequence[str], asked: Iterable[str] = ()) -> Likeness:
    """Return what a text resembles; `asked` are the contexts of the questions that are open."""
    asked = tuple(asked)
    one, other = _readers()
    linear, ordered = one.probabilities(words, asked), other.likeness(words, asked)
    means = {
        label: share ** (1 - _OF_THE_NETWORK) * ordered.first[label] ** _OF_THE_NETWORK
        for label, share in linear.items()
    }
    total = sum(means.values())
    first = {label: share / total for label, share in means.items()}
    # What else a text says, words without their order tell badly: the network alone does.
    return Likeness(first=first, said=ordered.said)


@lru_cache(maxsize=1)
def _readers() -> tuple[Classifier, Network]:
    """Return both readers.

    Raises LexiconError where they were learned from other files than each other.
    """
    one, other = classifier(), network()
    if set(one.model.labels) != set(other.labels):
        raise LexiconError(
            "The files of weights name different things; write both anew with `make classifier`."
        )
    return one, other
