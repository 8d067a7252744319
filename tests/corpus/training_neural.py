"""Learns the network of `messages.neural`; `make classifier` runs it after the classifier.

    examples -> numbers of words, concepts and pieces -> batches of like length -> weights -> file

It needs jax and optax, which only this wants: `requirements/training.txt`.
"""

import functools
import io
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from messages.classifier import concept_of, contexts, normal
from messages.neural import NONE, PIECES, WIDTHS, Network, parse, pieces_of

# Chosen on files that nothing was learned from (docs/understanding.md).
_SIZE, _PATTERNS, _HIDDEN = 112, 120, 144
_ROUNDS, _BATCH, _FASTEST, _DECAY = 7, 96, 2e-3, 0.02
# How much it counts what a text says besides, against what it says first.
_BESIDES = 0.5
# How likely each of these is before a word is read, as a logarithm of odds.
_SELDOM = -2.0
# Of several right readings the first counts so much.
_BEST = 0.6
# What is left out at random while learning, so that no single word or value decides.
_DROPPED_WORDS, _DROPPED, _SMOOTHING = 0.06, 0.3, 0.05
_SEEN_AT_LEAST = 3
# Texts of a batch are filled up to one of these lengths: each is compiled once.
_LENGTHS = (6, 10, 14, 18, 24, 32, 48, 72, 120)
_PIECES_OF_A_WORD = 24
_INT8 = 127
_COMPARED, _CLOSE = 100, 0.1

#: What a text may say besides: whatever nobody is told who reads only what it says first.
SAID = frozenset(
    {
        *("callback_request", "confirm", "decline_reschedule", "question_for_staff"),
        *("running_late", "side_effect", "use_disclosed"),
    }
)

Weights = dict[str, jax.Array]
Batch = tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the network knows by number; words and concepts count from 1, 0 is any other."""

    labels: list[str]
    said: list[str]
    vocabulary: list[str]
    concepts: list[str]
    contexts: list[str]


def names_of(found: Sequence[Any]) -> Names:
    """Return what the examples hold."""
    words = Counter(word for row in found for word in normal(row.words))
    meant = {concept for word in words if (concept := concept_of(word))}
    return Names(
        labels=sorted({row.labels[0] for row in found}),
        said=sorted(SAID),
        vocabulary=sorted(word for word, times in words.items() if times >= _SEEN_AT_LEAST),
        concepts=sorted(meant),
        contexts=sorted({context for row in found for context in contexts((row.asked,))}),
    )


def learned(found: Sequence[Any], *, digest: str, seed: int = 1) -> bytes:
    """Learn the network of these examples and return its file."""
    names, draw = names_of(found), random.Random(seed)
    rows = _numbered(found, names)
    weights = _fresh(names, np.random.default_rng(seed))
    steps = _ROUNDS * sum(1 for _ in _batches(rows, random.Random(seed)))
    schedule = optax.cosine_onecycle_schedule(steps, _FASTEST, pct_start=0.1)
    rule = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=_DECAY))
    state, key = rule.init(weights), jax.random.key(seed)

    @jax.jit
    def step(weights: Weights, state: Any, key: jax.Array, batch: Batch) -> Any:
        changes = jax.grad(_loss)(weights, key, batch)
        updates, state = rule.update(changes, state, weights)
        return optax.apply_updates(weights, updates), state

    for _ in range(_ROUNDS):
        for batch in _batches(rows, draw):
            key, now = jax.random.split(key)
            weights, state = step(weights, state, now, batch)
    file = written({name: np.asarray(each) for name, each in weights.items()}, names, digest)
    _compare(parse(file), weights, found, rows)
    return file


def _compare(network: Network, weights: Weights, found: Sequence[Any], rows: Sequence[Any]) -> None:
    """See that one text is read as it was learned in a batch; bytes for numbers cost little."""
    for row, (parts, asked, *_) in list(zip(found, rows, strict=True))[:_COMPARED]:
        logits, said = _logits(weights, jnp.asarray(parts[None]), jnp.asarray([asked]), None)
        learned_as = np.concatenate([jax.nn.softmax(logits[0]), jax.nn.sigmoid(said[0])])
        read = network.likeness(row.words, (row.asked,))
        read_as = np.array([*read.first.values(), *read.said.values()])
        if np.abs(learned_as - read_as).max() > _CLOSE:
            raise AssertionError(f"{row.words} is read otherwise than it was learned")


def _numbered(found: Sequence[Any], names: Names) -> list[tuple[np.ndarray, int, Batch]]:
    """Return of each example the numbers of its words, what was asked, and what it teaches."""
    words = {word: at for at, word in enumerate(names.vocabulary, start=NONE + 1)}
    concepts = {word: at for at, word in enumerate(names.concepts, start=NONE + 1)}
    rows = []
    for row in found:
        said = normal(row.words)
        parts = np.full((len(said), _PIECES_OF_A_WORD + 2), -1, dtype=np.int32)
        for at, word in enumerate(said):
            pieces = _pieces(word)
            parts[at, 0], parts[at, 1] = words.get(word, NONE), concepts.get(concept_of(word), NONE)
            parts[at, 2 : 2 + len(pieces)] = pieces
        [context] = contexts((row.asked,))
        rows.append((parts, names.contexts.index(context), _taught(row, names)))
    return rows


def _taught(row: Any, names: Names) -> Batch:
    """Return how likely each label should be first, and which it says at all."""
    said = np.array([each in row.said for each in names.said], dtype=np.float32)
    return soft_labels(row.labels, names.labels), said


def soft_labels(right: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Return how likely each label should be: of several right ones, the best most."""
    found = np.zeros(len(labels), dtype=np.float32)
    known = [each for each in right if each in labels]
    for at, label in enumerate(known):
        others = (1 - _BEST) / (len(known) - 1) if len(known) > 1 else 0.0
        found[labels.index(label)] = others if at else 1 - others * (len(known) - 1)
    return found


_pieces = functools.cache(pieces_of)


def _batches(rows: Sequence[Any], draw: random.Random) -> Iterator[Batch]:
    """Yield all rows in batches of like length, in an order drawn anew."""
    by_length: dict[int, list[int]] = {length: [] for length in _LENGTHS}
    for at, (parts, *_) in enumerate(rows):
        by_length[next(each for each in _LENGTHS if len(parts) <= each)].append(at)
    batches = []
    for length, those in by_length.items():
        draw.shuffle(those)
        # A last batch that is not full waits for the next round, in another order.
        full = len(those) - len(those) % _BATCH
        batches += [(length, those[at : at + _BATCH]) for at in range(0, full, _BATCH)]
    draw.shuffle(batches)
    for length, those in batches:
        filled = np.full((_BATCH, length, _PIECES_OF_A_WORD + 2), -1, dtype=np.int32)
        for line, at in enumerate(those):
            filled[line, : len(rows[at][0])] = rows[at][0]
        asked = np.array([rows[at][1] for at in those])
        yield filled, asked, *(np.stack([rows[at][2][cell] for at in those]) for cell in (0, 1))


def _fresh(names: Names, draw: np.random.Generator) -> Weights:
    def table(rows: int) -> np.ndarray:
        return draw.normal(0, 0.1, (rows, _SIZE))

    def layer(name: str, into: int, out: int) -> dict[str, np.ndarray]:
        spread = (2 / into) ** 0.5
        return {name: draw.normal(0, spread, (into, out)), f"{name}_bias": np.zeros(out)}

    found = {
        "words": table(len(names.vocabulary) + 1),
        "meanings": table(len(names.concepts) + 1),
        "pieces": table(PIECES),
        "asked": table(len(names.contexts)),
        **layer("hidden", len(WIDTHS) * _PATTERNS + _SIZE, _HIDDEN),
        **layer("out", _HIDDEN, len(names.labels)),
        **layer("besides", _HIDDEN, len(names.said)),
    }
    found["besides_bias"] += _SELDOM
    for width in WIDTHS:
        found |= layer(f"window{width}", width * _SIZE, _PATTERNS)
    return {name: jnp.asarray(each, dtype=jnp.float32) for name, each in found.items()}


def _loss(weights: Weights, key: jax.Array, batch: Batch) -> jax.Array:
    parts, asked, first, besides = batch
    keys = jax.random.split(key, 4)
    known = jax.random.uniform(keys[0], parts.shape[:2]) >= _DROPPED_WORDS
    # What only fills the text up stays what it is.
    words = jnp.where((parts[..., 0] >= 0) & ~known, NONE, parts[..., 0])
    logits, said = _logits(weights, parts.at[..., 0].set(words), asked, keys[1:])
    wanted = optax.smooth_labels(first, _SMOOTHING)
    off = optax.sigmoid_binary_cross_entropy(said, besides).sum(-1)
    return (optax.softmax_cross_entropy(logits, wanted) + _BESIDES * off).mean()


def _logits(
    weights: Weights, parts: jax.Array, asked: jax.Array, keys: Any
) -> tuple[jax.Array, jax.Array]:
    """Do for a batch what `messages.neural` does for one text; with keys, leave some out."""
    there = parts[..., 0] >= 0
    words, concepts, pieces = parts[..., 0], parts[..., 1], parts[..., 2:]
    some = (pieces >= 0)[..., None]
    mean = (weights["pieces"][pieces] * some).sum(-2) / jnp.maximum(some.sum(-2), 1)
    text = weights["words"][words] + weights["meanings"][concepts] + mean
    keys = keys if keys is not None else (None,) * 3
    text = _dropped(keys[0], text * there[..., None])
    strongest = [_strongest(weights, text, there, width) for width in WIDTHS]
    values = jnp.concatenate([*strongest, weights["asked"][asked]], axis=1)
    values = _dropped(keys[1], values) @ weights["hidden"] + weights["hidden_bias"]
    values = _dropped(keys[2], jax.nn.relu(values))
    return (
        values @ weights["out"] + weights["out_bias"],
        values @ weights["besides"] + weights["besides_bias"],
    )


def _strongest(weights: Weights, text: jax.Array, there: jax.Array, width: int) -> jax.Array:
    before, size = width // 2, text.shape[1]
    padded = jnp.pad(text, ((0, 0), (before, width - 1 - before), (0, 0)))
    side_by_side = jnp.concatenate([padded[:, at : at + size] for at in range(width)], axis=2)
    found = side_by_side @ weights[f"window{width}"] + weights[f"window{width}_bias"]
    return jnp.where(there[..., None], jax.nn.relu(found), 0).max(1)


def _dropped(key: jax.Array | None, values: jax.Array) -> jax.Array:
    if key is None:
        return values
    kept = jax.random.bernoulli(key, 1 - _DROPPED, values.shape)
    return jnp.where(kept, values / (1 - _DROPPED), 0)


def written(weights: Mapping[str, np.ndarray], names: Names, digest: str) -> bytes:
    """Return a network as its file; tables are kept as integers of a byte."""
    arrays: dict[str, Any] = {
        "corpora": np.array(digest),
        "labels": np.array(names.labels),
        "said": np.array(names.said),
        "vocabulary": np.array(names.vocabulary),
        "concepts": np.array(names.concepts),
        "contexts": np.array(names.contexts),
    }
    for name, each in weights.items():
        if name in {"words", "meanings", "pieces", "asked"}:
            scales = np.maximum(np.abs(each).max(1), 1e-6) / _INT8
            arrays[name] = np.round(each / scales[:, None]).astype(np.int8)
            arrays[f"{name}_scales"] = scales.astype(np.float16)
        else:
            arrays[name] = each.astype(np.float16)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    parse(file.getvalue())
    return file.getvalue()
