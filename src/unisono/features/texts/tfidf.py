"""Words weighted by how few texts hold them, in the directions in which texts differ most (scikit-learn).

A text is the counts of its words, times the logarithm of how rare each is, scaled to unit length, and projected on the
leading right singular vectors of the training texts' matrix (latent semantic analysis).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config import validate
from unisono.config.text_extractors import Tfidf as Settings
from unisono.errors import DataError
from unisono.features import saved
from unisono.features.skipgram import least_count
from unisono.features.texts.words import words

TRAINED = True

#: Directions in which texts differ by less than this part of the first one are rounding.
_LEAST = 1e-6


@dataclass(frozen=True)
class Model:
    """Weights of words and directions of texts.

    Attributes
    ----------
    settings : Settings
    vocabulary : sequence of str
        Sorted.
    weights : np.ndarray [shape=(n_words,), dtype=float64]
        How rare each word is.
    directions : np.ndarray [shape=(d, n_words), dtype=float32]
    adapted : str
        What was adapted to few texts; empty where nothing was.
    """

    settings: Settings
    vocabulary: Sequence[str]
    weights: np.ndarray
    directions: np.ndarray
    adapted: str = ""

    @property
    def dimensions(self) -> int:
        """Width of a vector."""
        return len(self.directions)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Weigh and project texts; see `unisono.features.texts`."""
        vectors: np.ndarray = self._vectorizer.transform(texts) @ self.directions.T.astype(np.float64)
        return vectors.astype(np.float32)

    @cached_property
    def _vectorizer(self) -> Any:
        made = _vectorizer(self.settings, vocabulary=list(self.vocabulary))
        made.idf_ = self.weights
        return made

    def save(self, path: Path) -> None:
        """Write the model; see `unisono.features.texts`."""
        settings = self.settings.model_dump(mode="json")
        facts = {"settings": settings, "vocabulary": list(self.vocabulary), "adapted": self.adapted}
        saved.write(path, "tfidf", facts, {"weights": self.weights, "directions": self.directions})

    def describe(self) -> dict[str, Any]:
        """Name the extractor; see `unisono.features.texts`."""
        adapted = {"adapted": self.adapted} if self.adapted else {}
        variant = f"tf-idf, SVD {self.dimensions}"
        return {"extractor": "tfidf", "variant": variant, "weights": "trained", "seed": self.settings.seed, **adapted}


def fit(texts: Sequence[str], settings: Settings) -> Model:
    """Weigh the words of texts and find their directions; see `unisono.features.texts`.

    Parameters
    ----------
    texts : sequence of str
    settings : Settings
        A word that fewer than ``min_texts`` hold is left out; where all are so rare, the number is lowered to the most
        that a word has. There are at most as many ``dimensions`` as texts, as words, and as the texts differ in.

    Returns
    -------
    Model

    Raises
    ------
    DataError
        No text holds a word.
    """
    from sklearn.utils.extmath import randomized_svd

    distinct = [sorted(set(words(text))) for text in texts]
    if not any(distinct):
        raise DataError(f"no word in {len(texts)} training texts, tfidf has nothing to learn; add lyrics")
    min_texts = least_count(distinct, settings.min_texts)
    vectorizer = _vectorizer(settings, min_df=min_texts)
    matrix = vectorizer.fit_transform(texts)
    most = min(settings.dimensions, *matrix.shape)
    # TruncatedSVD does this, and refuses a single word.
    _, spread, directions = randomized_svd(matrix, most, n_iter=7, random_state=settings.seed)
    kept = spread > _LEAST * spread[0]
    adapted = []
    if min_texts < settings.min_texts:
        adapted.append(f"tfidf.min_texts: {min_texts} instead of {settings.min_texts}, since no word stands in so many")
    if kept.sum() < settings.dimensions:
        adapted.append(f"tfidf.dimensions: {kept.sum()} instead of {settings.dimensions}, since the texts have no more")
    return Model(
        settings,
        vectorizer.get_feature_names_out().tolist(),
        np.asarray(vectorizer.idf_, dtype=np.float64),
        np.ascontiguousarray(directions[kept], dtype=np.float32),
        "; ".join(adapted),
    )


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
    return saved.read(path, "tfidf", _made, stage="embed_lyrics")


def _made(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Model:
    """Put a model together from a file; raises `ValueError` where that cannot be."""
    settings = validate(Settings, header["settings"], where="settings")
    vocabulary = [str(word) for word in header["vocabulary"]]
    model = Model(settings, vocabulary, arrays["weights"], arrays["directions"], str(header["adapted"]))
    n = len(set(vocabulary))
    fits = model.weights.shape == (n,) and model.directions.ndim == 2 and model.directions.shape[1] == n > 0
    if n < len(vocabulary) or not fits or not model.dimensions:
        raise ValueError(f"{n} words, arrays of shape {model.weights.shape} and {model.directions.shape}")
    if model.weights.dtype != np.float64 or model.directions.dtype != np.float32:
        raise ValueError(f"arrays of {model.weights.dtype} and {model.directions.dtype}")
    return model


def _vectorizer(settings: Settings, **more: Any) -> Any:
    """Make scikit-learn's, which takes texts apart as all extractors do."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=words, sublinear_tf=settings.sublinear, dtype=np.float64, **more)
