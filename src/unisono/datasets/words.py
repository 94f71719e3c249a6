"""Which texts share so many words that they are one song, or nearly.

**Conventions.** A word is a run of letters and digits, in lower case and without accents and apostrophes; of scripts
without blanks between words (Chinese, Japanese, ...) each character is one. A shingle is five words in a row. Two
rules, for two things:

- `links`: two texts are one song when at least `SHARE` of the distinct shingles of the one with fewer of them stand in
  the other one. One shared shingle would chain songs by stock phrases ("oh baby baby baby I"): 6,322 songs of the
  lyrics-melody data.
- `near_pairs`: two texts are near duplicates when the cosine of their tf-idf vectors is above a bound. No chains are
  built of these, which would be one of hundreds of songs: what is near a text of the test part is left out of training.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

#: Words of a shingle, and the share of shingles that makes two texts one song.
N_WORDS, SHARE = 5, 0.2
#: So many texts further on in the list of those that hold a shingle a text is compared: what hundreds hold ("la la la
#: la la") links each to its neighbours, and does not make the work quadratic.
NEIGHBOURS = 100
#: Cosine above which two texts are near duplicates, where no parameter says another.
NEAR = 0.5
#: Words that stand in so many of the texts are compared as a dense matrix, which is faster.
COMMON = 0.05
#: Words that are shown of lyrics: of free ones, and of those that may not be passed on.
SHOWN, SHOWN_UNFREE = 30, 6
#: Rows compared at a time.
BLOCK = 512

_IDEOGRAMS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAMS}]|[^\W_{_IDEOGRAMS}]+")
#: A word as it is written; one of more letters counts as several.
_WRITTEN = re.compile(rf"[{_IDEOGRAMS}]|[^\s{_IDEOGRAMS}]{{1,40}}")
_APOSTROPHES = re.compile(r"['\u2019\u02bc`]")


def split(text: str) -> list[str]:
    """Split a text into its words.

    Examples
    --------
    >>> split("Don't, Élise!"), split("\u6211\u7231 you")
    (['dont', 'elise'], ['\u6211', '\u7231', 'you'])
    """
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text).lower())
    if not plain.isascii():
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _WORD.findall(plain)


def first(text: str, n: int) -> str:
    """Give the first words of a text as they are written, with dots where there are more.

    Examples
    --------
    >>> first("one  two, three", 2), first("\u6211\u7231\u4f60", 2), first("one", 2)
    ('one two, …', '\u6211\u7231 …', 'one')
    """
    ends = [word.end() for word in itertools.islice(_WRITTEN.finditer(text), n + 1)]
    return " ".join(text.split()) if len(ends) <= n else " ".join(text[: ends[n - 1]].split()) + " …"


def shown(text: str, *, free: bool) -> str:
    """Give what may be shown of lyrics: their beginning, at most six words of those that may not be passed on.

    Examples
    --------
    >>> shown("one two three four five six seven", free=False)
    'one two three four five six …'
    """
    return first(text, SHOWN if free else SHOWN_UNFREE)


def shared(keys: Sequence[Hashable]) -> np.ndarray:
    """Link items of one key, each to the first; empty keys link nothing.

    Parameters
    ----------
    keys : sequence of hashable [len=n]

    Returns
    -------
    np.ndarray [shape=(m, 2), dtype=int64]
    """
    first: dict[Hashable, int] = {}
    pairs = [(first.setdefault(key, index), index) for index, key in enumerate(keys) if key]
    return np.array([pair for pair in pairs if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2)


def groups(n: int, *pairs: np.ndarray) -> np.ndarray:
    """Put linked items, and those that chains of links connect, into one group.

    Parameters
    ----------
    n : int
        Items.
    *pairs : np.ndarray [shape=(m, 2), dtype=int]

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64]
        Of each item the first of its group.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, b = np.concatenate([np.empty((0, 2), np.int64), *pairs]).T
    _, labels = connected_components(coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(n, n)), directed=False)
    first = np.full(labels.max(initial=-1) + 1, n)
    np.minimum.at(first, labels, np.arange(n))
    return first[labels].astype(np.int64)


def links(texts: Sequence[str], *, share: float = SHARE, n_words: int = N_WORDS) -> np.ndarray:
    """Find texts that are one song by their words.

    Parameters
    ----------
    texts : sequence of str [len=n]
        One with fewer words than a shingle has is linked to none.
    share : float
        Of the distinct shingles of the text that has fewer, at least so many must stand in the other.
    n_words : int
        Of a shingle.

    Returns
    -------
    np.ndarray [shape=(m, 2), dtype=int64]
        Pairs, the smaller index first; enough of them that `groups` finds all: of texts that share a shingle with more
        than `NEIGHBOURS` others, not every pair is compared.
    """
    holders, shingles = _shingles(texts, n_words)
    order = np.lexsort((holders, shingles))
    holders, shingles = holders[order], shingles[order]
    n = len(texts)
    proposed: list[np.ndarray] = []
    for step in range(1, NEIGHBOURS + 1):
        same = shingles[step:] == shingles[:-step]
        if not same.any():
            break
        proposed.append(np.unique(holders[:-step][same] * n + holders[step:][same]))
    if not proposed:
        return np.empty((0, 2), np.int64)
    pairs = np.stack(np.divmod(np.unique(np.concatenate(proposed)), n), axis=1)
    common, sizes = _overlaps(holders, shingles, n, pairs)
    return pairs[common >= share * np.minimum(sizes[pairs[:, 0]], sizes[pairs[:, 1]]) - 1e-9]


def _shingles(texts: Sequence[str], n_words: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the distinct shingles of every text as numbers: text and shingle, each pair once."""
    numbers: dict[str, int] = {}
    words = [[numbers.setdefault(word, len(numbers)) for word in split(text)] for text in texts]
    holders = np.repeat(np.arange(len(words)), [len(row) for row in words])
    flat = np.fromiter((word for row in words for word in row), np.int64, len(holders))
    # Longer and longer runs of words are numbered, so that a run is two numbers and no hash can collide.
    runs = flat
    for length in range(1, n_words):
        joined = runs[:-1] * (len(numbers) + 1) + flat[length:]
        runs = np.unique(joined, return_inverse=True)[1].reshape(-1)
    whole = holders[: len(runs)] == holders[n_words - 1 :][: len(runs)]
    kept = np.unique(holders[: len(runs)][whole] * (runs.max(initial=0) + 1) + runs[whole])
    found, shingles = np.divmod(kept, runs.max(initial=0) + 1)
    return found, shingles


def _overlaps(holders: np.ndarray, shingles: np.ndarray, n: int, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the shingles that the texts of each pair share, and those of each text."""
    from scipy.sparse import csr_matrix

    ones = np.ones(len(holders), np.int32)
    matrix = csr_matrix((ones, (holders, shingles)), shape=(n, int(shingles.max(initial=0)) + 1))
    common = [
        np.asarray(matrix[part[:, 0]].multiply(matrix[part[:, 1]]).sum(axis=1)).ravel()
        for part in np.array_split(pairs, len(pairs) // 20_000 + 1)
    ]
    return np.concatenate(common), np.diff(matrix.indptr)


def near_pairs(texts: Sequence[str], *, max_cosine: float = NEAR) -> np.ndarray:
    """Find texts that are nearly the same.

    Parameters
    ----------
    texts : sequence of str [len=n]
        The tf-idf weights (scikit-learn's, smoothed, rows of unit length) are those of all of them: this is a rule of
        dealing, from which no method learns.
    max_cosine : float
        Pairs above it are found.

    Returns
    -------
    np.ndarray [shape=(m, 2), dtype=int64]
        The smaller index first, sorted.
    """
    if not any(map(split, texts)):
        return np.empty((0, 2), np.int64)
    found = [np.stack(part) for part in _near(_tf_idf(texts), max_cosine)]
    return np.concatenate([np.empty((0, 2), np.int64), *(part.T for part in found)])


def _tf_idf(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=split, dtype=np.float32).fit_transform(texts).tocsc()


def _near(matrix: Any, max_cosine: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compare blocks of rows with all later ones."""
    n = matrix.shape[0]
    common = np.diff(matrix.indptr) > COMMON * n
    dense = matrix[:, common].toarray()
    sparse = matrix[:, ~common].tocsr()
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        cosines = dense[rows] @ dense[start:].T
        rest = (sparse[rows] @ sparse[start:].T).tocoo()
        cosines[rest.row, rest.col] += rest.data
        a, b = np.nonzero(cosines > max_cosine)
        later = b > a
        yield a[later] + start, b[later] + start


def near_duplicates(pairs: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Find what is near a text of the test part without being in it.

    Parameters
    ----------
    pairs : np.ndarray [shape=(m, 2), dtype=int]
        Of `near_pairs`.
    test : np.ndarray [shape=(n,), dtype=bool]

    Returns
    -------
    np.ndarray [shape=(k,), dtype=int64]
        Indices, sorted.
    """
    near = np.concatenate([pairs[test[pairs[:, 0]], 1], pairs[test[pairs[:, 1]], 0]])
    return np.unique(near[~test[near]])
