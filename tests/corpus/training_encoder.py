"""Teaches the language model of `messages.encoder` replies; `make classifier` runs it last.

    examples -> numbers of pieces -> batches of like length -> weights -> ONNX, integers of a byte

It needs torch, onnx and the package with the model that it begins as, which only this wants:
`requirements/training.txt`.
"""

import copy
import functools
import logging
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
from torch import Tensor, nn
from torch.nn import functional

from messages.classifier import contexts
from messages.encoder import Encoder, parse
from messages.ensemble import SURE, Alike
from tests.corpus.pretrained import Pretrained, pretrained
from tests.corpus.training_neural import SAID, soft_labels

# A round over all examples, and some over those that it will be asked about: after each it reads
# texts that it did not learn better than before. What begins from nothing learns faster.
_FASTEST, _FASTEST_AGAIN, _AGAIN, _OF_NEW_LAYERS = 1.2e-4, 8e-5, 3, 8
_WARMING_UP, _SLOWEST = 0.05, 0.02
# Of those that it will not be asked about so many once more, so that it forgets none.
_KEPT_IN_MIND = 0.4
_DECAY, _DROPPED, _SMOOTHING, _BESIDES, _SELDOM = 0.02, 0.1, 0.05, 0.5, -2.0
# Longer texts are heard to their end, but learned from so many pieces.
_MOST_PIECES, _PIECES_A_BATCH, _TEXTS_A_BATCH, _SHUFFLED = 128, 2600, 64, 3200
_FILLING = -1
# Beside the pieces that the examples hold: so many of the commonest that a folded text may hold.
_COMMONEST = 32_000
_MAY_STAND_IN_FOLDED = re.compile(r"\u2581?[a-z0-9.,!?:;()\"'*&%$/+=#@<>_-]*")
_MARKS = 4
_INT8 = 127
# How much of the unevenness between places goes from values to weights: where the error is least.
_EVENED, _EVENED_BY = {"qkv": 0.65, "ao": 0.65, "fi": 0.65, "fo": 0.8}, 300
_NEVER_NOTHING = 1e-4
_COMPARED, _CLOSE = 100, 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the model tells and is told, by number."""

    labels: list[str]
    said: list[str]
    contexts: list[str]


class Layer(nn.Module):
    """One of the model's layers: each piece hears the others, then thinks by itself."""

    def __init__(self, base: Pretrained, at: int) -> None:
        super().__init__()
        self.heads = base.heads

        def weights(*names: str) -> np.ndarray:
            return np.concatenate([base.weights[f"l{at}.{name}"] for name in names])

        heard = weights("q.b", "k.b", "v.b")
        self.qkv = _linear(weights("q.w", "k.w", "v.w"), heard)
        self.ao = _linear(weights("ao.w"), weights("ao.b"))
        self.aln = _norm(weights("aln.w"), weights("aln.b"))
        self.fi = _linear(weights("fi.w"), weights("fi.b"))
        self.fo = _linear(weights("fo.w"), weights("fo.b"))
        self.oln = _norm(weights("oln.w"), weights("oln.b"))

    def forward(self, values: Tensor, there: Tensor) -> Tensor:
        """Return what is made of each piece; `there` says which of them fill a text up."""
        texts, length, size = values.shape
        parts = self.qkv(values).view(texts, length, 3, self.heads, size // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=there)
        heard = self.ao(heard.transpose(1, 2).reshape(texts, length, size))
        values = self.aln(values + _dropped(self, heard))
        thought = self.fo(functional.gelu(self.fi(values)))
        result: Tensor = self.oln(values + _dropped(self, thought))
        return result


class Taught(nn.Module):
    """The whole model: vectors of pieces, layers, and what a text is first and says besides."""

    def __init__(self, base: Pretrained, kept: list[int], names: Names) -> None:
        super().__init__()
        vectors, places = base.vectors(kept), base.weights["emb.pos"]
        size = vectors.shape[1]
        self.word = _table(vectors)
        # What no example holds keeps its meaning beside what examples do.
        self.word.weight.requires_grad = False
        self.pos = _table(places.reshape(-1, size) + base.weights["emb.type"][:size])
        self.eln = _norm(base.weights["emb.ln.w"], base.weights["emb.ln.b"])
        self.asked = nn.Embedding(len(names.contexts), size)
        nn.init.normal_(self.asked.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(base, at) for at in range(base.layers))
        self.out = nn.Linear(size, len(names.labels))
        self.besides = nn.Linear(size, len(names.said))
        nn.init.constant_(self.besides.bias, _SELDOM)

    def forward(self, pieces: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of what each text is first, and of what it says at all."""
        there = pieces != _FILLING
        values = self.word(pieces.clamp(min=0)) + self.pos.weight[: pieces.shape[1]]
        return self.judged(values, asked, there)

    def judged(self, values: Tensor, asked: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Do so from the pieces' vectors; the question stands with the mark of the begin."""
        begin = values[:, :1] + (asked @ self.asked.weight)[:, None]
        values = _dropped(self, self.eln(torch.cat([begin, values[:, 1:]], dim=1)))
        for layer in self.layers:
            values = layer(values, there[:, None, None])
        share = there[..., None].to(values.dtype)
        mean = _dropped(self, (values * share).sum(1) / share.sum(1))
        return self.out(mean), self.besides(mean)


class Even(nn.Module):
    """A linear map whose values at all places are about as large, and its weights the larger.

    A few places of a text's vectors are twenty times the others. As integers of a byte with
    one scale the others would be next to nothing; so each place is divided by what it reaches, and
    its weights are multiplied by that.
    """

    def __init__(self, linear: nn.Linear, reaches: Tensor, share: float) -> None:
        super().__init__()
        weights = linear.weight.data
        heaviest = weights.abs().amax(0).clamp(min=_NEVER_NOTHING)
        by = reaches.clamp(min=_NEVER_NOTHING) ** share / heaviest ** (1 - share)
        by = by / by.log().mean().exp()
        self.register_buffer("shares", 1 / by)
        self.linear = _linear((weights * by).numpy(), linear.bias.data.numpy())

    def forward(self, values: Tensor) -> Tensor:
        """Return what the map itself would."""
        result: Tensor = self.linear(values * self.shares)
        return result


class Shipped(nn.Module):
    """The model as it reads one text: probabilities, and vectors kept as integers of a byte."""

    def __init__(self, taught: Taught) -> None:
        super().__init__()
        self.taught = taught
        table = taught.word.weight.data
        scales = (table.abs().amax(1) / _INT8).clamp(min=1e-8)
        self.register_buffer("cells", torch.round(table / scales[:, None]).to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, pieces: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Return how likely a text is first what, and how likely it says what at all."""
        vectors = self.cells[pieces].to(torch.float32) * self.scales[pieces][..., None]
        values = vectors + self.taught.pos.weight[: pieces.shape[1]]
        first, said = self.taught.judged(values, asked, torch.ones_like(pieces, dtype=torch.bool))
        return first.softmax(-1), said.sigmoid()


def _linear(weights: np.ndarray, bias: np.ndarray) -> nn.Linear:
    layer = nn.Linear(len(weights) // len(bias), len(bias))
    layer.weight.data = torch.tensor(weights.reshape(len(bias), -1))
    layer.bias.data = torch.tensor(bias)
    return layer


def _norm(weights: np.ndarray, bias: np.ndarray) -> nn.LayerNorm:
    layer = nn.LayerNorm(len(bias), eps=1e-12)
    layer.weight.data, layer.bias.data = torch.tensor(weights), torch.tensor(bias)
    return layer


def _table(rows: np.ndarray) -> nn.Embedding:
    return nn.Embedding.from_pretrained(torch.tensor(rows), freeze=False)


def _dropped(module: nn.Module, values: Tensor) -> Tensor:
    return functional.dropout(values, _DROPPED, module.training)


def learned(found: Sequence[Any], *, digest: str, seed: int = 1) -> tuple[bytes, bytes]:
    """Teach the model these examples; return it, and its pieces, as their files."""
    torch.manual_seed(seed)
    base = pretrained()
    names = Names(
        labels=sorted({row.labels[0] for row in found}),
        said=sorted(SAID),
        contexts=sorted({context for row in found for context in contexts((row.asked,))}),
    )
    kept = _kept(base, [row.text for row in found])
    pieces = _pieces(base, kept)
    rows = _numbered(found, names, SentencePieceProcessor(model_proto=pieces))
    taught = Taught(base, kept, names)
    draw = random.Random(seed)
    _teach(taught, rows, draw, fastest=_FASTEST)
    for _ in range(_AGAIN):
        _teach(taught, _harder(found, rows, draw), draw, fastest=_FASTEST_AGAIN)
    file = written(taught, rows, names, digest)
    _compare(parse(file, pieces), taught, found, rows)
    return file, pieces


def _kept(base: Pretrained, texts: Sequence[str]) -> list[int]:
    """Return the numbers of the pieces that replies hold, or may hold, the marks among them."""
    whole = SentencePieceProcessor(model_proto=_pieces(base, range(len(base.pieces))))
    held = {number for numbers in whole.encode(list(texts)) for number in numbers}
    fits = (at for at, piece in enumerate(base.pieces) if _MAY_STAND_IN_FOLDED.fullmatch(piece))
    commonest = [at for at, _ in zip(fits, range(_COMMONEST), strict=False)]
    return sorted({*range(_MARKS), *held, *commonest})


def _pieces(base: Pretrained, kept: Sequence[int]) -> bytes:
    """Return these pieces as the file of their library; texts come folded, so it changes none."""
    model = sentencepiece_model_pb2.ModelProto()
    kind = model.SentencePiece
    for number in kept:
        types = (kind.CONTROL, kind.CONTROL, kind.CONTROL, kind.UNKNOWN)
        model.pieces.add(
            piece=base.pieces[number],
            score=base.scores[number],
            type=types[number] if number < _MARKS else kind.NORMAL,
        )
    trainer, normalizer = model.trainer_spec, model.normalizer_spec
    trainer.model_type = trainer.UNIGRAM
    trainer.bos_id, trainer.pad_id, trainer.eos_id, trainer.unk_id = range(_MARKS)
    trainer.bos_piece, trainer.pad_piece, trainer.eos_piece, trainer.unk_piece = base.pieces[:4]
    normalizer.name = "identity"
    content: bytes = model.SerializeToString()
    return content


Row = tuple[list[int], np.ndarray, tuple[np.ndarray, np.ndarray]]


def _numbered(found: Sequence[Any], names: Names, pieces: SentencePieceProcessor) -> list[Row]:
    """Return of each example its pieces, what was asked, and what it teaches."""
    rows = []
    for row, numbers in zip(found, pieces.encode([row.text for row in found]), strict=True):
        [context] = contexts((row.asked,))
        asked = np.array([each == context for each in names.contexts], dtype=np.float32)
        said = np.array([each in row.said for each in names.said], dtype=np.float32)
        framed = [pieces.bos_id(), *numbers[: _MOST_PIECES - 2], pieces.eos_id()]
        rows.append((framed, asked, (soft_labels(row.labels, names.labels), said)))
    return rows


def _harder(found: Sequence[Any], rows: Sequence[Row], draw: random.Random) -> list[Row]:
    """Return what the quick readers are not sure of, though they learned it, and some others."""
    kept = []
    for row, numbered in zip(found, rows, strict=True):
        first = Alike(words=row.words, text=row.text, asked=(row.asked,)).quick
        label = max(first, key=lambda each: first[each])
        known = first[label] >= SURE and label in row.labels
        if not known or draw.random() < _KEPT_IN_MIND:
            kept.append(numbered)
    return kept


def _teach(taught: Taught, rows: Sequence[Row], draw: random.Random, *, fastest: float) -> None:
    batches = _batches(rows, draw)
    rule = torch.optim.AdamW(_groups(taught, fastest), betas=(0.9, 0.98))
    speed = torch.optim.lr_scheduler.LambdaLR(rule, functools.partial(_speed, steps=len(batches)))
    taught.train()
    for those in batches:
        rule.zero_grad()
        _loss(taught, [rows[at] for at in those]).backward()
        nn.utils.clip_grad_norm_(taught.parameters(), 1.0)
        rule.step()
        speed.step()
    taught.eval()


def _groups(taught: Taught, fastest: float) -> list[dict[str, Any]]:
    """Return the weights by how fast they learn, and which of them are drawn towards nothing."""
    new, old, flat = [], [], []
    for name, each in taught.named_parameters():
        if not each.requires_grad:
            continue
        if name.startswith(("out", "besides", "asked")):
            new.append(each)
        else:
            (old if each.dim() > 1 else flat).append(each)
    return [
        {"params": old, "lr": fastest, "weight_decay": _DECAY},
        {"params": flat, "lr": fastest, "weight_decay": 0.0},
        {"params": new, "lr": fastest * _OF_NEW_LAYERS, "weight_decay": _DECAY},
    ]


def _speed(step: int, *, steps: int) -> float:
    """Return how fast is learned, as a share of the fastest: up at first, then ever slower."""
    done = step / steps
    if done < _WARMING_UP:
        return done / _WARMING_UP
    return max(_SLOWEST, (1 - done) / (1 - _WARMING_UP))


def _batches(rows: Sequence[Row], draw: random.Random) -> list[list[int]]:
    """Return all rows by number in batches of like length, in an order drawn at random."""
    order = list(range(len(rows)))
    draw.shuffle(order)
    batches = []
    for start in range(0, len(order), _SHUFFLED):
        near = sorted(order[start : start + _SHUFFLED], key=lambda at: len(rows[at][0]))
        parts = list(_parts(near, rows))
        draw.shuffle(parts)
        batches += parts
    return batches


def _parts(near: Sequence[int], rows: Sequence[Row]) -> Iterator[list[int]]:
    batch: list[int] = []
    for at in near:
        pieces = len(rows[at][0]) * (len(batch) + 1)
        if batch and (pieces > _PIECES_A_BATCH or len(batch) == _TEXTS_A_BATCH):
            yield batch
            batch = []
        batch.append(at)
    yield batch


def _loss(taught: Taught, rows: Sequence[Row]) -> Tensor:
    pieces = torch.full((len(rows), max(len(row[0]) for row in rows)), _FILLING)
    for line, row in enumerate(rows):
        pieces[line, : len(row[0])] = torch.tensor(row[0])
    asked = torch.tensor(np.stack([row[1] for row in rows]))
    first = torch.tensor(np.stack([row[2][0] for row in rows]))
    besides = torch.tensor(np.stack([row[2][1] for row in rows]))
    with torch.autocast("cpu", torch.bfloat16):
        logits, said = taught(pieces, asked)
    off = functional.binary_cross_entropy_with_logits(said.float(), besides, reduction="none")
    wrong = functional.cross_entropy(logits.float(), first, label_smoothing=_SMOOTHING)
    return wrong + _BESIDES * off.sum(-1).mean()


def written(taught: Taught, rows: Sequence[Row], names: Names, digest: str) -> bytes:
    """Return the model as its file, with what it tells and which corpora it learned."""
    shipped = Shipped(_evened(taught, rows)).eval()
    sample = (torch.tensor([[0, 5, 6, 2]]), torch.zeros(1, len(names.contexts)))
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        torch.onnx.export(
            shipped,
            sample,
            whole,
            input_names=["pieces", "asked"],
            output_names=["first", "said"],
            dynamic_shapes={"pieces": {1: torch.export.Dim("length", min=2)}, "asked": {}},
            external_data=False,
        )
        _as_bytes(whole, small)
        model = onnx.load(small)
    told = {"labels": names.labels, "said": names.said, "contexts": names.contexts}
    named = {name: " ".join(each) for name, each in told.items()}
    onnx.helper.set_model_props(model, {**named, "corpora": digest})
    content: bytes = model.SerializeToString()
    return content


def _evened(taught: Taught, rows: Sequence[Row]) -> Taught:
    """Return a copy that reads the same, with values that lose little as integers of a byte."""
    copied = copy.deepcopy(taught).eval()
    reached: dict[nn.Linear, Tensor] = {}

    def look(linear: nn.Linear, values: tuple[Tensor], _: Tensor) -> None:
        most = values[0].abs().flatten(end_dim=-2).amax(0)
        reached[linear] = torch.maximum(reached.get(linear, most), most)

    maps = [(layer, name) for layer in copied.layers for name in _EVENED]
    handles = [getattr(layer, name).register_forward_hook(look) for layer, name in maps]
    every = max(1, len(rows) // _EVENED_BY)
    with torch.no_grad():
        for pieces, asked, _ in rows[::every]:
            copied(torch.tensor([pieces]), torch.tensor(asked[None]))
    for handle in handles:
        handle.remove()
    for layer, name in maps:
        linear = getattr(layer, name)
        setattr(layer, name, Even(linear, reached[linear], _EVENED[name]))
    return copied


def _as_bytes(whole: Path, small: Path) -> None:
    """Write a model with its weights as integers of a byte, and values made such as it reads.

    That takes two thirds of the time of values that have a scale of their own by the block. Weights
    have seven bits, since processors without VNNI add products up in sixteen: with eight some
    sums would be cut off there, and texts be read otherwise than here.
    """
    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(
        whole,
        small,
        weight_type=QuantType.QInt8,
        reduce_range=True,
        per_channel=True,
        op_types_to_quantize=["MatMul", "Gemm"],
    )


def _compare(encoder: Encoder, taught: Taught, found: Sequence[Any], rows: Sequence[Row]) -> None:
    """See that texts are read as they were learned; bytes for numbers cost little."""
    for row, (pieces, asked, _) in list(zip(found, rows, strict=True))[:_COMPARED]:
        with torch.no_grad():
            logits, said = taught(torch.tensor([pieces]), torch.tensor(asked[None]))
        learned_as = np.concatenate([logits[0].softmax(-1), said[0].sigmoid()])
        read = encoder.likeness(row.text, (row.asked,))
        read_as = np.array([*read.first.values(), *read.said.values()])
        if np.abs(learned_as - read_as).max() > _CLOSE:
            raise AssertionError(f"{row.text!r} is read otherwise than it was learned")
