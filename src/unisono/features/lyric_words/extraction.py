"""Sets of words for pictures and lyrics: a model for every deal, from that deal's training songs alone.

**Conventions.** D deals, T the largest number of tags of a deal (sets of fewer end in zeros), L words, d the width of a
vector. An item that is left out of a deal gets features there as a test item does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.picture_extractors import Words as Settings
from unisono.datasets.columns import unique_ids
from unisono.datasets.loading import FRAMES
from unisono.errors import DataError
from unisono.features import lyric_words
from unisono.features.texts.extraction import read_deals
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.store.executors import fixed_threads

#: Sets of lyrics, those that have a masked one, and those of pictures with the tags that they are made of.
LYRICS = ("bag", "has", "word_means", "word_vectors", "n_words")
MASKED = ("word_means", "word_vectors", "n_words")
PICTURES = {"tag_vectors": "tags", "true_tag_vectors": "true_tags"}
#: Sets that the tags of a deal do not enter.
PLAIN = frozenset({"n_words"})


def model_file(models: Path, deal: int) -> Path:
    """Name the file of a deal's model."""
    return models / f"deal{deal}" / "model.safetensors"


def extract(
    samples: Path, divisions: Path, tags: Path, features: Path, models: Path, settings: Settings
) -> dict[str, int]:
    """Write all sets of words, and the models that made them.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id``, ``part`` and ``words``.
    divisions : Path
        Folder of shards with ``id`` and ``deals`` (or ``split``).
    tags : Path
        Folder of the shard whose metadata hold ``keyword_vocabulary``, the tags by deal.
    features : Path
        Holds the sets ``tags`` and ``true_tags``; gets ``tag_vectors``, ``true_tag_vectors``, ``commonness`` and those
        of `LYRICS`, with ``_masked`` those of `MASKED`.
    models : Path
        Folder for ``deal<i>/model.safetensors``.
    settings : Settings

    Returns
    -------
    dict of str to int
        Width of each set.

    Raises
    ------
    DataError
        Files are missing, damaged or do not fit together, or a deal trains on no word.
    MissingExtra
        A package that the vectors need is not installed.
    """
    table = parquet.read(samples, ["id", "part", "words"])
    ids = unique_ids(table["id"], where=str(samples)).tolist()
    parts, words = (parquet.to_list(table[name], f"{samples}: {name}") for name in ("part", "words"))
    songs = [row for row, part in enumerate(parts) if part == "lyrics"]
    deals = read_deals(divisions, ids)
    vocabularies = parquet.metadata(tags).get("keyword_vocabulary")
    if not isinstance(vocabularies, list) or len(vocabularies) != deals.shape[1]:
        raise DataError(f"{tags}: holds tags of other deals than {divisions}; run `dvc repro` again")
    lemmas = [words[row] for row in songs]
    fitted = []
    # Sums of many threads depend on how many there are.
    with fixed_threads(1):
        for deal, vocabulary in enumerate(vocabularies):
            own = [words[row] for row in songs if deals[row, deal] == "train"]
            try:
                fitted.append(lyric_words.fit(own, [str(word) for word in vocabulary], settings))
            except DataError as error:
                raise DataError(f"{divisions}: deal {deal}: {error}") from None
        found = _pictures(features, fitted) | _lyrics([ids[row] for row in songs], lemmas, fitted)
    facts = {key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")}
    for name, (items, arrays) in found.items():
        _write(features / name, name, items, arrays, facts | fitted[0].describe())
    with replacing_folder(models) as fresh:
        for deal, model in enumerate(fitted):
            model.save(model_file(fresh, deal))
    return {name: arrays[0].shape[-1] for name, (_, arrays) in found.items()}


_Sets = dict[str, tuple[list[str], list[np.ndarray]]]


def _pictures(features: Path, fitted: Sequence[lyric_words.Model]) -> _Sets:
    """Describe pictures by words: by set ids, and arrays by deal."""
    found: _Sets = {}
    for name, source in PICTURES.items():
        table = parquet.read(features / source)
        weights = np.asarray(parquet.to_numpy(table[source]), dtype=np.float32)
        widest = max(len(model.vocabulary) for model in fitted)
        if weights.shape[1:] != (len(fitted), widest):
            raise DataError(f"{features / source}: tags {weights.shape[1:]}, expected {(len(fitted), widest)}; run "
                            "`dvc repro` again")  # fmt: skip
        ids = [str(item) for item in table["id"].to_pylist()]
        made = [model.pictures(weights[:, deal]) for deal, model in enumerate(fitted)]
        found[name] = ids, [each["vectors"] for each in made]
        if name == "tag_vectors":
            found["commonness"] = ids, [each["commonness"] for each in made]
    return found


def _lyrics(ids: list[str], lemmas: Sequence[Sequence[str]], fitted: Sequence[lyric_words.Model]) -> _Sets:
    """Describe lyrics by words: by set ids, and arrays by deal; with a sequence its numbers of frames follow."""
    found: _Sets = {}
    for masked in (False, True):
        made = [model.lyrics(lemmas, masked=masked) for model in fitted]
        for name in MASKED if masked else LYRICS:
            arrays = [each[name] for each in made]
            if name in ("bag", "has"):
                widest = max(array.shape[1] for array in arrays)
                arrays = [np.pad(array, ((0, 0), (0, widest - array.shape[1]))) for array in arrays]
            if name == "word_vectors":
                arrays += [each["n_frames"] for each in made]
            if name in PLAIN and not masked:
                arrays = arrays[:1]
            found[f"{name}_masked" if masked else name] = ids, arrays
    return found


def _write(out: Path, name: str, ids: Sequence[str], arrays: Sequence[np.ndarray], facts: dict[str, Any]) -> None:
    """Write a set: of one array as it is, of several side by side as those of the deals."""
    columns: dict[str, Any] = {"id": list(ids)}
    types: dict[str, pa.DataType] = {"id": pa.string()}
    sequences = arrays[0].ndim == 3
    n_deals = len(arrays) // 2 if sequences else len(arrays)
    if n_deals == 1 and name in PLAIN:
        columns[name], types[name] = arrays[0], parquet.vector(arrays[0].shape[1])
    else:
        facts = {**facts, "per_deal": True}
        columns[name] = np.stack(arrays[:n_deals], axis=1)
        shape = arrays[0].shape[1:]
        kind = parquet.matrix(*shape) if sequences else parquet.vector(*shape)
        types[name] = pa.list_(kind, n_deals)
    if sequences:
        columns[FRAMES] = np.stack(arrays[n_deals:], axis=1)
        types[FRAMES] = pa.list_(pa.int32(), n_deals)
    with replacing_folder(out) as fresh:
        parquet.write(fresh / parquet.shard_name(0), columns, types=types, metadata=facts)
