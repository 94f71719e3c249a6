"""Networks that read sequences for vectors, and score every vector with every sequence.

**Conventions.** Vectors are (P, d), sequences zero-padded (S, L, d) with a number of real frames each; a score is of a
vector and a sequence, (P, S). What depends on padding nowhere reaches a score. torch is imported inside functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.errors import DataError
from unisono.models.parts import deep

if TYPE_CHECKING:
    import torch
    from scipy import sparse

#: Sequences read at a time.
READ = 256


class Batches:
    """Batches of some sequences, a relevant vector for each, and random vectors, anew in every pass.

    Parameters
    ----------
    relation : scipy.sparse.csr_array [shape=(n_sequences, n_vectors), dtype=bool]
        Which are relevant, with sorted indices; a sequence without a relevant vector is in no batch.
    size : int
        Sequences of a batch, not more than there are; those that are left over wait for the next pass.
    extra : int
        Random vectors of a batch.
    """

    def __init__(self, relation: sparse.csr_array, size: int, extra: int) -> None:
        import torch

        self._relation, self._extra = relation, extra
        counts = np.diff(relation.indptr)
        self._sequences = torch.as_tensor(np.flatnonzero(counts))
        self._starts, self._counts = torch.as_tensor(relation.indptr[:-1].astype(np.int64)), torch.as_tensor(counts)
        self._vectors = torch.as_tensor(relation.indices.astype(np.int64))
        self._size = min(size, len(self._sequences))

    def __len__(self) -> int:
        return len(self._sequences) // self._size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield sequences (s,), vectors (p,) and the relation of these (p, s) as 0 and 1, from torch's generator."""
        import torch

        order = self._sequences[torch.randperm(len(self._sequences))]
        for sequences in order[: len(self) * self._size].view(len(self), self._size):
            drawn = (torch.rand(len(sequences), dtype=torch.float64) * self._counts[sequences]).long()
            extra = torch.randint(self._relation.shape[1], (self._extra,))
            vectors = torch.cat([self._vectors[self._starts[sequences] + drawn], extra])
            relevant = self._relation[sequences.numpy()][:, vectors.numpy()].toarray().T
            yield sequences, vectors, torch.as_tensor(np.ascontiguousarray(relevant, dtype=np.float32))


def padded(array: np.ndarray, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Bring rows to sequences with zeros after their real frames.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d) or (n, L, d), dtype=any real]
        A vector is a sequence of one frame.
    lengths : np.ndarray [shape=(n,), dtype=int64] or None
        All L by default.

    Returns
    -------
    frames : np.ndarray [shape=(n, longest, d), dtype=float32]
    counts : np.ndarray [shape=(n,), dtype=int64]
    """
    frames = array[:, None] if array.ndim == 2 else array
    counts = np.full(len(frames), frames.shape[1], dtype=np.int64) if lengths is None else lengths
    longest = int(counts.max(initial=1))
    made = np.asarray(frames[:, :longest], dtype=np.float32)
    return made * (np.arange(longest) < counts[:, None])[:, :, None], counts


def distinct(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find rows that are equal in all columns, so that what is computed of them is, too.

    Parameters
    ----------
    *columns : np.ndarray [shape=(n, ...)]

    Returns
    -------
    first : np.ndarray [shape=(m,), dtype=int64]
        Rows, the first of each kind.
    kind : np.ndarray [shape=(n,), dtype=int64]
        Of every row.

    Examples
    --------
    >>> distinct(np.array([[5, 1], [2, 2], [5, 1]]))
    (array([0, 1]), array([0, 1, 0]))
    """
    kinds: dict[bytes, int] = {}
    first: list[int] = []
    kind = np.empty(len(columns[0]), dtype=np.int64)
    for row, parts in enumerate(zip(*columns, strict=True)):
        digest = hashlib.blake2b(b"".join(np.ascontiguousarray(part).tobytes() for part in parts), digest_size=16)
        kind[row] = kinds.setdefault(digest.digest(), len(kinds))
        if kind[row] == len(first):
            first.append(row)
    return np.array(first, dtype=np.int64), kind


def attentive(width: int, frame_width: int, *, units: int, hidden: int, dropout: float, tags: bool) -> torch.nn.Module:
    """Build the network of `unisono.models.tag_attention`, which has the formula.

    Parameters
    ----------
    width, frame_width : int
        Of vectors and of frames.
    units : int
        Of the LSTM in either direction; k is twice that.
    hidden : int
        Of the perceptron.
    dropout : float
        Of the frames' numbers.
    tags : bool
        Whether vectors weigh the frames; otherwise all count alike.

    Returns
    -------
    torch.nn.Module
        ``read(sequences, counts)``: states (S, L, k). ``weigh(vectors, states, counts)``: weights (P, S, L).
        ``score(vectors, states, counts)``: (P, S). ``gaze(vectors)``: q (P, k).
    """
    import torch
    from torch import nn

    size = 2 * units

    class Attentive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = nn.Dropout(dropout)
            self.forth = nn.LSTM(frame_width, units, batch_first=True)
            self.back = nn.LSTM(frame_width, units, batch_first=True)
            self.gaze = deep.perceptron(width, [size], last="tanh")
            self.weights = nn.Linear(width, size, bias=False) if tags else None
            self.first = nn.Linear(3 * size, hidden)
            self.last = nn.Linear(hidden, 1)

        def read(self, sequences: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            frames = self.dropout(sequences)
            places = torch.arange(frames.shape[1], device=frames.device).expand(len(frames), -1)
            # Backwards over the real frames alone; padding stays behind them, where no state of theirs knows it.
            mirrored = torch.where(places < counts[:, None], counts[:, None] - 1 - places, places)[:, :, None]
            back = self.back(frames.gather(1, mirrored.expand_as(frames)))[0]
            return torch.cat([self.forth(frames)[0], back.gather(1, mirrored.expand_as(back))], dim=2)

        def weigh(self, vectors: torch.Tensor, states: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            real = torch.arange(states.shape[1], device=states.device) < counts[:, None]
            if self.weights is None:
                return (real / counts[:, None]).expand(len(vectors), -1, -1)
            logits = (self.weights(vectors) @ states.flatten(end_dim=1).T).view(-1, *real.shape)
            return torch.softmax(logits.masked_fill(~real, -torch.inf), dim=2)

        def score(self, vectors: torch.Tensor, states: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            weights = self.weigh(vectors, states, counts)
            if self.weights is None:
                read = (weights[0, :, None] @ states)[:, 0].expand(len(vectors), -1, -1)
            else:
                read = (weights.transpose(0, 1) @ states).transpose(0, 1)
            q = self.gaze(vectors)
            # The hidden layer of [q, z, q * z], (P, S, 3k), without making it.
            own, other, both = self.first.weight.view(-1, 3, size).unbind(dim=1)
            mixed = other.T + q[:, :, None] * both.T
            inner = torch.relu(torch.baddbmm((q @ own.T + self.first.bias)[:, None], read, mixed))
            return self.last(inner)[:, :, 0]

    return Attentive()


def scores(network: Any, vectors: np.ndarray, sequences: np.ndarray, counts: np.ndarray, *, block: int) -> np.ndarray:
    """Score every vector with every sequence; equal rows have equal scores.

    Parameters
    ----------
    network : torch.nn.Module
        From `attentive`, in evaluation mode.
    vectors : np.ndarray [shape=(P, d), dtype=float32]
    sequences : np.ndarray [shape=(S, L, d), dtype=float32]
    counts : np.ndarray [shape=(S,), dtype=int64]
    block : int
        Numbers in memory at a time, besides states and scores.

    Returns
    -------
    np.ndarray [shape=(P, S), dtype=float64]
    """
    import torch

    (p, one), (s, other) = distinct(vectors), distinct(sequences, counts)
    found = np.empty((len(p), len(s)), dtype=np.float32)
    with torch.inference_mode():
        states = read(network, sequences[s], counts[s])
        real, rows = torch.as_tensor(counts[s]), torch.as_tensor(vectors[p])
        each = len(s) * (states.shape[1] + 2 * states.shape[2] + network.first.out_features)
        step = max(1, block // each)
        for start in range(0, len(p), step):
            found[start : start + step] = network.score(rows[start : start + step], states, real).numpy()
    return found[np.ix_(one, other)].astype(np.float64)


def read(network: Any, sequences: np.ndarray, counts: np.ndarray) -> torch.Tensor:
    """Read sequences, some at a time: states [shape=(S, L, k), dtype=float32]."""
    import torch

    with torch.inference_mode():
        parts = [
            network.read(torch.as_tensor(sequences[rows]), torch.as_tensor(counts[rows]))
            for rows in (slice(start, start + READ) for start in range(0, len(sequences), READ))
        ]
        return torch.cat(parts)


def one_sequence(name: str, views: dict[str, np.ndarray]) -> tuple[str, str]:
    """Tell the view of vectors from that of sequences.

    Parameters
    ----------
    name : str
        The method, for messages.
    views : dict of str to np.ndarray

    Returns
    -------
    vectors, sequences : str

    Raises
    ------
    DataError
        Not one view of each kind.
    """
    sequences = [view for view, array in views.items() if array.ndim == 3]
    if len(sequences) != 1:
        shapes = ", ".join(f"{view} {array.shape}" for view, array in views.items())
        raise DataError(
            f"{name}: learns from one view of vectors (n, d), the picture, and one of sequences (n, L, d), the lyric; "
            f"got {shapes}"
        )
    (vectors,) = views.keys() - set(sequences)
    return vectors, sequences[0]
