"""A method on a data set: folds or seeds, every direction, every measure, and the files that hold them.

**Conventions.** A *part* is one division into training and test items. Only training items fit the model;
only test items are ranked. A method that aligns two views (``n_views == 2``) is fitted once per pair of views
when the data have more; every such model is a *space* of its own, and a direction is scored in the space of
its pair.
"""

from __future__ import annotations

import csv
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np

from unisono import metrics, models
from unisono.config import nearest
from unisono.datasets.folds import assign_folds, redeal
from unisono.datasets.loading import Dataset
from unisono.errors import ConfigError, DataError
from unisono.io import parquet
from unisono.io.files import replacing

#: Cut-offs of the recall.
CUTOFFS = (1, 5, 10)

#: Views of a data set that has more feature sets than views, in the dissertation's order.
VIEWS = {"mtm": ("audio", "sheet", "lyrics")}


@dataclass(frozen=True)
class Part:
    """One division of a data set.

    Attributes
    ----------
    fold : int
    train : np.ndarray [shape=(n_train,), dtype=int64]
        Rows that fit the model; empty when nothing is learned.
    test : np.ndarray [shape=(n_test,), dtype=int64]
        Rows that are ranked: the pool.
    """

    fold: int
    train: np.ndarray
    test: np.ndarray


@dataclass
class Result:
    """What an experiment gives.

    Attributes
    ----------
    metrics : dict
        Content of ``metrics.json``.
    embeddings : dict of str to object
        Columns of ``embeddings.parquet``: id, label, fold, and one matrix per view (and space) of the first
        seed.
    recall : dict of str to np.ndarray [shape=(pool,), dtype=float64]
        Per direction the recall at 1, 2, ..., pool, mean over parts.
    models : dict of str to unisono.models.Aligner
        Per space the fitted model.
    times : dict of str to float
        Seconds for fitting, transforming and measuring, over all parts.
    """

    metrics: dict[str, Any]
    embeddings: dict[str, Any]
    recall: dict[str, np.ndarray]
    models: dict[str, models.Aligner]
    times: dict[str, float] = field(default_factory=dict)


def feature_sets(dataset: str, overrides: Mapping[str, str]) -> dict[str, str] | None:
    """Say which feature set each view of an experiment is taken from.

    Parameters
    ----------
    dataset : str
    overrides : mapping of str to str
        ``experiments.<key>.views``.

    Returns
    -------
    dict of str to str or None
        None stands for all sets that the data set has.

    Raises
    ------
    ConfigError
        An override names no view of the data set.
    """
    views = VIEWS.get(dataset)
    if views is None:
        return dict(overrides) or None
    for view in overrides:
        if view not in views:
            raise ConfigError(f"experiments: {view!r} is no view of {dataset}; {nearest(view, views)}")
    return {view: overrides.get(view, view) for view in views}


def divide(dataset: Dataset, *, seed: int = 0, n_folds: int | None = None, trained: bool = True) -> list[Part]:
    """Divide a data set into training and test rows.

    Parameters
    ----------
    dataset : Dataset
        Its splits or folds decide; without either, class-balanced folds are dealt.
    seed : int
        Of dealt folds. With splits, a seed above 0 deals the held-out groups anew into validation and test.
    n_folds : int, optional
        Number of folds to deal, 5 by default.
    trained : bool
        Whether the method learns anything. If not, and nothing above applies, all rows are one pool.

    Returns
    -------
    list of Part

    Raises
    ------
    ConfigError
        `n_folds` contradicts the data's own splits or folds, or the number of rows.
    DataError
        No training rows, or fewer than two test rows.
    """
    if dataset.splits is not None or dataset.folds is not None:
        own = "splits" if dataset.splits is not None else "folds"
        if n_folds is not None:
            raise ConfigError(f"folds: {n_folds} asked for, but {dataset.name} has {own} of its own; leave it out")
    if dataset.splits is not None:
        splits = redeal(dataset.splits, dataset.groups, seed=seed)
        parts = [Part(0, np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test"))]
    elif dataset.folds is None and n_folds is None and not trained:
        parts = [Part(0, np.empty(0, dtype=np.int64), np.arange(len(dataset)))]
    else:
        folds = dataset.folds
        if folds is None:
            folds = assign_folds(len(dataset), dataset.labels, n_folds=n_folds or 5, seed=seed)
        parts = [
            Part(int(fold), np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)
        ]
    for part in parts:
        if trained and len(part.train) < 2:
            raise DataError(f"{dataset.name}: {len(part.train)} training rows in fold {part.fold}; two are needed")
        if len(part.test) < 2:
            raise DataError(f"{dataset.name}: {len(part.test)} test rows in fold {part.fold}; two are needed")
    return parts


def run(
    dataset: Dataset,
    model: str,
    params: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    n_seeds: int = 1,
    n_folds: int | None = None,
) -> Result:
    """Fit and score a method on every part and seed.

    Parameters
    ----------
    dataset : Dataset
    model : str
        One of `unisono.models.available`.
    params : mapping of str to object, optional
        Hyper-parameters.
    seed : int
        The first of `n_seeds` seeds. It seeds the model and the division (see `divide`).
    n_seeds : int
    n_folds : int, optional
        See `divide`.

    Returns
    -------
    Result

    Raises
    ------
    ConfigError, DataError
        See `divide`, `unisono.models.check_params` and `unisono.models.Aligner.fit`.
    """
    cls = models.method(model)
    checked = models.check_params(model, params or {})
    times = {"fit_s": 0.0, "transform_s": 0.0, "measure_s": 0.0}
    scores: dict[str, list[dict[str, float]]] = {}
    curves: dict[str, list[np.ndarray]] = {}
    divisions = [divide(dataset, seed=s, n_folds=n_folds, trained=cls.trained) for s in range(seed, seed + n_seeds)]
    embeddings: list[dict[str, np.ndarray]] = []
    kept: dict[str, models.Aligner] = {}
    for offset, parts in enumerate(divisions):
        for part in parts:
            embedded: dict[str, np.ndarray] = {}
            for space, views in _spaces(cls, list(dataset.views)):
                started = time.perf_counter()
                fitted = models.create(model, seed=seed + offset, **checked)
                _fit(fitted, dataset, views, part.train if cls.trained else part.test)
                times["fit_s"] += time.perf_counter() - started

                started = time.perf_counter()
                chosen, lengths = _rows(dataset, views, part.test)
                found = fitted.transform(chosen, lengths=lengths)
                times["transform_s"] += time.perf_counter() - started

                started = time.perf_counter()
                labels = None if dataset.labels is None else dataset.labels[part.test]
                for query, target in permutations(views, 2):
                    values, curve = _measure(found[query], found[target], labels)
                    scores.setdefault(f"{query}->{target}", []).append(values)
                    curves.setdefault(f"{query}->{target}", []).append(curve)
                times["measure_s"] += time.perf_counter() - started
                embedded |= {view if not space else f"{view}@{space}": found[view] for view in views}
                kept.setdefault(space, fitted)
            if offset == 0:
                embeddings.append(embedded)

    first = divisions[0]
    if dataset.splits is None and cls.trained:
        # The model to keep knows all rows, since each of them is tested in some fold.
        for space, views in _spaces(cls, list(dataset.views)):
            kept[space] = models.create(model, seed=seed, **checked)
            _fit(kept[space], dataset, views, np.arange(len(dataset)))
    order = [f"{query}->{target}" for query, target in permutations(dataset.views, 2)]
    chances = [_chance(dataset, part) for parts in divisions for part in parts]
    n_train = np.mean([len(part.train) if cls.trained else 0 for part in first])
    content: dict[str, Any] = {
        "dataset": dataset.name,
        "source": dataset.source,
        "model": model,
        "params": checked,
        "seed": seed,
        "n_seeds": n_seeds,
        "n_items": len(dataset),
        "n_dropped": dict(dataset.dropped),
        "n_train": round(float(n_train)),
        "n_folds": len(first),
        "weights": {view: str(dataset.metadata.get(view, {}).get("weights", "")) for view in dataset.views},
    }
    for direction in order:
        content[direction] = _summary(scores[direction], chances)
    tested = np.concatenate([part.test for part in first])
    columns: dict[str, Any] = {"id": dataset.ids[tested]}
    if dataset.labels is not None:
        columns["label"] = dataset.labels[tested]
    columns["fold"] = np.concatenate([np.full(len(part.test), part.fold) for part in first])
    for view in embeddings[0]:
        columns[view] = np.concatenate([embedded[view] for embedded in embeddings])
    recall = {direction: _mean_curve(curves[direction]) for direction in order}
    return Result(content, columns, recall, kept, times)


def write(result: Result, out: Path) -> None:
    """Write ``metrics.json``, ``embeddings.parquet``, ``recall.csv`` and ``model/``.

    Everything is written beside `out` first and moved in when complete, so that an interrupted run leaves
    what was there before.

    Parameters
    ----------
    result : Result
    out : Path
        Folder; other files in it stay.

    Raises
    ------
    DataError
        The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".unfinished-") as name:
            new, old = Path(name) / "new", Path(name) / "old"
            old.mkdir()
            _write_files(result, new)
            for path in sorted(new.iterdir()):
                target = out / path.name
                if target.exists():
                    target.replace(old / path.name)
                path.replace(target)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}); free space or choose another --out") from None


def write_times(result: Result, path: Path) -> None:
    """Write the times, which differ from run to run and are tracked by nothing, as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(_to_json({name: round(value, 3) for name, value in result.times.items()}))


def _write_files(result: Result, folder: Path) -> None:
    folder.mkdir()
    (folder / "metrics.json").write_text(_to_json(result.metrics), encoding="utf-8")
    columns = result.embeddings
    types = {name: _type(values) for name, values in columns.items()}
    facts = {key: result.metrics[key] for key in ("dataset", "source", "model", "params", "seed", "weights")}
    parquet.write(folder / "embeddings.parquet", columns, types=types, metadata=facts)
    with (folder / "recall.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["direction", "k", "recall"])
        for direction, curve in result.recall.items():
            rows.writerows([direction, k, f"{value:.6f}"] for k, value in enumerate(curve, start=1))
    for space, model in result.models.items():
        model.save(folder / "model" / space)


def _type(values: np.ndarray) -> Any:
    import pyarrow as pa

    if values.ndim == 2:
        return parquet.vector(values.shape[1])
    return pa.int64() if values.dtype.kind == "i" else pa.string()


def _to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _spaces(cls: type[models.Aligner], views: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the spaces a method needs for these views, with a name where there is more than one."""
    if cls.n_views == 2 and len(views) > 2:
        for pair in combinations(views, 2):
            yield "-".join(pair), pair
    else:
        yield "", tuple(views)


def _rows(
    dataset: Dataset, views: Sequence[str], rows: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    chosen = {view: dataset.views[view][rows] for view in views}
    lengths = {view: dataset.lengths[view][rows] for view in views if view in dataset.lengths}
    return chosen, lengths


def _fit(model: models.Aligner, dataset: Dataset, views: Sequence[str], rows: np.ndarray) -> None:
    chosen, lengths = _rows(dataset, views, rows)
    model.fit(chosen, None if dataset.labels is None else dataset.labels[rows], lengths=lengths)


def _measure(
    queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, float], np.ndarray]:
    """Score one direction: all measures that apply, and the recall curve."""
    values = {}
    if labels is not None:
        values["map"] = metrics.mean_average_precision(queries, gallery, labels, labels)
    curve = metrics.recall_curve(queries, gallery)
    for k in CUTOFFS:
        values[f"recall_at_{k}"] = float(curve[min(k, len(curve)) - 1])
    ranks = metrics.ranks(queries, gallery)
    values["median_rank"] = float(np.median(ranks))
    values["mean_rank"] = float(np.mean(ranks))
    return values, curve


def _chance(dataset: Dataset, part: Part) -> dict[str, float]:
    """Compute the expectation of every measure for a random order, and the pool."""
    pool = len(part.test)
    values: dict[str, float] = {"pool": pool}
    if dataset.labels is not None:
        labels = dataset.labels[part.test]
        values["map"] = metrics.chance_map(labels, labels)
    for k in CUTOFFS:
        values[f"recall_at_{k}"] = metrics.chance_recall(k, pool)
    values["median_rank"] = values["mean_rank"] = metrics.chance_rank(pool)
    return values


def _summary(scores: list[dict[str, float]], chances: list[dict[str, float]]) -> dict[str, Any]:
    """Average each measure over parts and seeds, with its deviation (0 for a single one), pool and chance."""
    summary: dict[str, Any] = {}
    for name in scores[0]:
        values = np.array([score[name] for score in scores])
        summary[name] = float(values.mean())
        summary[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    summary["pool"] = round(float(np.mean([chance["pool"] for chance in chances])))
    summary["chance"] = {name: float(np.mean([chance[name] for chance in chances])) for name in scores[0]}
    return summary


def _mean_curve(curves: list[np.ndarray]) -> np.ndarray:
    shortest = min(len(curve) for curve in curves)
    mean: np.ndarray = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean
