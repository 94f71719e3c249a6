r"""Paragraph vectors (gensim): a vector of a text from which its words are foretold.

.. math:: \sum_{w \in \text{text}} \Big(\log \sigma(h_w \cdot v)
          + \sum_{u \sim P} \log \sigma(-h_u \cdot v)\Big)

is what the vector v of a text makes large (distributed bag of words, `negative` words u drawn for each); training finds
the vectors :math:`h` of words together with those of its texts, of which the model keeps none. Every text, also one of
the training part, gets its vector from the finished model, so that both parts' vectors are made alike. That starts at
zero and draws its words from the same seed for every text: it depends on the text and the model alone. gensim's own
inference starts at a hash of the text that changes from process to process.

References
----------
Le, Mikolov, "Distributed representations of sentences and documents", ICML 2014.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config import validate
from unisono.config.text_extractors import Doc2Vec as Settings
from unisono.errors import DataError
from unisono.features import saved
from unisono.features.skipgram import least_count
from unisono.features.texts.words import words

TRAINED = True

#: Step of the first and the last pass.
_ALPHA, _LEAST_ALPHA = 0.025, 0.0001


@dataclass(frozen=True)
class Model:
    """Vectors of words, from which those of texts follow.

    Attributes
    ----------
    settings : Settings
    counts : mapping of str to int
        How often each word occurred in training, most frequent first.
    hidden : np.ndarray [shape=(n_words, d), dtype=float32]
        What a text's vector is compared with, by word.
    context : np.ndarray [shape=(n_words, d), dtype=float32]
        What a word's neighbours say of it; read by ``dm`` alone, without rows for ``dbow``.
    adapted : str
        What was adapted to few texts; empty where nothing was.
    """

    settings: Settings
    counts: Mapping[str, int]
    hidden: np.ndarray
    context: np.ndarray
    adapted: str = ""

    @property
    def dimensions(self) -> int:
        """Width of a vector."""
        return self.settings.dimensions

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Find the vectors of texts; see `unisono.features.texts`."""
        from gensim.models.doc2vec import train_document_dbow, train_document_dm

        train = train_document_dbow if self.settings.algorithm == "dbow" else train_document_dm
        network = self._network
        state = np.random.RandomState(self.settings.seed).get_state()
        steps = np.linspace(_ALPHA, _LEAST_ALPHA, self.settings.epochs)
        free, work = np.ones(1, dtype=np.float32), np.zeros(self.dimensions, dtype=np.float32)
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            known = [word for word in words(text) if word in self.counts]
            if not known:
                continue
            network.random.set_state(state)
            own = vectors[row : row + 1]
            for alpha in steps:
                train(network, known, [0], alpha, work, learn_words=False, learn_hidden=False, doctag_vectors=own,
                      doctags_lockf=free)  # fmt: skip
        return vectors

    @cached_property
    def _network(self) -> Any:
        """Make gensim's model, with the words in this one's order."""
        network = _gensim(self.settings, min_count=1, sorted_vocab=0)
        network.build_vocab_from_freq(dict(self.counts), corpus_count=1)
        network.syn1neg = np.ascontiguousarray(self.hidden, dtype=np.float32)
        if self.settings.algorithm == "dm":
            network.wv.vectors = np.ascontiguousarray(self.context, dtype=np.float32)
        return network

    def save(self, path: Path) -> None:
        """Write the model; see `unisono.features.texts`."""
        settings = self.settings.model_dump(mode="json")
        facts = {"settings": settings, "counts": list(self.counts.items()), "adapted": self.adapted}
        saved.write(path, "doc2vec", facts, {"hidden": self.hidden, "context": self.context})

    def describe(self) -> dict[str, Any]:
        """Name the extractor; see `unisono.features.texts`."""
        own = self.settings
        kind = {"dbow": "PV-DBOW", "dm": f"PV-DM, window {own.window}"}[own.algorithm]
        variant = f"{kind}, {own.dimensions}-D, {own.epochs} epochs"
        adapted = {"adapted": self.adapted} if self.adapted else {}
        return {"extractor": "doc2vec", "variant": variant, "weights": "trained", "seed": own.seed, **adapted}


def fit(texts: Sequence[str], settings: Settings) -> Model:
    """Train on texts; see `unisono.features.texts`.

    Parameters
    ----------
    texts : sequence of str
    settings : Settings
        A word that occurs less often than ``min_count`` is left out. Where all do, the count is lowered to that of the
        most frequent word.

    Returns
    -------
    Model

    Raises
    ------
    DataError
        No text holds a word.
    """
    from gensim.models.doc2vec import TaggedDocument

    documents = [words(text) for text in texts]
    if not any(documents):
        raise DataError(f"no word in {len(texts)} training texts, doc2vec has nothing to learn; add lyrics")
    min_count = least_count(documents, settings.min_count)
    network = _gensim(settings, min_count=min_count)
    tagged = [TaggedDocument(document, [row]) for row, document in enumerate(documents)]
    network.build_vocab(tagged)
    network.train(tagged, total_examples=len(tagged), epochs=settings.epochs)
    counts = {word: int(network.wv.get_vecattr(word, "count")) for word in network.wv.index_to_key}
    context = network.wv.vectors if settings.algorithm == "dm" else np.empty((0, settings.dimensions))
    adapted = ""
    if min_count < settings.min_count:
        adapted = f"doc2vec.min_count: {min_count} instead of {settings.min_count}, since no word occurs so often"
    return Model(settings, counts, network.syn1neg, np.asarray(context, dtype=np.float32), adapted)


def load(path: Path) -> Model:
    """Read what `Model.save` wrote.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Model

    Raises
    ------
    DataError
        The file is missing, damaged, or another kind.
    """
    return saved.read(path, "doc2vec", _made, stage="embed_lyrics")


def _made(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Model:
    """Put a model together from a file; raises `ValueError` where that cannot be."""
    settings = validate(Settings, header["settings"], where="settings")
    counts = {str(word): int(count) for word, count in header["counts"]}
    model = Model(settings, counts, arrays["hidden"], arrays["context"], str(header["adapted"]))
    shape = (len(header["counts"]), settings.dimensions)
    rows = len(counts) if settings.algorithm == "dm" else 0
    fits = model.hidden.shape == shape and model.context.shape == (rows, settings.dimensions)
    dtypes = {array.dtype for array in (model.hidden, model.context)}
    if not fits or dtypes != {np.dtype(np.float32)}:
        raise ValueError(f"arrays of shape {model.hidden.shape} and {model.context.shape}")
    if not counts or len(counts) < shape[0] or not all(0 < count < 2**53 for count in counts.values()):
        raise ValueError("words twice, or none, or counts that are none")
    return model


def _gensim(settings: Settings, **more: Any) -> Any:
    """Make gensim's model, untrained."""
    from gensim.models.doc2vec import Doc2Vec

    return Doc2Vec(
        dm=int(settings.algorithm == "dm"),
        vector_size=settings.dimensions,
        window=settings.window,
        negative=settings.negative,
        sample=settings.sample,
        epochs=settings.epochs,
        seed=settings.seed,
        alpha=_ALPHA,
        min_alpha=_LEAST_ALPHA,
        workers=1,
        **more,
    )
