"""A language model that was taught replies: what a text resembles, by what its words mean.

    folded text -> pieces of words (`data/encoder.model`) -> twelve layers (`data/encoder.onnx`)
      -> a probability for each label

The classifier and the network know the words that the corpora hold. This reader had read a hundred
languages before it learned the same replies, so it also understands words that none of them held.
It takes milliseconds, so `messages.ensemble` asks it where the other two are not sure.
`make classifier` teaches it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from sentencepiece import SentencePieceProcessor

from messages import datafiles
from messages.classifier import NOTHING, contexts
from messages.errors import LexiconError
from messages.neural import Likeness

WEIGHTS, PIECES = "data/encoder.onnx", "data/encoder.model"
#: It hears no more at once. The longest text there is, 1,600 letters, has fewer.
MOST_PIECES = 510


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What replies resemble, by what they mean."""

    labels: tuple[str, ...]
    said: tuple[str, ...]
    contexts: tuple[str, ...]
    #: Names the corpora that it was taught.
    corpora: str
    pieces: SentencePieceProcessor
    session: InferenceSession

    def likeness(self, text: str, asked: Iterable[str] = ()) -> Likeness:
        """Return what a folded text resembles; `asked` are the contexts of the open questions."""
        numbers = np.array([self._numbers(text)], dtype=np.int64)
        told = {"pieces": numbers, "asked": self._shares(asked)}
        first, said = self.session.run(["first", "said"], told)
        return Likeness(
            first=dict(zip(self.labels, map(float, first[0]), strict=True)),
            said=dict(zip(self.said, map(float, said[0]), strict=True)),
        )

    def _numbers(self, text: str) -> list[int]:
        """Return a text as numbers of pieces, between the marks of its begin and its end."""
        begin, end = self.pieces.bos_id(), self.pieces.eos_id()
        return [begin, *self.pieces.encode(text)[: MOST_PIECES - 2], end]

    def _shares(self, asked: Iterable[str]) -> NDArray[np.float32]:
        """Return how much of what was asked each kind of question is; an unknown kind is none."""
        asks = [each if each in self.contexts else NOTHING for each in contexts(asked)]
        shares = [asks.count(each) / len(asks) for each in self.contexts]
        return np.array([shares], dtype=np.float32)


@lru_cache(maxsize=1)
def encoder() -> Encoder:
    """Return the shipped model, read once a process.

    Raises LexiconError where its files are not such as `make classifier` writes.
    """
    return parse(datafiles.bytes_of(WEIGHTS), datafiles.bytes_of(PIECES))


def parse(model: bytes, pieces: bytes) -> Encoder:
    """Read a model and its pieces.

    Raises LexiconError where they are none that `make classifier` writes.
    """
    options = SessionOptions()
    # A text is few numbers: shared out over cores they take more time than they save.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # As it was written: what the library would merge takes longer to load, and to run as well.
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        said = session.get_modelmeta().custom_metadata_map
        return Encoder(
            labels=tuple(said["labels"].split()),
            said=tuple(said["said"].split()),
            contexts=tuple(said["contexts"].split()),
            corpora=said["corpora"],
            pieces=_pieces(pieces),
            session=session,
        )
    except Exception as error:
        # The libraries' own errors share nothing but that.
        raise LexiconError(
            f"{WEIGHTS} and {PIECES} are no model ({error}); write both with `make classifier`."
        ) from error


def _pieces(content: bytes) -> SentencePieceProcessor:
    """Read the pieces; the library takes an empty file for a model without any."""
    found = SentencePieceProcessor(model_proto=content)
    if not found.get_piece_size():
        raise ValueError("it holds no pieces of words")
    return found
