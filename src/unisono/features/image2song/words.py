r"""Words as vectors: what tags and lyrics are compared by.

.. math:: \mathrm{idf}(w) = \ln(N / n_w)

for a lemma w that is in n_w of N training songs. The vector of a lyric is the mean of its lemmas' vectors, each as
often as it occurs and times its idf; that of a picture the mean of its tags' vectors, by their weights. Vectors come
from skip-gram with negative sampling on the training songs (gensim, one thread, so that the same songs give the same
vectors), or are GloVe's. A lemma without a vector is passed over; where none is left, vectors are zero.

References
----------
.. [1] T. Mikolov et al.: Distributed representations of words and phrases and their compositionality. NeurIPS 2013.
.. [2] M. Norouzi et al.: Zero-shot learning by convex combination of semantic embeddings. ICLR 2014 (CONSE): the
   weighted mean of the vectors of the likeliest classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.picture_extractors import Words as Settings
from unisono.errors import DataError
from unisono.features import saved
from unisono.features.skipgram import least_count

#: Kind of the model's file.
KIND = "words"
#: End of the names of sets of lyrics from which the tags were taken out.
MASKED = "_masked"


@dataclass(frozen=True)
class Words:
    """What was learnt from the training songs of a deal.

    Attributes
    ----------
    words : sequence of str
        Lemmas with a vector.
    vectors : np.ndarray [shape=(n_words, d), dtype=float32]
    idf : np.ndarray [shape=(n_words,), dtype=float64]
    vocabulary : sequence of str
        The T tags.
    frequency : np.ndarray [shape=(T,), dtype=float64]
        Share of the training songs that hold a tag.
    length : int
        Lemmas of a lyric that are read as a sequence.
    adapted : str
        What was adapted to few songs; empty where nothing was.
    """

    words: Sequence[str]
    vectors: np.ndarray
    idf: np.ndarray
    vocabulary: Sequence[str]
    frequency: np.ndarray
    length: int
    adapted: str = ""

    @cached_property
    def _row(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    @cached_property
    def _tag(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.vocabulary)}

    @cached_property
    def tag_vectors(self) -> np.ndarray:
        """Vectors of the tags: (T, d) of float64, zero where a tag has none."""
        found = np.zeros((len(self.vocabulary), self.vectors.shape[1]))
        for place, word in enumerate(self.vocabulary):
            if word in self._row:
                found[place] = self.vectors[self._row[word]]
        return found

    def of_lyric(self, lemmas: Sequence[str]) -> dict[str, np.ndarray]:
        """Turn a lyric into all that is compared with pictures.

        Parameters
        ----------
        lemmas : sequence of str
            In order.

        Returns
        -------
        dict of str to np.ndarray
            ``has``, ``bag`` (T,): 1 and the idf of the tags in it. ``word_means`` (d,), ``word_vectors`` (length, d)
            with ``n_frames`` real rows, one zero row where there is none, ``n_words`` (1,) distinct lemmas; the same
            with `MASKED` at the end of their names, without the tags.
        """
        has = np.zeros(len(self.vocabulary))
        for lemma in lemmas:
            if lemma in self._tag:
                has[self._tag[lemma]] = 1
        idf = -np.log(np.maximum(self.frequency, 1e-12))
        found = {"has": has, "bag": has * idf}
        for end, own in (("", lemmas), (MASKED, [lemma for lemma in lemmas if lemma not in self._tag])):
            rows = [self._row[lemma] for lemma in own if lemma in self._row]
            mean = np.zeros(self.vectors.shape[1])
            if self.idf[rows].sum() > 0:
                mean = np.average(self.vectors[rows].astype(np.float64), axis=0, weights=self.idf[rows])
            read = self.vectors[rows[: self.length]]
            found[f"word_means{end}"] = mean
            found[f"word_vectors{end}"] = np.pad(read, ((0, self.length - len(read)), (0, 0)))
            found[f"n_frames{end}"] = np.array(max(len(read), 1), dtype=np.int32)
            found[f"n_words{end}"] = np.array([len(set(own))], dtype=np.float64)
        return found

    def of_pictures(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn the tags of pictures into vectors, and into how common they are.

        Parameters
        ----------
        weights : np.ndarray [shape=(n, T), dtype=float64]
            Not negative.

        Returns
        -------
        vectors : np.ndarray [shape=(n, d), dtype=float64]
            Mean of the tags' vectors.
        commonness : np.ndarray [shape=(n, 1), dtype=float64]
            Expected number of the tags in a training song.
        """
        total = weights.sum(axis=1, keepdims=True)
        vectors = weights @ self.tag_vectors / np.where(total > 0, total, 1)
        return vectors, weights @ self.frequency[:, None]

    def save(self, path: Path) -> None:
        """Write a safetensors file; the same words give the same bytes."""
        named = {"words": list(self.words), "vocabulary": list(self.vocabulary)}
        facts = {**named, "length": self.length, "adapted": self.adapted}
        saved.write(path, KIND, facts, {"vectors": self.vectors, "idf": self.idf, "frequency": self.frequency})


def load(path: Path) -> Words:
    """Read what `Words.save` wrote.

    Raises
    ------
    DataError
        The file is missing, damaged, or another kind.
    """
    return saved.read(path, KIND, _made, stage="embed_words")


def _made(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Words:
    """Put words together from a file; raises `ValueError` where that cannot be."""
    words, vocabulary = ([str(word) for word in header[name]] for name in ("words", "vocabulary"))
    found = Words(
        words, arrays["vectors"], arrays["idf"], vocabulary, arrays["frequency"], int(header["length"]),
        str(header["adapted"]),
    )  # fmt: skip
    shapes = (found.vectors.ndim, found.vectors.shape[:1], found.idf.shape, found.frequency.shape)
    if shapes != (2, (len(words),), (len(words),), (len(vocabulary),)):
        raise ValueError(f"{len(words)} words, vectors of shape {found.vectors.shape}")
    kinds = (found.vectors.dtype, found.idf.dtype, found.frequency.dtype)
    if kinds != (np.float32, np.float64, np.float64) or not 1 <= found.length <= 10_000:
        raise ValueError(f"arrays of {', '.join(map(str, kinds))}, {found.length} lemmas")
    return found


def fit(songs: Sequence[Sequence[str]], vocabulary: Sequence[str], settings: Settings) -> Words:
    """Learn from songs.

    Parameters
    ----------
    songs : sequence of sequence of str
        Lemmas of the training songs, in order.
    vocabulary : sequence of str
        The tags.
    settings : Words
        Section ``image2song.features.words``. Where no lemma occurs so often, ``min_count`` is lowered to the count of
        the most frequent one.

    Returns
    -------
    Words

    Raises
    ------
    DataError
        No song holds a lemma.
    MissingExtra
        GloVe is asked for, and its package is not installed.
    """
    counts = Counter(lemma for song in songs for lemma in set(song))
    if not counts:
        raise DataError(f"no lemma in {len(songs)} training songs, vectors of words have nothing to learn; add songs")
    adapted = ""
    if settings.vectors == "glove":
        known, vectors = _glove(sorted({*counts, *vocabulary}))
    else:
        known, vectors = _word2vec(songs, settings)
        if (least := least_count(songs, settings.min_count)) < settings.min_count:
            adapted = f"words.min_count: {least} instead of {settings.min_count}, since no lemma occurs so often"
    # GloVe knows tags that no training song holds; they are as rare as one that a single song holds.
    idf = np.log(len(songs) / np.array([max(counts[word], 1) for word in known], dtype=np.float64))
    frequency = np.array([counts[word] for word in vocabulary], dtype=np.float64) / len(songs)
    return Words(known, vectors, idf, list(vocabulary), frequency, settings.length, adapted)


def _word2vec(songs: Sequence[Sequence[str]], settings: Settings) -> tuple[list[str], np.ndarray]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        [list(song) for song in songs],
        sg=1,
        vector_size=settings.dimensions,
        window=settings.window,
        min_count=least_count(songs, settings.min_count),
        negative=settings.negative,
        epochs=settings.epochs,
        seed=settings.seed,
        workers=1,
    )
    return list(model.wv.index_to_key), np.asarray(model.wv.vectors, dtype=np.float32)


def _glove(lemmas: Iterable[str]) -> tuple[list[str], np.ndarray]:
    from unisono.features.texts import glove

    lemmas = list(lemmas)
    vectors = glove.fit().embed(lemmas)
    known = np.flatnonzero(vectors.any(axis=1))
    return [lemmas[place] for place in known], np.ascontiguousarray(vectors[known])


def padded(arrays: Mapping[str, np.ndarray], width: int) -> dict[str, np.ndarray]:
    """End what has an entry for each tag in zeros, up to the widest vocabulary."""
    return {
        name: np.pad(array, (0, width - len(array))) if name in ("has", "bag") else array
        for name, array in arrays.items()
    }
