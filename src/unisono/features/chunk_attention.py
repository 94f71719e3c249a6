"""Chunk attention: which parts of a song carry its mood (D 4.2.1).

**Conventions.** An audio is a sequence of frames of 1 s. Every 3 frames make a chunk, represented by their
maximum (D: "the output of the global max-pooling layer"); one or two frames left over belong to the last. A
bi-directional LSTM gives h_f and h_b for each, and ``u_t = w' tanh(W_f h_f + W_b h_b + b)``, ``theta = softmax(u)``
the chunk's score. The states, weighted by their scores, lead through one tanh layer (the *emotion features*) to the
moods; cross-entropy on mood tags trains it all. The model of D's reference was never published, nor its sizes: this
is the network of the text on frames of VGGish, a substitution that metadata name ``chunk attention``.

Networks this small run on one thread of the CPU: the same data give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unisono.errors import DataError
from unisono.io import tensors
from unisono.io.files import replacing

if TYPE_CHECKING:
    import torch

#: Facts that are sizes of the network.
_SIZES = ("inputs", "units", "attention_units", "features", "chunk_s")
#: Audios that go through the network together when it is applied.
BATCH_SIZE = 32


class Output(NamedTuple):
    """What the model says about one audio.

    Attributes
    ----------
    scores : np.ndarray [shape=(n_chunks,), dtype=float32]
        Attention of every 3-s chunk; they sum to 1.
    features : np.ndarray [shape=(n_features,), dtype=float32]
        Emotion features, -1 to 1.
    moods : np.ndarray [shape=(n_tags,), dtype=float32]
        Probability of each tag.
    """

    scores: np.ndarray
    features: np.ndarray
    moods: np.ndarray


@dataclass(frozen=True)
class Model:
    """Parameters of the network and what they were made from.

    Attributes
    ----------
    arrays : mapping of str to np.ndarray [dtype=float32]
        The network's parameters, and ``mean`` and ``deviation`` of the input.
    facts : mapping
        JSON-able: ``tags`` (names of the moods, in order), ``chunk_s``, sizes, ``weights`` and where they
        are from.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]

    def apply(self, audios: Sequence[np.ndarray]) -> list[Output]:
        """Score audios.

        Parameters
        ----------
        audios : sequence of np.ndarray [shape=(n_frames, 128)]
            Real-valued frames.

        Returns
        -------
        list of Output
        """
        import torch

        network = _network(self.facts)
        network.load_state_dict({name: torch.from_numpy(self.arrays[name].copy()) for name in network.state_dict()})
        network.eval()
        outputs = []
        with _one_thread(), torch.inference_mode():
            for start in range(0, len(audios), BATCH_SIZE):
                sequences = [self._chunks(audio) for audio in audios[start : start + BATCH_SIZE]]
                scores, features, logits = network(*_padded(sequences))
                moods = torch.softmax(logits, dim=1)
                for i, sequence in enumerate(sequences):
                    row = (scores[i, : len(sequence)], features[i], moods[i])
                    outputs.append(Output(*(tensor.numpy().copy() for tensor in row)))
        return outputs

    def _chunks(self, audio: np.ndarray) -> np.ndarray:
        width = len(self.arrays["mean"])
        if audio.ndim != 2 or audio.shape[1] != width or not len(audio):
            raise DataError(f"chunk attention: audio of shape {audio.shape}, expected (frames, {width})")
        chunks = pool_chunks(audio, self.facts["chunk_s"])
        return (chunks - self.arrays["mean"]) / self.arrays["deviation"]

    def save(self, path: Path) -> None:
        """Write as safetensors, the facts as JSON in its header; the same bytes for the same model."""
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(self.arrays[name]) for name in sorted(self.arrays)}
        facts = {"chunk_attention": json.dumps(dict(self.facts), sort_keys=True)}
        with replacing(path) as temporary:
            temporary.write_bytes(save(arrays, metadata=facts))

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            The file is missing, damaged, or not a chunk-attention model.
        """
        what, remedy = "a chunk-attention model", "run the stage train_chunk_attention again"
        facts, arrays = tensors.read(path, "chunk_attention", what=what, remedy=remedy)
        sizes = {key: facts.get(key) for key in _SIZES}
        tags = facts.get("tags")
        named = isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags)
        # Before a network of these sizes is drawn: none is larger than the file that holds it.
        stored = sum(array.size for array in arrays.values())
        if not named or not all(type(size) is int and 0 < size <= stored for size in sizes.values()):
            raise DataError(f"{path}: not {what}: its header holds {sizes} and the tags {str(tags)[:80]}; {remedy}")
        shapes = _shapes(facts) | dict.fromkeys(("mean", "deviation"), (facts["inputs"],))
        for name, shape in shapes.items():
            if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != np.float32:
                raise DataError(f"{path}: array {name!r} is missing or not float32 {shape}; {remedy}")
        return cls(arrays, facts)


def pool_chunks(audio: np.ndarray, chunk_s: int) -> np.ndarray:
    """Take the maximum of every `chunk_s` frames.

    Parameters
    ----------
    audio : np.ndarray [shape=(n_frames, d)]
    chunk_s : int
        Frames of a chunk; frames left over belong to the last.

    Returns
    -------
    np.ndarray [shape=(max(n_frames // chunk_s, 1), d), dtype=float32]
    """
    starts = np.arange(_n_chunks(len(audio), chunk_s)) * chunk_s
    return np.maximum.reduceat(audio, starts, axis=0).astype(np.float32)


def _n_chunks(n_frames: int, chunk_s: int) -> int:
    # No chunk of its own for frames left over: the maximum of one frame is no match for that of three.
    return max(n_frames // chunk_s, 1)


def select_chunks(scores: np.ndarray, *, keep: int, chunks: int) -> list[int]:
    """Choose the chunks of a song that count: each takes the maximum of its 3-s scores, the best are kept.

    Parameters
    ----------
    scores : np.ndarray [shape=(n,)]
        Of the 3-s chunks.
    keep : int
        How many are kept (k).
    chunks : int
        Equal parts into which the song is cut (c).

    Returns
    -------
    list of int
        Numbers of the parts kept, ascending; of equal scores the earlier part wins.
    """
    edges = _edges(len(scores), chunks)
    best = [scores[start:stop].max() for start, stop in pairwise(edges)]
    return sorted(np.argsort(-np.asarray(best), kind="stable")[:keep].tolist())


def chunk_frames(n_frames: int, selected: Sequence[int], *, chunks: int, chunk_s: int) -> np.ndarray:
    """List the frames that belong to parts of a song.

    Parameters
    ----------
    n_frames : int
    selected : sequence of int
        Numbers of the parts, see `select_chunks`.
    chunks : int
        Parts into which the song is cut, at borders of its 3-s chunks.
    chunk_s : int
        Frames of a 3-s chunk.

    Returns
    -------
    np.ndarray [dtype=int]
        Indices of frames, ascending.
    """
    edges = _edges(_n_chunks(n_frames, chunk_s), chunks) * chunk_s
    edges[-1] = n_frames
    return np.concatenate([np.arange(edges[part], edges[part + 1]) for part in selected])


def _edges(n: int, parts: int) -> np.ndarray:
    """Borders of `parts` parts of n units, as equal as whole units allow."""
    if n < parts:
        raise DataError(f"chunk attention: an audio of {n} scored chunks cannot be cut into {parts} parts")
    return np.rint(np.linspace(0, n, parts + 1)).astype(int)


def train(
    audios: Sequence[np.ndarray],
    tags: Sequence[str],
    *,
    chunk_s: int = 3,
    units: int = 32,
    attention_units: int = 32,
    features: int = 32,
    epochs: int = 6,
    batch_size: int = 32,
    learning_rate: float = 0.002,
    seed: int = 0,
) -> Model:
    """Train the network on tagged audios.

    Parameters
    ----------
    audios : sequence of np.ndarray [shape=(n_frames, d)]
        Real-valued frames of 1 s.
    tags : sequence of str
        Mood of each.
    chunk_s, units, attention_units, features : int
        Sizes; ``mv10k.emotion`` of ``params.yaml`` says what of.
    epochs, batch_size, learning_rate
        Of Adam.
    seed : int
        Of initialisation and order.

    Returns
    -------
    Model

    Raises
    ------
    DataError
        There are no audios, or only one mood.
    """
    import torch

    names = sorted(set(tags))
    if len(names) < 2:
        raise DataError(f"chunk attention: {len(audios)} audios with {len(names)} moods; two moods are needed")
    sequences = [pool_chunks(audio, chunk_s) for audio in audios]
    model = untrained(
        names, sequences, chunk_s=chunk_s, units=units, attention_units=attention_units, features=features, seed=seed
    )
    mean, deviation = model.arrays["mean"], model.arrays["deviation"]
    sequences = [(sequence - mean) / deviation for sequence in sequences]
    targets = torch.tensor([names.index(tag) for tag in tags])
    network = _network(model.facts)
    network.load_state_dict({name: torch.from_numpy(model.arrays[name]) for name in network.state_dict()})
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    correct = 0
    with _one_thread():
        for batch, last_epoch in _batches(len(sequences), batch_size, epochs, seed):
            _, _, logits = network(*_padded([sequences[i] for i in batch]))
            wanted = targets[torch.from_numpy(batch)]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(logits, wanted).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            correct += int((logits.argmax(1) == wanted).sum()) if last_epoch else 0
    arrays = {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise DataError("chunk attention: training diverged; lower mv10k.emotion.learning_rate")
    facts = {"weights": "trained", "n_tagged": len(audios), "train_accuracy": round(correct / len(audios), 4)}
    return Model({**arrays, "mean": mean, "deviation": deviation}, {**model.facts, **facts})


def untrained(
    tags: Sequence[str],
    sequences: Sequence[np.ndarray],
    *,
    chunk_s: int,
    units: int,
    attention_units: int,
    features: int,
    seed: int,
) -> Model:
    """Draw a network at random, its input standardised by chunk features `sequences` [shape=(n_chunks, d) each]."""
    every = np.concatenate(list(sequences)).astype(np.float64)
    facts = {
        "extractor": "chunk attention",
        "weights": "untrained",
        "tags": list(tags),
        "inputs": every.shape[1],
        "chunk_s": chunk_s,
        "units": units,
        "attention_units": attention_units,
        "features": features,
    }
    network = _network(facts, seed)
    arrays = {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
    arrays["mean"] = every.mean(0).astype(np.float32)
    arrays["deviation"] = np.maximum(every.std(0), 1e-6).astype(np.float32)
    return Model(arrays, facts)


def _batches(n: int, size: int, epochs: int, seed: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Shuffled batches of indices, and whether they are of the last epoch."""
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, size):
            yield order[start : start + size], epoch == epochs - 1


def _padded(sequences: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Batch of shape (n, longest, d), and the real lengths."""
    import torch

    lengths = torch.tensor([len(sequence) for sequence in sequences])
    tensors = [torch.from_numpy(np.ascontiguousarray(sequence, np.float32)) for sequence in sequences]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lengths


def _shapes(facts: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters of `_network`, for which none are drawn."""
    import torch

    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in _network(facts).state_dict().items()}


def _network(facts: Mapping[str, Any], seed: int = 0) -> torch.nn.Module:
    """Draw the network of `facts` (inputs, units, attention_units, features, tags); leave torch's own seed alone."""
    import torch
    from torch import nn

    class Network(nn.Module):
        """Bi-directional LSTM, attention, emotion features, moods."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(facts["inputs"], facts["units"], batch_first=True, bidirectional=True)
            # One matrix for [h_f, h_b] is W_f and W_b side by side.
            self.hidden = nn.Linear(2 * facts["units"], facts["attention_units"])
            self.score = nn.Linear(facts["attention_units"], 1, bias=False)
            self.features = nn.Linear(2 * facts["units"], facts["features"])
            self.moods = nn.Linear(facts["features"], len(facts["tags"]))

        def forward(self, chunks: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, ...]:
            packed = nn.utils.rnn.pack_padded_sequence(chunks, lengths, batch_first=True, enforce_sorted=False)
            states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            u = self.score(torch.tanh(self.hidden(states))).squeeze(-1)
            padding = torch.arange(u.shape[1])[None, :] >= lengths[:, None]
            scores = torch.softmax(u.masked_fill(padding, -torch.inf), dim=1)
            features = torch.tanh(self.features((scores[:, :, None] * states).sum(1)))
            return scores, features, self.moods(features)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order, and faster than several threads would: the matrices are small."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
