"""What a text resembles: the learned readers together.

The classifier and the network are quick. Each is right where the other is not about as often, so
both together are better than either. Where they are not sure, the language model is asked as well:
it takes milliseconds, and knows words that they do not. Together means the mean of their
logarithms: what one of them holds impossible is unlikely.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from messages.classifier import Classifier, classifier
from messages.encoder import Encoder, encoder
from messages.errors import LexiconError
from messages.neural import Likeness, Network, network

# Chosen on files that none of them had learned (docs/understanding.md).
_OF_THE_NETWORK, _OF_THE_ENCODER, _OF_WHAT_IS_SAID = 0.4, 0.5, 0.5
#: From this probability on the quick readers are right, and nothing else decides.
SURE = 0.9


def likeness(words: Sequence[str], asked: Iterable[str] = (), *, text: str) -> Likeness:
    """Return what a text resembles.

    `words` are the text's as the quick readers hear them, `text` is itself, folded; `asked` are the
    contexts of the questions that are open.
    """
    asked = tuple(asked)
    one, other, model = _readers()
    quick = quickly(one, other, words, asked)
    if max(quick.first.values()) >= SURE:
        return quick
    slow = model.likeness(text, asked)
    share = _OF_WHAT_IS_SAID
    return Likeness(
        first=_together(quick.first, slow.first, _OF_THE_ENCODER),
        said={
            label: (1 - share) * each + share * slow.said[label]
            for label, each in quick.said.items()
        },
    )


def quickly(
    one: Classifier, other: Network, words: Sequence[str], asked: Sequence[str]
) -> Likeness:
    """Return what a text resembles as the quick readers have it."""
    linear, ordered = one.probabilities(words, asked), other.likeness(words, asked)
    # What else a text says, words without their order tell badly: the network alone does.
    return Likeness(first=_together(linear, ordered.first, _OF_THE_NETWORK), said=ordered.said)


def _together(
    one: Mapping[str, float], other: Mapping[str, float], share: float
) -> dict[str, float]:
    """Return the mean of both logarithms, `share` of it the other's, as probabilities."""
    means = {label: each ** (1 - share) * other[label] ** share for label, each in one.items()}
    total = sum(means.values())
    return {label: each / total for label, each in means.items()}


@lru_cache(maxsize=1)
def _readers() -> tuple[Classifier, Network, Encoder]:
    """Return all readers, so that a process that reads one text as it starts waits for none later.

    Raises LexiconError where they were learned from other files than each other.
    """
    one, other, model = classifier(), network(), encoder()
    if not set(one.model.labels) == set(other.labels) == set(model.labels):
        raise LexiconError(
            "The files of weights name different things; write all anew with `make classifier`."
        )
    return one, other, model
