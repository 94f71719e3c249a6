"""The learned spaces of experiments, one fold at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config import nearest
from unisono.datasets.loading import is_vectors, to_labels, to_view
from unisono.errors import ConfigError, DataError
from unisono.io import parquet


@dataclass(frozen=True)
class Space:
    """Test items of one fold in the space that was learned for them; rows of other folds live in other spaces.

    Attributes
    ----------
    title : str
        Name of the method.
    source : str
        Of the data.
    fold : int
    ids : np.ndarray [shape=(n,), dtype=str]
    labels : np.ndarray [shape=(n,), dtype=int64 or str]
    views : dict of str to np.ndarray [shape=(n, k), dtype=float32]
    """

    title: str
    source: str
    fold: int
    ids: np.ndarray
    labels: np.ndarray
    views: dict[str, np.ndarray]


def read(key: str, experiments: Any, folder: Path, *, dataset: str) -> Space:
    """Read the first fold of an experiment's embeddings (of its first variant and seed).

    Parameters
    ----------
    key : str
        Of the experiment.
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    folder : Path
        Holds ``<key>/embeddings.parquet``.
    dataset : str
        What the experiment must be on.

    Returns
    -------
    Space

    Raises
    ------
    ConfigError
        No such experiment, or it is on another data set.
    DataError
        Its embeddings are missing, damaged or without labels.
    """
    if key not in experiments:
        raise ConfigError(f"experiments.{key}: no such experiment; {nearest(key, experiments)}")
    if experiments[key].dataset != dataset:
        raise ConfigError(f"experiments.{key}: is on {experiments[key].dataset}, expected one on {dataset}")
    path = folder / key / "embeddings.parquet"
    table = parquet.read(path)
    if "label" not in table.column_names:
        raise DataError(f"{path}: no column label; the figure needs classes")
    folds = to_labels(table.column("fold"), f"{path}: fold")
    table = table.filter(folds == folds.min())
    return Space(
        title=experiments[key].title,
        source=str(parquet.metadata(path).get("source", "unknown")),
        fold=int(folds.min()),
        ids=to_labels(table.column("id"), f"{path}: id").astype(str),
        labels=to_labels(table.column("label"), f"{path}: label"),
        views={
            name: to_view(table.column(name), where=f"{path}: {name}")[0]
            for name in table.column_names
            if is_vectors(table.schema.field(name).type)
        },
    )
