"""Features and learned spaces in two dimensions, by t-SNE (figure 5.6).

**Conventions.** Distances are cosine distances, as in retrieval. Only one fold's test items are drawn: each fold has a
space of its own. Two views that share a space share a panel; features, of different widths, have one each.

References
----------
.. [1] L. van der Maaten, G. Hinton: Visualizing Data using t-SNE. JMLR 9, 2008.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import DataError
from unisono.evaluation import embeddings
from unisono.models.base import average
from unisono.report import drawing, tables
from unisono.store import pieces

COLUMNS = ("panel", "id", "label", "fold", "view", "x", "y")
#: Ten classes, told apart; beyond ten, colours repeat and the names alone tell.
COLOURS = (*drawing.COLOURS, "#882255", "#999999", "#B8A900")
#: Items drawn, at most; more are thinned out evenly.
MAX_ITEMS = 500
SEED = 0
PERPLEXITY = 30.0


def project(rows: np.ndarray) -> np.ndarray:
    """Lay rows out in two dimensions, so that near ones stay near.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d), dtype=any real]
        At least four.

    Returns
    -------
    np.ndarray [shape=(n, 2), dtype=float32]
        The same for the same rows: it starts from the first two principal components, on one thread.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float64)
    # A space of one component is a line: its second axis is 0.
    unit = np.pad(unit, ((0, 0), (0, max(0, 2 - unit.shape[1]))))
    # Squared Euclidean distance of unit vectors is twice their cosine distance.
    tsne = TSNE(init="pca", perplexity=min(PERPLEXITY, (len(unit) - 1) / 3), random_state=SEED, n_jobs=1)
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(unit), dtype=np.float32)


def write(data: Path, experiments: Mapping[str, Experiment], looks: Report, folder: Path, *, out: Path) -> None:
    """Draw the features of a data set and the spaces of some experiments on it.

    Parameters
    ----------
    data : Path
        The built data set.
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml: the experiments of figure 5.6 are drawn, a panel each.
    folder : Path
        Results of the experiments.
    out : Path
        Without ending; ``.png``, ``.svg`` and ``.csv`` (columns are `COLUMNS`) are written.

    Raises
    ------
    ConfigError, DataError
        An experiment is missing or of another data set, or the files do not fit together.
    """
    keys = looks.figure("5.6")
    spaces = {key: embeddings.read(key, experiments, folder, dataset=data.name) for key in keys}
    first = spaces[keys[0]]
    views = {view: experiments[keys[0]].views.get(view, view) for view in first.views}
    chosen = first.ids[:: -(-len(first.ids) // MAX_ITEMS)]
    panels = _features(load_folder(data, views=views), chosen)
    panels |= {
        looks.title(key, experiments[key]): {view: _pick(space.ids, chosen, rows) for view, rows in space.views.items()}
        for key, space in spaces.items()
    }
    labels = _pick(first.ids, chosen, first.labels)
    found = []
    for panel, matrices in panels.items():
        rows = np.concatenate(list(matrices.values()))
        content = pieces.made(partial(_projected, rows), pieces.code(__name__), rows)
        places = np.split(np.frombuffer(content, dtype=np.float32).reshape(-1, 2), len(matrices))
        for view, points in zip(matrices, places, strict=True):
            found += [
                {"panel": panel, "id": item, "label": label, "fold": first.fold, "view": view,
                 "x": f"{x:.4f}", "y": f"{y:.4f}"}
                for item, label, (x, y) in zip(chosen, labels, points, strict=True)
            ]  # fmt: skip
    tables.write_csv(out.with_name(out.name + ".csv"), COLUMNS, found)
    title = f"Figure 5.6: features and learned spaces by t-SNE\n{data.name}, source {first.source}, "
    drawing.drawn(out, _draw, f"{title}{len(chosen)} test items of fold {first.fold}", found)


def _projected(rows: np.ndarray) -> bytes:
    return project(rows).tobytes()


def _features(dataset: Dataset, ids: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Average the features of some items over time: one panel per view."""
    return {
        f"features, {view}": {view: _pick(dataset.ids, ids, average(array, dataset.lengths.get(view)))}
        for view, array in dataset.views.items()
    }


def _pick(ids: np.ndarray, wanted: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Take the values of the wanted ids, in their order."""
    place = {item: row for row, item in enumerate(ids)}
    missing = next((item for item in wanted if item not in place), None)
    if missing is not None:
        raise DataError(f"item {str(missing)!r} is in one experiment and not in the other; run `dvc repro` again")
    return np.asarray(values[[place[item] for item in wanted]])


def _draw(title: str, found: Sequence[Mapping[str, Any]], out: Path) -> None:
    names = list(dict.fromkeys(row["panel"] for row in found))
    views = list(dict.fromkeys(row["view"] for row in found))
    labels = sorted({str(row["label"]) for row in found})
    colours = {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}
    with drawing.canvas(out, width=3.4 * len(names), height=4.1) as figure:
        figure.suptitle(title)
        for panel, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            own = [row for row in found if row["panel"] == name]
            for number, view in enumerate(views):
                for label in labels:
                    points = [row for row in own if row["view"] == view and str(row["label"]) == label]
                    panel.scatter(
                        [float(row["x"]) for row in points],
                        [float(row["y"]) for row in points],
                        s=16,
                        marker=drawing.MARKERS[number],
                        facecolors=colours[label] if number == 0 else "none",
                        edgecolors=colours[label],
                        linewidths=0.9,
                    )
            # Ten colours are hard to tell apart: each class is named above the middle of its items.
            for label in labels:
                points = [row for row in own if str(row["label"]) == label]
                centre = [float(np.median([float(row[axis]) for row in points])) for axis in ("x", "y")]
                box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": colours[label], "alpha": 0.75}
                panel.annotate(
                    label, centre, (0, 9), textcoords="offset points", ha="center", va="center", fontsize=7, bbox=box
                )
            panel.set_title(name)
            panel.set_xticks([])
            panel.set_yticks([])
            panel.set_xlabel("t-SNE 1")
            panel.set_ylabel("t-SNE 2")
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], linestyle="none", marker=drawing.MARKERS[number], color="0.3", label=view,
                   markerfacecolor="0.3" if number == 0 else "none")
            for number, view in enumerate(views)
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=len(views), frameon=False)
