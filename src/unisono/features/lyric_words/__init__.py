r"""Lyrics as words, for pictures that are told by tags: vectors of words, tags that a lyric has, how common they are.

**Conventions.** All is learned from the lyrics of one deal's training songs: vectors of their lemmas by skip-gram [1]_
(or those of GloVe), the inverse document frequency :math:`\log((1 + n) / (1 + n_w)) + 1` of a word in n songs, n_w of
them with it, and the share of these songs that have a tag. Tags are the words of the deal's vocabulary, T of them. A
*masked* lyric has no word that is a tag.

References
----------
.. [1] T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of word representations in vector space. ICLR
   workshops 2013.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config import validate
from unisono.config.picture_extractors import Words as Settings
from unisono.errors import ConfigError, DataError
from unisono.io import tensors
from unisono.io.files import replacing

_REMEDY = "run the stage embed_words"


@dataclass(frozen=True)
class Model:
    """What a deal's training songs say of words.

    Attributes
    ----------
    settings : Settings
    words : list of str
        Words that have a vector.
    vectors : np.ndarray [shape=(n_words, d), dtype=float32]
    idf : np.ndarray [shape=(n_words,), dtype=float32]
    vocabulary : list of str
        The deal's tags; one may have no vector.
    tag_idf, tag_shares : np.ndarray [shape=(T,), dtype=float32]
        Inverse document frequency, and share of the training songs that have the tag.
    """

    settings: Settings
    words: list[str]
    vectors: np.ndarray
    idf: np.ndarray
    vocabulary: list[str]
    tag_idf: np.ndarray
    tag_shares: np.ndarray

    @property
    def dimensions(self) -> int:
        """Width of a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def _row(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _tag(self) -> dict[str, int]:
        return {word: tag for tag, word in enumerate(self.vocabulary)}

    @cached_property
    def _tag_vectors(self) -> np.ndarray:
        """Vectors of the tags, zero of one that has none [shape=(T, d), dtype=float32]."""
        found = np.zeros((len(self.vocabulary), self.dimensions), dtype=np.float32)
        for tag, word in enumerate(self.vocabulary):
            if word in self._row:
                found[tag] = self.vectors[self._row[word]]
        return found

    def pictures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Describe pictures by the words of their tags.

        Parameters
        ----------
        weights : np.ndarray [shape=(n, T), dtype=float32]
            Of tags, 0 for one that a picture does not have.

        Returns
        -------
        dict of str to np.ndarray
            ``vectors`` (n, d): mean of the tags' vectors by weight, zero of a picture without tags; ``commonness``
            (n, 1): sum of weight times share of the training songs with the tag.
        """
        wide = weights[:, : len(self.vocabulary)].astype(np.float64)
        total = wide.sum(axis=1, keepdims=True)
        means = wide @ self._tag_vectors / np.where(total > 0, total, 1)
        return {
            "vectors": means.astype(np.float32),
            "commonness": (wide @ self.tag_shares.astype(np.float64))[:, None].astype(np.float32),
        }

    def lyrics(self, lemmas: Sequence[Sequence[str]], *, masked: bool = False) -> dict[str, np.ndarray]:
        """Describe lyrics by their words.

        Parameters
        ----------
        lemmas : sequence of sequence of str
            Of every lyric, in order.
        masked : bool
            Whether tags are left out.

        Returns
        -------
        dict of str to np.ndarray
            ``has`` (n, T): 1 for a tag that the lyric has; ``bag`` (n, T): its inverse document frequency there;
            ``word_means`` (n, d): mean of the vectors of its words, by their inverse document frequency;
            ``word_vectors`` (n, L, d): those of its first L words that have a vector, and ``n_frames`` (n,) how many,
            one of zeros where there are none; ``n_words`` (n, 1): different words.
        """
        n, length = len(lemmas), self.settings.length
        has = np.zeros((n, len(self.vocabulary)), dtype=np.float32)
        means = np.zeros((n, self.dimensions), dtype=np.float32)
        frames = np.zeros((n, length, self.dimensions), dtype=np.float32)
        counts = np.ones(n, dtype=np.int32)
        sizes = np.zeros((n, 1), dtype=np.float32)
        for at, own in enumerate(lemmas):
            read = [word for word in own if not (masked and word in self._tag)]
            sizes[at] = len(set(read))
            has[at, [self._tag[word] for word in set(read) & self._tag.keys()]] = 1
            known = [self._row[word] for word in read if word in self._row]
            if known:
                weights = self.idf[known].astype(np.float64)
                means[at] = weights @ self.vectors[known] / weights.sum()
                counts[at] = min(len(known), length)
                frames[at, : counts[at]] = self.vectors[known[:length]]
        return {
            "has": has, "bag": has * self.tag_idf, "word_means": means, "word_vectors": frames, "n_frames": counts,
            "n_words": sizes,
        }  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the model as safetensors: no pickle."""
        from safetensors.numpy import save

        header = {
            "extractor": "lyric_words", "settings": self.settings.model_dump(mode="json"), "words": self.words,
            "vocabulary": self.vocabulary,
        }  # fmt: skip
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with replacing(path) as temporary:
            temporary.write_bytes(save(arrays, metadata={"unisono": json.dumps(header)}))

    def describe(self) -> dict[str, Any]:
        """Name the extractor for the metadata of its features."""
        own = self.settings
        if own.vectors == "glove":
            return {"extractor": "lyric_words", "variant": "GloVe 6B, 50-D", "weights": "pretrained"}
        variant = f"skip-gram of lemmas, {own.dimensions}-D, window {own.window}, {own.epochs} epochs"
        return {"extractor": "lyric_words", "variant": variant, "weights": "trained", "seed": own.seed}


_ARRAYS = ("vectors", "idf", "tag_idf", "tag_shares")


def fit(lemmas: Sequence[Sequence[str]], vocabulary: Sequence[str], settings: Settings) -> Model:
    """Learn from the lyrics of training songs.

    Parameters
    ----------
    lemmas : sequence of sequence of str
        Of every training song, in order.
    vocabulary : sequence of str
        The deal's tags.
    settings : Settings

    Returns
    -------
    Model

    Raises
    ------
    DataError
        No song holds a word, or none is frequent enough.
    MissingExtra
        The package of GloVe's vectors is not installed.
    """
    if not any(lemmas):
        raise DataError(f"no word in {len(lemmas)} training songs, vectors of words have nothing to learn; add lyrics")
    frequency = Counter(word for own in lemmas for word in set(own))
    words, vectors = (_glove if settings.vectors == "glove" else _trained)(lemmas, settings)
    n = len(lemmas)

    def idf(of: Sequence[str]) -> np.ndarray:
        counts = np.array([frequency[word] for word in of], dtype=np.float64)
        return (np.log((1 + n) / (1 + counts)) + 1).astype(np.float32)

    shares = np.array([frequency[word] / n for word in vocabulary], dtype=np.float32)
    return Model(settings, words, vectors, idf(words), list(vocabulary), idf(vocabulary), shares)


def _trained(lemmas: Sequence[Sequence[str]], settings: Settings) -> tuple[list[str], np.ndarray]:
    """Train vectors by skip-gram with negative samples; the same on every run, since one worker trains."""
    from gensim.models import Word2Vec

    documents = [list(own) for own in lemmas]
    most = max(Counter(word for own in documents for word in own).values())
    network = Word2Vec(
        documents, sg=1, vector_size=settings.dimensions, window=settings.window, negative=settings.negative,
        epochs=settings.epochs, min_count=min(settings.min_count, most), seed=settings.seed, workers=1,
    )  # fmt: skip
    return list(network.wv.index_to_key), np.asarray(network.wv.vectors, dtype=np.float32)


def _glove(lemmas: Sequence[Sequence[str]], settings: Settings) -> tuple[list[str], np.ndarray]:
    """Take the ready-made vectors of every word that has one."""
    from unisono.features.texts import glove

    del settings
    model = glove.fit()
    found = model.vectors_of(sorted({word.lower() for own in lemmas for word in own}))
    if not found:
        raise DataError("no word of the training songs has a vector of GloVe, which are of English words")
    known = [word for word in dict.fromkeys(word for own in lemmas for word in own) if word.lower() in found]
    return known, np.stack([found[word.lower()] for word in known]).astype(np.float32)


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
    header, arrays = tensors.read(path, "unisono", what="a model of words", remedy=_REMEDY)
    try:
        settings = validate(Settings, header["settings"], where="settings")
        words, vocabulary = ([str(word) for word in header[name]] for name in ("words", "vocabulary"))
        model = Model(settings, words, vocabulary=vocabulary, **{name: arrays[name] for name in _ARRAYS})
        shapes = [model.vectors.shape[:1], model.idf.shape, model.tag_idf.shape, model.tag_shares.shape]
        right = [(len(words),), (len(words),), (len(vocabulary),), (len(vocabulary),)]
        finite = all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays.values())
        if header["extractor"] != "lyric_words" or shapes != right or model.vectors.ndim != 2 or not finite:
            raise ValueError("arrays that do not fit")
    except (KeyError, ValueError, TypeError, ConfigError) as error:
        raise DataError(f"{path}: not a model of words, or damaged ({error}); {_REMEDY}") from None
    return model
