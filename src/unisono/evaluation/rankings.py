"""What the test items of an experiment find, where items are of one view each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from unisono.config.experiments import Experiment
from unisono.errors import DataError
from unisono.io import parquet


class Found(NamedTuple):
    """What a query finds.

    Attributes
    ----------
    ids : list of str
        The first items, the best first.
    scores : list of float
    right : list of bool
        Which of them belong to the query.
    precision, rank : float
        Average precision of the whole ranking, and rank of the first item that belongs to the query; NaN for a query
        to which nothing belongs.
    """

    ids: list[str]
    scores: list[float]
    right: list[bool]
    precision: float
    rank: float


@dataclass(frozen=True)
class Rankings:
    """What the test items of one deal find.

    Attributes
    ----------
    source : str
        Of the data.
    found : dict of str to dict of str to Found
        By direction (``"image->lyrics"``) and query.
    pools : dict of str to int
        Items that are ranked, by direction.
    """

    source: str
    found: dict[str, dict[str, Found]]
    pools: dict[str, int]


#: Columns of ``rankings.parquet``.
COLUMNS = ("direction", "query", "found", "score", "right", "precision", "rank", "pool")


def read(key: str, experiments: Mapping[str, Experiment], folder: Path) -> Rankings:
    """Read what the test items of an experiment find, in the first deal (of its first variant and seed).

    Parameters
    ----------
    key : str
        Of the experiment.
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    folder : Path
        Holds ``<key>/rankings.parquet``.

    Returns
    -------
    Rankings

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    path = folder / key / "rankings.parquet"
    table = parquet.read(path, list(COLUMNS))
    columns: dict[str, list[Any]] = {name: parquet.to_list(table[name], f"{path}: {name}") for name in COLUMNS}
    found: dict[str, dict[str, Found]] = {}
    pools: dict[str, int] = {}
    for direction, query, ids, scores, right, precision, rank, pool in zip(*columns.values(), strict=True):
        if not len(ids) == len(scores) == len(right):
            raise DataError(f"{path}: what {query!r} finds is damaged; run `unisono fit {key}`")
        found.setdefault(direction, {})[query] = Found(ids, scores, right, precision, rank)
        pools[direction] = pool
    return Rankings(str(parquet.metadata(path).get("source", "unknown")), found, pools)
