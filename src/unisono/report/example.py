"""One query and its first results, method by method (figure 5.7).

**Conventions.** The query is not picked by hand: of one fold's test items it is the one whose average precision under
the last method is the median, so that as many queries fare better as worse. The item's own pair counts like any other
item of its class. A right result has a green frame and a tick, a wrong one a red, dashed frame and a cross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unisono import metrics
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.errors import DataError
from unisono.evaluation import embeddings
from unisono.report import drawing, panels, tables

COLUMNS = ("method", "direction", "query", "query_label", "ap", "published_ap", "rank", "id", "label", "right", "score")
#: Results shown of every method.
TOP = 5
#: The dissertation's average precision of its own query (class chainsaw).
PUBLISHED = {"ACMR": 0.4272, "AGAH": 0.5534, "C-DCCA": 0.5994, "TNN-C-CCA": 0.8012}
RIGHT, WRONG = "#009E73", "#D55E00"


@dataclass(frozen=True)
class Answer:
    """What one method finds for a query.

    Attributes
    ----------
    title : str
    ap : float
        Average precision of the query, of the full ranking.
    ids, labels : np.ndarray [shape=(n_top,), dtype=str]
        The first results, the best first.
    scores : np.ndarray [shape=(n_top,), dtype=float64]
        Cosines.
    """

    title: str
    ap: float
    ids: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


def average_precisions(space: embeddings.Space, direction: str) -> np.ndarray:
    """Compute the average precision of every item as a query.

    Parameters
    ----------
    space : Space
    direction : str
        ``"audio->visual"``.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]

    Raises
    ------
    ConfigError
        The space lacks a view of the direction.
    """
    query, target = space.sides(direction)
    return metrics.average_precisions(query, target, space.labels, space.labels)


def median_query(precisions: np.ndarray, ids: np.ndarray) -> int:
    """Choose the query with the median average precision, the lower one of two; of equals the first by id."""
    order = sorted(range(len(ids)), key=lambda row: (precisions[row], ids[row]))
    return order[(len(order) - 1) // 2]


def answer(title: str, space: embeddings.Space, direction: str, query_id: str) -> Answer:
    """Rank the items of a space for one query.

    Raises
    ------
    DataError
        The query is not in the space.
    """
    found = np.flatnonzero(space.ids == query_id)
    if not len(found):
        raise DataError(f"{title}: no item {query_id!r} in fold {space.fold}; run `dvc repro` again")
    row = int(found[0])
    query, target = space.sides(direction)
    units = [np.asarray(side, dtype=np.float64) for side in (query[row : row + 1], target)]
    units = [side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), np.finfo(float).tiny) for side in units]
    scores = (units[0] @ units[1].T)[0]
    top = np.argsort(-scores, kind="stable")[:TOP]
    [ap] = metrics.average_precisions(query[row : row + 1], target, space.labels[row : row + 1], space.labels)
    return Answer(title, float(ap), space.ids[top], space.labels[top].astype(str), scores[top])


def write(
    data: Path,
    experiments: Mapping[str, Experiment],
    looks: Report,
    folder: Path,
    *,
    direction: str = "audio->visual",
    out: Path,
) -> None:
    """Draw a query and its first results under several methods.

    Parameters
    ----------
    data : Path
        The built data set. Clips are shown where it keeps them (column ``video``), names where it does not.
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml: the experiments of figure 5.7 have a row each. The last one decides about the query.
    folder : Path
        Results of the experiments.
    direction : str
        Query and target.
    out : Path
        Without ending; ``.png``, ``.svg`` and ``.csv`` (columns are `COLUMNS`) are written.

    Raises
    ------
    ConfigError, DataError
        An experiment is missing or of another data set, or the files do not fit together.
    """
    keys = looks.figure("5.7")
    titles = {key: looks.title(key, experiments[key]) for key in keys}
    spaces = {key: embeddings.read(key, experiments, folder, dataset=data.name) for key in keys}
    last = spaces[keys[-1]]
    chosen = median_query(average_precisions(last, direction), last.ids)
    query, label = str(last.ids[chosen]), str(last.labels[chosen])
    answers = [answer(titles[key], space, direction, query) for key, space in spaces.items()]
    found = [
        {"method": one.title, "direction": direction, "query": query, "query_label": label, "ap": f"{one.ap:.6f}",
         "published_ap": PUBLISHED.get(one.title, ""), "rank": rank, "id": item, "label": own,
         "right": int(own == label), "score": f"{score:.6f}"}
        for one in answers
        for rank, (item, own, score) in enumerate(zip(one.ids, one.labels, one.scores, strict=True), start=1)
    ]  # fmt: skip
    tables.write_csv(out.with_name(out.name + ".csv"), COLUMNS, found)
    shown = {query, *(str(item) for one in answers for item in one.ids)}
    shown_as = {(part.item, part.place): panels.picture(part) for part in dataset_of(data.name).show(data, shown)}
    title = (
        f"Figure 5.7: one query and its first {TOP} results, {drawing.arrow(direction)}\n{data.name}, source "
        f"{last.source}, fold {last.fold}; the query whose AP under {titles[keys[-1]]} is the median of {len(last.ids)}"
    )
    drawing.drawn(out, _draw, title, (query, label), answers, shown_as, direction.split("->"))


def _draw(
    title: str,
    query: tuple[str, str],
    answers: Sequence[Answer],
    looks: Mapping[tuple[str, str], np.ndarray],
    sides: Sequence[str],
    out: Path,
) -> None:
    """Draw a row for the query and a row per method, with the method's name and AP on the left."""
    item, label = query
    n_rows = len(answers) + 1
    with drawing.canvas(out, width=1.65 * TOP + 1.7, height=1.75 * n_rows + 0.6) as figure:
        figure.suptitle(title)
        cells = figure.subplots(n_rows, TOP + 1, width_ratios=[1.0, *[1.0] * TOP])
        for panel in cells.flat:
            panel.set_xticks([])
            panel.set_yticks([])
            panel.set_frame_on(False)
        _say(cells[0, 0], f"query ({sides[0]})\n{label}\n{item}")
        _show(cells[0, 1], sides[0], item, looks)
        cells[0, 1].set_title(f"query: {sides[0]}", fontsize="small")
        other = sides[1] if sides[1] != sides[0] else sides[0]
        _show(cells[0, 2], other, item, looks)
        cells[0, 2].set_title(f"its own {other} (not given)", fontsize="small")
        for row, one in zip(cells[1:], answers, strict=True):
            published = f"\n(D, its own query: {100 * PUBLISHED[one.title]:.2f} %)" if one.title in PUBLISHED else ""
            _say(row[0], f"{one.title}\nAP {100 * one.ap:.2f} %{published}")
            for place, (panel, found, own) in enumerate(zip(row[1:], one.ids, one.labels, strict=False), start=1):
                right = own == label
                _show(panel, sides[1], found, looks)
                _frame(panel, right)
                mark = "\u2713" if right else "\u2717"
                pair = ", its own" if found == item else ""
                panel.set_title(f"{place}  {mark} {own}{pair}", fontsize="small", color=RIGHT if right else WRONG)


def _say(panel: Any, text: str) -> None:
    panel.text(0.0, 0.5, text, ha="left", va="center", fontsize="small", transform=panel.transAxes)


def _frame(panel: Any, right: bool) -> None:
    """Frame a panel: right and wrong differ in colour and in line."""
    panel.set_frame_on(True)
    for spine in panel.spines.values():
        spine.set(
            color=RIGHT if right else WRONG, linewidth=3, linestyle="-" if right else (0, (2, 1)), capstyle="butt"
        )


def _show(panel: Any, view: str, item: str, looks: Mapping[tuple[str, str], np.ndarray]) -> None:
    """Show an item in one view: a frame, a spectrogram, or its name where the source keeps no clips."""
    look = looks.get((item, view))
    if look is None:
        panel.imshow(np.full((3, 4), 0.9), cmap="gray", vmin=0, vmax=1)
        panel.text(0.5, 0.5, item, ha="center", va="center", fontsize=6, wrap=True, transform=panel.transAxes)
    elif look.ndim == 2:
        panel.imshow(look, aspect="auto", cmap="magma")
        panel.set_box_aspect(1)
    else:
        panel.imshow(look)
