"""Tokens and vectors out of a pickled gensim 3 model, without running it.

The classes that such a pickle names are replaced by one that only remembers what it is given; numpy's arrays are
built by `unisono.io.unpickle`, which refuses every other name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.io import unpickle

STAND_INS = frozenset(
    {
        ("gensim.models.word2vec", "Word2Vec"),
        ("gensim.models.word2vec", "Word2VecTrainables"),
        ("gensim.models.word2vec", "Word2VecVocab"),
        ("gensim.models.keyedvectors", "Word2VecKeyedVectors"),
        ("gensim.models.keyedvectors", "Vocab"),
        ("gensim.utils", "call_on_class_only"),
        ("numpy.random", "__RandomState_ctor"),
        ("collections", "defaultdict"),
        ("__builtin__", "hash"),
        ("__builtin__", "long"),
    }
)


class _Inert:
    """Stands for any object of the model: keeps its state, does nothing."""

    state: Any

    def __new__(cls, *_: Any) -> _Inert:
        """Make an object whatever the arguments."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Drop an item of a ``defaultdict``."""


class _Unpickler(unpickle._Unpickler):
    """The allow-list unpickler, with stand-ins for gensim's classes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "latin1")
        self.allowed |= dict.fromkeys(STAND_INS, _Inert)


def load(path: Path) -> tuple[list[str], np.ndarray]:
    """Read a pickled ``gensim.models.Word2Vec`` of gensim 3.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tokens : list of str
        The vocabulary, most frequent first.
    vectors : np.ndarray [shape=(len(tokens), dimensions), dtype=float32]

    Raises
    ------
    DataError
        The file is missing or damaged, names anything but gensim's model classes and numpy arrays (nothing was run), or
        holds no vocabulary with its vectors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; correct the path") from None
    try:
        words = _Unpickler(data).load().state["wv"].state
        tokens = list(words["index2word"])
        vectors = np.array(words["vectors"], dtype=np.float32)
        fits = vectors.ndim == 2 and len(vectors) == len(tokens) == len(set(tokens)) and np.isfinite(vectors).all()
    except Exception as error:
        pass_machine(error)
        # A damaged or hostile pickle can raise nearly anything.
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: not a pickled skip-gram model of gensim 3 ({reason}); get the file again") from None
    if not fits or not all(isinstance(token, str) for token in tokens):
        raise DataError(f"{path}: {len(tokens)} tokens and vectors of shape {vectors.shape} do not fit together")
    return tokens, vectors
