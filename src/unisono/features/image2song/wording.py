"""Vectors of words for every deal, and the sets of pictures and of lyrics that follow from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.picture_extractors import Words as Settings
from unisono.datasets.image2song.item import LYRICS
from unisono.errors import DataError
from unisono.features.image2song import deals, words
from unisono.features.image2song.deals import Deals
from unisono.features.image2song.words import MASKED, Words
from unisono.features.texts.glove import CHECKSUMS, VECTORS
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.store.executors import fixed_threads

#: Sets of lyrics, and of what they are made.
LYRIC_SETS = {
    "bag": "idf of the tags in it",
    "has": "tags in it",
    "word_means": "mean of its words' vectors by idf",
    "word_vectors": "vectors of its words in order",
    "n_words": "number of distinct words",
}
#: Those that are also made without the tags.
MASKABLE = ("word_means", "word_vectors", "n_words")


def embed(samples: Path, divisions: Path, tags: Path, features: Path, models: Path, settings: Settings) -> str:
    """Learn vectors of words in every deal, and write the sets that follow.

    Parameters
    ----------
    samples, divisions, tags : Path
        See `unisono.features.image2song.deals.read`.
    features : Path
        Folder of feature sets: ``tags`` and ``true_tags`` are read, the others written.
    models : Path
        Folder for ``deal<i>/model.safetensors``.
    settings : Words
        Section ``image2song.features.words``.

    Returns
    -------
    str
        What was adapted to few songs; empty where nothing was.

    Raises
    ------
    DataError
        Something is missing or damaged, does not fit together, or a deal trains on no word.
    MissingExtra
        GloVe is asked for, and its package is not installed.
    """
    items = deals.read(samples, divisions, tags)
    # Sums of many threads depend on how many there are.
    with fixed_threads(1), replacing_folder(models) as fresh:
        learnt = []
        for deal in range(items.n):
            trained = [row for row in items.rows(LYRICS) if items.parts[row, deal] == "train"]
            try:
                own = words.fit([items.words[row] for row in trained], items.vocabulary[deal], settings)
            except DataError as error:
                raise DataError(f"{divisions}: deal {deal}: {error}") from None
            own.save(fresh / f"deal{deal}" / deals.FILE)
            learnt.append(own)
        facts = {**items.facts, **_describe(learnt[0], settings), "per_deal": True}
        _pictures(items, learnt, features, facts)
        _lyrics(items, learnt, features, facts)
    return next((own.adapted for own in learnt if own.adapted), "")


def _describe(learnt: Words, settings: Settings) -> dict[str, Any]:
    if settings.vectors == "glove":
        return {"extractor": "glove", "weights": "pretrained", "sha256": CHECKSUMS[VECTORS]}
    facts = {"extractor": "word2vec", "weights": "trained", "seed": settings.seed}
    return facts | ({"adapted": learnt.adapted} if learnt.adapted else {})


def _pictures(items: Deals, learnt: list[Words], features: Path, facts: dict[str, Any]) -> None:
    for source, ends in (
        ("tags", ("tag_vectors", "commonness")),
        ("true_tags", ("true_tag_vectors", "true_commonness")),
    ):
        table = parquet.read(features / source, ["id", source])
        weights = np.asarray(parquet.to_numpy(table[source]), dtype=np.float64)
        if weights.shape[1:] != (items.n, items.width):
            raise DataError(f"{features / source}: is of other deals or tags; run train_tags again")
        made: list[list[np.ndarray]] = [[], []]
        for deal, own in enumerate(learnt):
            for kind, array in zip(made, own.of_pictures(weights[:, deal, : len(own.vocabulary)]), strict=True):
                kind.append(array)
        variants = (f"mean of the vectors of {source}", f"how common its {source} are")
        for name, by_deal, variant in zip(ends, made, variants, strict=True):
            told = facts | {"variant": variant}
            deals.write(features / name, table["id"].to_pylist(), {name: np.stack(by_deal, axis=1)}, told)


def _lyrics(items: Deals, learnt: list[Words], features: Path, facts: dict[str, Any]) -> None:
    rows = items.rows(LYRICS)
    made: dict[str, list[np.ndarray]] = {}
    for row in rows:
        by_deal = [words.padded(own.of_lyric(items.words[row]), items.width) for own in learnt]
        for name in by_deal[0]:
            stacked = np.stack([each[name] for each in by_deal])
            # In double precision they would be gigabytes at the paper's size.
            made.setdefault(name, []).append(stacked if stacked.dtype.kind == "i" else stacked.astype(np.float32))
    for name, variant in LYRIC_SETS.items():
        for end in ("", MASKED) if name in MASKABLE else ("",):
            columns = {name + end: np.stack(made.pop(name + end))}
            if name == "word_vectors":
                columns["n_frames"] = np.stack(made.pop("n_frames" + end))
            told = facts | {"variant": variant + (", without the tags" if end else "")}
            deals.write(features / (name + end), [items.ids[row] for row in rows], columns, told)
