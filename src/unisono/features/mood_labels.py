"""Labels, folds and views of MV-10K: the last step from videos to a data set (D 4.2.3, 4.3.1)."""

from __future__ import annotations

import csv
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.mv10k import Mv10k
from unisono.datasets.folds import assign_folds
from unisono.datasets.mv10k import moods
from unisono.datasets.mv10k.tagged import read_pairs
from unisono.errors import ConfigError, DataError
from unisono.features.video_vectors import FACTS
from unisono.io import parquet
from unisono.io.files import replacing

#: Columns of the vectors' shards that are no views.
NOT_VIEWS = ("id", *FACTS, "emotion", "moods", "scores")


def build(config: Mv10k, *, vectors: Path, samples: Path, features: Path, table: Path) -> dict[str, Any]:
    """Label every video, deal folds, and write each view as a feature set.

    Published labels, folds and splits are kept; where there are none, labels come from k-means on the emotion
    features, and folds are dealt evenly over moods.

    Parameters
    ----------
    config : Mv10k
    vectors : Path
        What `unisono.features.video_vectors` wrote.
    samples : Path
        Folder of shards: id, label, fold or split, and tag where known.
    features : Path
        Folder of one folder of shards per view.
    table : Path
        CSV of the moods: videos, videos per fold, the ids of the initial centres.

    Returns
    -------
    dict
        The samples' metadata.

    Raises
    ------
    DataError
        A mood has fewer videos than there are folds, or the seeds do not fit the videos.
    ConfigError
        There are no labels, and the emotion model was never trained.
    """
    names = parquet.read(parquet.shards(vectors)[:1]).column_names
    known = parquet.read(vectors, ["id", *(name for name in FACTS if name in names)])
    ids = [str(value) for value in known["id"].to_pylist()]
    metadata = parquet.metadata(vectors)
    seeds: Mapping[str, list[int]] = {}
    if "label" in names:
        labels = np.array(known["label"].to_pylist(), dtype=str)
        metadata["labels"] = "published"
    else:
        labels, seeds, facts = _moods(config, vectors, ids, metadata)
        metadata |= facts
    columns: dict[str, Any] = {"id": ids, "label": labels.tolist()}
    folds = None
    if "fold" in names:
        folds = known["fold"].to_numpy()
    elif "split" not in names:
        _check_sizes(labels, config.folds.n)
        folds = assign_folds(len(ids), labels, n_folds=config.folds.n, seed=config.folds.seed)
    if folds is not None:
        columns["fold"] = folds.astype(np.int32)
    columns |= {name: known[name].to_pylist() for name in ("split", "tag") if name in names}
    if "tag" in names and seeds:
        metadata["purity"] = round(_purity(labels, np.array(columns["tag"], dtype=str)), 4)
    types = {"id": pa.string(), **{name: FACTS[name] for name in columns if name != "id"}}
    _write_samples(samples, vectors, columns, types, metadata)
    _write_views(features, vectors, [name for name in names if name not in NOT_VIEWS])
    _write_table(table, labels, folds, {mood: [ids[row] for row in rows] for mood, rows in seeds.items()})
    return metadata


def _moods(
    config: Mv10k, vectors: Path, ids: list[str], metadata: Mapping[str, Any]
) -> tuple[np.ndarray, Mapping[str, list[int]], dict[str, Any]]:
    """Cluster the emotion features; return labels, rows of the seeds, and what to say of it."""
    if metadata.get("weights") == "untrained":
        raise ConfigError(
            "mv10k.emotion.tags: no tagged audios, so the emotion model is untrained and cannot label moods; give a "
            "CSV of id and tag, or set mv10k.emotion.weights to pretrained"
        )
    columns = parquet.read(vectors, ["emotion", "moods"])
    emotion, probabilities = (np.asarray(parquet.to_numpy(columns[name])) for name in ("emotion", "moods"))
    clusters = config.moods.clusters
    if config.moods.seeds:
        path = Path(config.moods.seeds)
        seeds = moods.annotated_seeds(read_pairs(path, ("id", "mood")), ids, clusters=clusters, where=str(path))
        chosen = "annotated"
    else:
        seeds = moods.model_seeds(probabilities, metadata["model"]["tags"], clusters=clusters)
        chosen = "chosen by the emotion model"
    names = list(seeds)
    codes, centres = moods.cluster(emotion, seeds, max_iterations=config.moods.max_iterations)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        codes = moods.mend_small(
            codes, emotion, centres, smallest=config.folds.n, how=config.moods.small_cluster, names=names
        )
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    facts = {
        "labels": "k-means on emotion features",
        "seeds": chosen,
        "mended": [str(warning.message) for warning in caught],
    }
    return np.array(names)[codes], seeds, facts


def _check_sizes(labels: np.ndarray, n_folds: int) -> None:
    found, counts = np.unique(labels, return_counts=True)
    if counts.min() < n_folds:
        label = found[counts.argmin()]
        raise DataError(
            f"mv10k: class {str(label)!r} has {counts.min()} videos, fewer than the {n_folds} folds; "
            "lower mv10k.folds.n or leave the class out"
        )


def _purity(labels: np.ndarray, tags: np.ndarray) -> float:
    """Part of the videos whose tag is the commonest of their cluster."""
    return sum(np.unique(tags[labels == label], return_counts=True)[1].max() for label in np.unique(labels)) / len(tags)


def _write_samples(
    out: Path, vectors: Path, columns: Mapping[str, Any], types: Mapping[str, pa.DataType], metadata: Mapping[str, Any]
) -> None:
    """Write the samples in shards that hold the same videos as those of the vectors."""
    fresh = _fresh(out)
    start = 0
    for path in parquet.shards(vectors):
        rows = slice(start, start + parquet.read(path, ["id"]).num_rows)
        part = {name: values[rows] for name, values in columns.items()}
        parquet.write(fresh / path.name, part, types=types, metadata=metadata)
        start = rows.stop
    _replace(fresh, out)


def _write_views(out: Path, vectors: Path, views: list[str]) -> None:
    """Write each view into a folder of its name."""
    fresh = _fresh(out)
    for path in parquet.shards(vectors):
        metadata = parquet.metadata(path)
        table = parquet.read(path, ["id", *views])
        for view in views:
            columns = {"id": table["id"], view: table[view]}
            types = {name: table.schema.field(name).type for name in columns}
            parquet.write(fresh / view / path.name, columns, types=types, metadata={**metadata, "variant": view})
    _replace(fresh, out)


def _fresh(out: Path) -> Path:
    fresh = out.with_name(f".{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    return fresh


def _replace(fresh: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)


def _write_table(path: Path, labels: np.ndarray, folds: np.ndarray | None, seeds: Mapping[str, list[str]]) -> None:
    """Write the CSV of moods."""
    numbers = [] if folds is None else np.unique(folds).tolist()
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["mood", "videos", *(f"fold_{fold}" for fold in numbers), "seeds"])
        for label in np.unique(labels).tolist():
            member = labels == label
            per_fold = [int((member & (folds == fold)).sum()) for fold in numbers]
            writer.writerow([label, int(member.sum()), *per_fold, " ".join(seeds.get(label, []))])
