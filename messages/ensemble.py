"""What a text resembles: the learned readers together.

The classifier and the network are quick. Each is right where the other is not about as often, so
both together are better than either. Where they are not sure, the language model is asked as well:
it takes milliseconds, and knows words that they do not. They need not be as sure where they rule
out danger and an end of texts, and what is left changes no visit. Together means the mean of their
logarithms: what one of them holds impossible is unlikely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from messages.binding import APPOINTMENT, YES_NO
from messages.classifier import classifier
from messages.encoder import encoder
from messages.errors import LexiconError
from messages.neural import Likeness, network
from messages.reading import Intent

# Chosen on files that none of them had learned (docs/understanding.md).
_OF_THE_NETWORK, _OF_THE_ENCODER, _OF_WHAT_IS_SAID = 0.4, 0.6, 0.5
#: From this probability on the quick readers are right, and nothing else decides.
SURE = 0.95
# From this one on they are, where what they rule out is done without: danger below, an end of texts
# below, and of what a text may say besides nothing between these.
_LIKELY, _NO_DANGER, _NO_END, _OPEN = 0.6, 0.03, 0.01, (0.1, 0.7)
# Of thanks nobody makes anything, so who takes a text for them has to be nearly sure.
_LIKELY_THANKS = 0.9
# A visit is kept or given up by what a text says of it; whoever can be asked, is.
_VISITS = frozenset({Intent.confirm, Intent.decline_reschedule})
_OF_VISITS = frozenset({APPOINTMENT, YES_NO})
#: Danger in which a body is.
BODILY = frozenset({"medical_emergency", "overdose"})
#: Danger that is no particular one, as symptoms that nobody waits with.
GRAVE = "grave"
_ENDING = (Intent.stop, Intent.wrong_number)


@lru_cache
def is_danger(label: str) -> bool:
    """Say whether a label is one of danger."""
    return label in {*BODILY, GRAVE} or label.startswith("crisis:")


def danger_in(likely: Mapping[str, float]) -> float:
    """Return how likely a text tells of danger of any kind."""
    return sum(share for label, share in likely.items() if is_danger(label))


def ending_in(likely: Mapping[str, float]) -> float:
    """Return how likely a text ends texts: it asks for that, or is a stranger's."""
    return sum(likely.get(label, 0.0) for label in _ENDING)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """What one text resembles; no reader reads it before somebody asks for what that reader says.

    `words` are the text's as the quick readers hear them, `text` is itself, folded; `asked` are the
    contexts of the questions that are open.
    """

    words: Sequence[str] = field(repr=False)
    text: str = field(repr=False)
    asked: tuple[str, ...] = ()

    @cached_property
    def together(self) -> Likeness:
        """What all make of it who have to be asked: the slow one where the quick are not sure."""
        _agree()
        quick, said = self.quick, self.in_order.said
        if _decided(quick, said, self.asked):
            return Likeness(first=quick, said=said)
        slow, share = self.by_meaning, _OF_WHAT_IS_SAID
        return Likeness(
            first=_together(quick, slow.first, _OF_THE_ENCODER),
            said={
                label: (1 - share) * each + share * slow.said[label] for label, each in said.items()
            },
        )

    @cached_property
    def quick(self) -> Mapping[str, float]:
        """What the quick readers make of it together."""
        return _together(self.by_words, self.in_order.first, _OF_THE_NETWORK)

    @cached_property
    def by_words(self) -> Mapping[str, float]:
        """How the classifier reads it."""
        return classifier().probabilities(self.words, self.asked)

    @cached_property
    def in_order(self) -> Likeness:
        """How the network does, which alone of the quick ones tells well what else a text says."""
        return network().likeness(self.words, self.asked)

    @cached_property
    def by_meaning(self) -> Likeness:
        """How the language model does, in milliseconds."""
        return encoder().likeness(self.text, self.asked)


def _together(
    one: Mapping[str, float], other: Mapping[str, float], share: float
) -> dict[str, float]:
    """Return the mean of both logarithms, `share` of it the other's, as probabilities."""
    means = {label: each ** (1 - share) * other[label] ** share for label, each in one.items()}
    total = sum(means.values())
    return {label: each / total for label, each in means.items()}


def _decided(quick: Mapping[str, float], said: Mapping[str, float], asked: Sequence[str]) -> bool:
    """Say whether nothing is left open that the slow reader could decide otherwise and should."""
    label = max(quick, key=lambda each: quick[each])
    if quick[label] >= SURE:
        return True
    likely = _LIKELY_THANKS if label == Intent.thanks_no_action else _LIKELY
    harmless = danger_in(quick) < _NO_DANGER and ending_in(quick) < _NO_END
    if quick[label] < likely or not harmless:
        return False
    least, most = _OPEN
    besides = any(least <= each <= most for each in said.values())
    of_a_visit = label in _VISITS or any(said.get(each, 0.0) >= least for each in _VISITS)
    return not (besides or of_a_visit or _OF_VISITS.intersection(asked))


@lru_cache(maxsize=1)
def _agree() -> None:
    """Load all readers, so that a process that reads one text as it starts waits for none later.

    Raises LexiconError where they were learned from other files than each other.
    """
    one, other, model = classifier(), network(), encoder()
    if not set(one.model.labels) == set(other.labels) == set(model.labels):
        raise LexiconError(
            "The files of weights name different things; write all anew with `make classifier`."
        )
