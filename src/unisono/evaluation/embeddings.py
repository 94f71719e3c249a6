"""The learned spaces of experiments, one fold at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from unisono.config import nearest
from unisono.config.experiments import Experiment
from unisono.datasets.columns import is_vectors, to_labels, to_view
from unisono.errors import ConfigError, DataError
from unisono.io import parquet


@dataclass(frozen=True)
class Space:
    """Test items of one fold in the space that was learned for them; rows of other folds live in other spaces.

    Attributes
    ----------
    source : str
        Of the data.
    fold : int
    ids : np.ndarray [shape=(n,), dtype=str]
    labels : np.ndarray [shape=(n,), dtype=int64 or str]
        Of items without classes their ids: each is right for itself alone.
    views : dict of str to np.ndarray [shape=(n, k), dtype=float32]
        By view; of a method that learns a space for every pair of views, by ``view@a-b``.
    """

    source: str
    fold: int
    ids: np.ndarray
    labels: np.ndarray
    views: dict[str, np.ndarray]

    def directions(self) -> list[str]:
        """List the directions that can be searched, ``"audio->visual"``."""
        names = list(dict.fromkeys(column.partition("@")[0] for column in self.views))
        return [f"{query}->{target}" for query, target in permutations(names, 2) if self._columns(query, target)]

    def sides(self, direction: str) -> tuple[np.ndarray, np.ndarray]:
        """Return queries and targets of a direction, in one space.

        Raises
        ------
        ConfigError
            The space lacks a view of the direction.
        """
        query, _, target = direction.partition("->")
        columns = self._columns(query, target)
        if columns is None:
            raise ConfigError(f"direction {direction!r}: the space has views {', '.join(self.views)}; name two as a->b")
        return self.views[columns[0]], self.views[columns[1]]

    def _columns(self, query: str, target: str) -> tuple[str, str] | None:
        """Find the columns of two views in the space that they share."""
        for space in ("", f"@{query}-{target}", f"@{target}-{query}"):
            if query + space in self.views and target + space in self.views:
                return query + space, target + space
        return None


def read(key: str, experiments: Mapping[str, Experiment], folder: Path, *, dataset: str, pairs: bool = False) -> Space:
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
    pairs : bool
        Whether items may have no classes.

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
    if "label" not in table.column_names and not pairs:
        raise DataError(f"{path}: no column label; the figure needs classes")
    folds = to_labels(table.column("fold"), f"{path}: fold")
    table = table.filter(folds == folds.min())
    return Space(
        source=str(parquet.metadata(path).get("source", "unknown")),
        fold=int(folds.min()),
        ids=to_labels(table.column("id"), f"{path}: id").astype(str),
        labels=to_labels(table.column("label" if "label" in table.column_names else "id"), f"{path}: label"),
        views={
            name: to_view(table.column(name), where=f"{path}: {name}")[0]
            for name in table.column_names
            if is_vectors(table.schema.field(name).type)
        },
    )
