"""Labels and views of MV-10K: the last step from videos to a data set (D 4.2.3)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.mv10k import Mv10k
from unisono.datasets.mv10k import moods
from unisono.datasets.mv10k.tagged import read_pairs
from unisono.errors import ConfigError
from unisono.features.video_vectors import FACTS
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.io.text_tables import write_csv

#: Columns of the vectors' shards that are no views.
NOT_VIEWS = ("id", *FACTS, "emotion", "moods", "scores")


def build(config: Mv10k, *, vectors: Path, samples: Path, features: Path, table: Path) -> dict[str, Any]:
    """Label every video, and write each view as a feature set.

    Published labels, folds and splits are kept; without labels, they come from k-means on the emotion features.

    Parameters
    ----------
    config : Mv10k
    vectors : Path
        What `unisono.features.video_vectors` wrote.
    samples : Path
        Folder of shards: id, label, and fold or split and tag where known.
    features : Path
        Folder of one folder of shards per view.
    table : Path
        CSV of the moods: videos, the ids of the initial centres.

    Returns
    -------
    dict
        The samples' metadata.

    Raises
    ------
    DataError
        The seeds do not fit the videos.
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
    columns |= {name: known[name].to_pylist() for name in ("fold", "split", "tag") if name in names}
    if "tag" in names and seeds:
        metadata["purity"] = round(_purity(labels, np.array(columns["tag"], dtype=str)), 4)
    types = {"id": pa.string(), **{name: FACTS[name] for name in columns if name != "id"}}
    _write_samples(samples, vectors, columns, types, metadata)
    _write_views(features, vectors, [name for name in names if name not in NOT_VIEWS])
    _write_table(table, labels, {mood: [ids[row] for row in rows] for mood, rows in seeds.items()})
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


def _purity(labels: np.ndarray, tags: np.ndarray) -> float:
    """Part of the videos whose tag is the commonest of their cluster."""
    return sum(np.unique(tags[labels == label], return_counts=True)[1].max() for label in np.unique(labels)) / len(tags)


def _write_samples(
    out: Path, vectors: Path, columns: Mapping[str, Any], types: Mapping[str, pa.DataType], metadata: Mapping[str, Any]
) -> None:
    """Write the samples in shards that hold the same videos as those of the vectors."""
    start = 0
    with replacing_folder(out) as fresh:
        for path in parquet.shards(vectors):
            rows = slice(start, start + parquet.read(path, ["id"]).num_rows)
            part = {name: values[rows] for name, values in columns.items()}
            parquet.write(fresh / path.name, part, types=types, metadata=metadata)
            start = rows.stop


def _write_views(out: Path, vectors: Path, views: list[str]) -> None:
    """Write each view into a folder of its name."""
    with replacing_folder(out) as fresh:
        for path in parquet.shards(vectors):
            metadata = parquet.metadata(path)
            table = parquet.read(path, ["id", *views])
            for view in views:
                columns = {"id": table["id"], view: table[view]}
                types = {name: table.schema.field(name).type for name in columns}
                parquet.write(fresh / view / path.name, columns, types=types, metadata={**metadata, "variant": view})


def _write_table(path: Path, labels: np.ndarray, seeds: Mapping[str, list[str]]) -> None:
    """Write the CSV of moods."""
    rows = (
        [label, int((labels == label).sum()), " ".join(seeds.get(label, []))] for label in np.unique(labels).tolist()
    )
    write_csv(path, ["mood", "videos", "seeds"], rows)
