"""Parts, tags and words of pictures and songs in every deal, as the stages read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.datasets.image2song.item import IMAGE, LYRICS
from unisono.errors import DataError
from unisono.features.texts.extraction import read_deals
from unisono.io import parquet

#: Name of a model's file, and of the folder of a deal.
FILE = "model.safetensors"


@dataclass(frozen=True)
class Deals:
    """Items and their tags.

    Attributes
    ----------
    ids, groups : list of str
    part : np.ndarray [shape=(n,), dtype=str]
        ``image`` or ``lyrics``.
    words : list of list of str
        Keywords; lemmas in order.
    parts : np.ndarray [shape=(n, D), dtype=object]
        ``train``, ``validation``, ``test`` or nothing.
    tags : list of list of list of int [len=n, D]
        Numbers of the words in the deal's vocabulary that an item has.
    vocabulary : list of list of str [len=D]
    facts : mapping
        Data set and source, for the metadata.
    """

    ids: list[str]
    groups: list[str]
    part: np.ndarray
    words: list[list[str]]
    parts: np.ndarray
    tags: list[list[list[int]]]
    vocabulary: list[list[str]]
    facts: Mapping[str, Any]

    @property
    def n(self) -> int:
        """Count the deals."""
        return int(self.parts.shape[1])

    @property
    def width(self) -> int:
        """Count the words of the largest vocabulary."""
        return max(len(words) for words in self.vocabulary)

    def rows(self, part: str) -> np.ndarray:
        """Give the places of all pictures (``image``) or songs (``lyrics``)."""
        return np.flatnonzero(self.part == part)

    def has(self, deal: int, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Say which of some items has which tag of a deal: (len(rows), T) of bool."""
        found = np.zeros((len(rows), len(self.vocabulary[deal])), dtype=bool)
        for place, row in enumerate(rows):
            found[place, self.tags[int(row)][deal]] = True
        return found

    def padded(self, by_deal: Sequence[np.ndarray]) -> np.ndarray:
        """Put matrices (n, T) of all deals side by side: (n, D, width)."""
        return np.stack([np.pad(each, ((0, 0), (0, self.width - each.shape[1]))) for each in by_deal], axis=1)


def read(samples: Path, divisions: Path, tags: Path) -> Deals:
    """Read items, their parts and their tags.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id, part, group, words``.
    divisions : Path
        Folder of shards with ``id, deals``.
    tags : Path
        Folder of the shard with ``id, keywords`` and, in its metadata, ``keyword_vocabulary``.

    Returns
    -------
    Deals

    Raises
    ------
    DataError
        One is missing or damaged, they do not fit together, or a deal has no word that is a tag.
    """
    table = parquet.read(samples, ["id", "part", "group", "words"])
    ids, part, groups, words = (parquet.to_list(table[name], str(samples)) for name in ("id", "part", "group", "words"))
    unknown = sorted({each for each in part if each not in (IMAGE, LYRICS)}, key=str)
    if unknown:
        raise DataError(f"{samples}: part is {unknown[0]!r}, expected {IMAGE} or {LYRICS}; build again (`dvc repro`)")
    parts = read_deals(divisions, ids)
    found = parquet.read(tags, ["id", "keywords"])
    of = dict(zip(found["id"].to_pylist(), parquet.to_list(found["keywords"], str(tags)), strict=True))
    vocabulary = parquet.metadata(tags).get("keyword_vocabulary")
    if not isinstance(vocabulary, list) or len(vocabulary) != parts.shape[1]:
        raise DataError(f"{tags}: names no vocabulary of {parts.shape[1]} deals; label again (`dvc repro`)")
    missing = next((item for item in ids if item not in of), None)
    if missing is not None:
        raise DataError(f"{tags}: has no tags of {missing!r}; label again (`dvc repro`)")
    for deal, own in enumerate(vocabulary):
        if not own:
            raise DataError(
                f"{tags}: deal {deal} has no word that is a tag; give pictures keywords that occur in songs, or lower "
                "image2song.relevance.min_pictures and min_songs"
            )
        if any(not 0 <= tag < len(own) for item in ids for tag in of[item][deal]):
            raise DataError(f"{tags}: numbers of tags beyond the vocabulary; label again (`dvc repro`)")
    facts = {key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")}
    return Deals(
        ids=[str(each) for each in ids],
        groups=[str(each) for each in groups],
        part=np.array(part, dtype=str),
        words=[list(map(str, each)) for each in words],
        parts=parts,
        tags=[of[item] for item in ids],
        vocabulary=[[str(word) for word in own] for own in vocabulary],
        facts=facts,
    )


def kind(shape: tuple[int, ...], number: pa.DataType | None = None) -> pa.DataType:
    """Type of a column whose rows have a shape; of float32 unless another number is given."""
    found = number or pa.float32()
    for n in reversed(shape):
        found = pa.list_(found, n)
    return found


def write(folder: Path, ids: Sequence[str], columns: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write a feature set: ``id`` and columns of arrays (n, ...); whole numbers become int32, others float32.

    Parameters
    ----------
    folder : Path
        Replaced.
    ids : sequence of str
    columns : mapping of str to np.ndarray
    facts : mapping
        For the metadata.
    """
    from unisono.io.files import replacing_folder

    types = {"id": pa.string()}
    for name, array in columns.items():
        types[name] = kind(array.shape[1:], pa.int32() if array.dtype.kind == "i" else None)
    with replacing_folder(folder) as fresh:
        parquet.write(fresh / parquet.shard_name(0), {"id": list(ids), **columns}, types=types, metadata=facts)
