"""Several methods on the same queries, and which of their differences other items would hardly turn round.

**Conventions.** All methods rank the same items in the same divisions. A query's score is the average precision of its
ranking; where the data have no labels every item is a class of its own, and it is the reciprocal rank of the own pair.
A method's score is the mean over queries (of equal folds: the mean over folds too), and its *chance* that of a random
order.

A difference is marked when its 95 % interval leaves out zero. The interval is one over items, each both a query and an
item of the gallery (`unisono.evaluation.significance`): it says what other items of this kind would change, in the
spaces that were learned. What another seed or other training items would change it does not say, nor does it know that
items of one group (windows of a song) are alike. The best method is chosen by the same queries, and nothing corrects
for the number of comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unisono import evaluation, metrics, models
from unisono.datasets.loading import Dataset
from unisono.errors import DataError, UnisonoError, pass_machine
from unisono.evaluation import significance, tuning
from unisono.evaluation.embeddings import Space
from unisono.io.files import replacing
from unisono.io.text_tables import markdown, plain, write_csv

#: Stands for the mean over all directions.
MEAN = "mean"
COLUMNS = (
    "direction", "method", "measure", "n_queries", "value", "chance",
    "to_best", "to_best_low", "to_best_high", "differs_from_best",
    "over_chance", "over_chance_low", "over_chance_high", "differs_from_chance",
)  # fmt: skip


class Difference(NamedTuple):
    """A mean difference and its interval."""

    mean: float
    low: float
    high: float

    @property
    def real(self) -> bool:
        """Whether the interval leaves out zero."""
        return not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Score:
    """One method in one direction.

    Attributes
    ----------
    value, chance : float
        Means over queries, of the method and of a random order.
    to_best : Difference or None
        From the best method of the direction; None for that method.
    over_chance : Difference
    """

    value: float
    chance: float
    to_best: Difference | None
    over_chance: Difference


@dataclass
class Comparison:
    """What several methods give.

    Attributes
    ----------
    source : str
    measure : {"map", "mrr"}
        Mean average precision by class; without labels the mean reciprocal rank of the own pair.
    n_queries, n_folds : int
    methods : list of str
        Those that ran, the best first.
    scores : dict of str to dict of str to Score
        By direction (and `MEAN`, where there are several), then by method.
    skipped : dict of str to str
        Methods that did not run, with the reason.
    notes : dict of str to list of str
        What methods said of their results.
    tuned : dict of str to str
        What was chosen for methods that were tuned.
    """

    source: str
    measure: str
    n_queries: int
    n_folds: int
    methods: list[str]
    scores: dict[str, dict[str, Score]]
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    tuned: dict[str, str] = field(default_factory=dict)


def run(
    dataset: Dataset,
    params: Mapping[str, Mapping[str, Any]],
    *,
    seed: int = 0,
    n_folds: int | None = None,
    tune: bool = False,
    fixed: Mapping[str, Iterable[str]] | None = None,
    out: Path,
) -> Comparison:
    """Fit, score and write several methods, and compare them.

    Parameters
    ----------
    dataset : Dataset
    params : mapping of str to mapping
        By method its hyper-parameters.
    seed : int
        Of the methods and of the folds.
    n_folds : int, optional
        See `unisono.evaluation.divide`.
    tune : bool
        Whether every method that has a grid runs once more, as ``<method>-tuned``, with hyper-parameters that are
        chosen on the training rows of each fold (`unisono.evaluation.tuning`).
    fixed : mapping of str to iterable of str, optional
        By method hyper-parameters that tuning leaves as they are.
    out : Path
        Folder; ``<method>/`` in it gets what `unisono.evaluation.write` writes.

    Returns
    -------
    Comparison
        A method that cannot run on these data is listed with the reason.

    Raises
    ------
    ConfigError, DataError
        The data cannot be divided, `out` cannot be written, or no method can run.
    """
    dataset = with_folds(dataset, seed=seed, n_folds=n_folds)
    found: dict[str, dict[str, significance.Scores]] = {}
    skipped, notes, tuned = {}, {}, {}
    for name, method, own, grid in tuning.beside(params, fixed or {}, tune=tune):
        if models.method(method).supervised and dataset.labels is None:
            skipped[name] = "learns from labels, and there are none"
            continue
        if models.method(method).scores_jointly():
            skipped[name] = "ranks by scores of pairs, and a comparison has embeddings alone; run it by itself"
            continue
        unfinished = out / ".unfinished"
        try:
            result = evaluation.run(dataset, method, own, seed=seed, tune=grid, scratch=unfinished / name)
        except UnisonoError as error:
            pass_machine(error)
            skipped[name] = _said_by(method, str(error))
            continue
        finally:
            with suppress(OSError):
                unfinished.rmdir()
        evaluation.write(result, out / name)
        untunable = ["has no grid, so there is nothing to tune"] if tune and not models.method(method).grid else []
        notes[name] = untunable + [_said_by(method, note) for note in result.metrics.get("notes", [])]
        tuned[name] = "".join(tuning.lines(result.metrics, result.times))
        found[name] = query_scores(result.embeddings, list(dataset.views))
        labels, folds = _labels(result.embeddings), result.embeddings["fold"]
    if not found:
        with suppress(OSError):
            out.rmdir()
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise DataError(f"{dataset.source}: none of {len(skipped)} methods can run: {reasons}")
    scores = compare(found, chance_scores(labels, folds), folds)
    ordered = sorted(found, key=lambda name: -next(reversed(scores.values()))[name].value)
    return Comparison(
        source=dataset.source,
        measure="mrr" if dataset.labels is None else "map",
        n_queries=len(folds),
        n_folds=len(np.unique(folds)),
        methods=ordered,
        scores=scores,
        skipped=skipped,
        notes={name: notes[name] for name in ordered if notes[name]},
        tuned={name: tuned[name] for name in ordered if tuned[name]},
    )


def with_folds(dataset: Dataset, *, seed: int = 0, n_folds: int | None = None) -> Dataset:
    """Deal folds once, so that all methods have the same, those too that learn nothing.

    Parameters
    ----------
    dataset : Dataset
    seed, n_folds
        See `unisono.evaluation.divide`.

    Returns
    -------
    Dataset
        With folds of its own, unless it has splits.

    Raises
    ------
    ConfigError, DataError
        As `unisono.evaluation.divide`.
    """
    parts = evaluation.divide(dataset, seed=seed, n_folds=n_folds)
    if dataset.splits is not None:
        return dataset
    folds = np.empty(len(dataset), dtype=np.int64)
    for part in parts:
        folds[part.test] = part.fold
    return replace(dataset, folds=folds)


def query_scores(embeddings: Mapping[str, Any], views: Sequence[str]) -> dict[str, significance.Scores]:
    """Score every query in every direction.

    Parameters
    ----------
    embeddings : mapping of str to array
        Columns of ``embeddings.parquet``.
    views : sequence of str

    Returns
    -------
    dict of str to Scores
        By direction the average precision of every row's query among the rows of its fold.
    """
    of, labels = significance.groups(embeddings["fold"]), _labels(embeddings)
    matrices = {name: array for name, array in embeddings.items() if name.partition("@")[0] in views}
    space = Space("", 0, embeddings["id"], labels, matrices)
    return {
        direction: significance.score(*space.sides(direction), labels, of)
        for direction in (f"{query}->{target}" for query, target in permutations(views, 2))
    }


def chance_scores(labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Expect every query's average precision in a random order of its fold.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,), dtype=int or str]
    folds : np.ndarray [shape=(n,), dtype=int]

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
    """
    expected = np.empty(len(labels))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        _, codes, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
        # It depends on the size of the class alone.
        sizes, members = np.unique(counts[codes], return_index=True)
        values = [metrics.chance_map(codes[[member]], codes) for member in members]
        expected[rows] = np.array(values)[np.searchsorted(sizes, counts[codes])]
    return expected


def compare(
    scores: Mapping[str, Mapping[str, significance.Scores]], chance: np.ndarray, folds: np.ndarray
) -> dict[str, dict[str, Score]]:
    """Compare methods with the best one and with a random order.

    Parameters
    ----------
    scores : mapping of str to mapping of str to Scores
        By method, then direction; row i is the same item everywhere.
    chance : np.ndarray [shape=(n,), dtype=float64]
        Of every query.
    folds : np.ndarray [shape=(n,), dtype=int]

    Returns
    -------
    dict of str to dict of str to Score
        By direction, `MEAN` of them last where there are several, then by method. Of equally good methods the first
        by name is the best.
    """
    names, of = sorted(scores), significance.groups(folds)
    directions = {each: [each] for each in scores[names[0]]}
    if len(directions) > 1:
        directions[MEAN] = list(directions)
    found: dict[str, dict[str, Score]] = {}
    for direction, parts in directions.items():
        values = {name: np.mean([scores[name][each].values for each in parts], axis=0) for name in names}
        owed = {name: np.mean([scores[name][each].influences for each in parts], axis=0) for name in names}
        best = max(names, key=lambda name: values[name].mean())
        found[direction] = {
            name: Score(
                value=float(values[name].mean()),
                chance=float(chance.mean()),
                to_best=None
                if name == best
                else Difference(*significance.interval(values[name] - values[best], owed[name] - owed[best], of)),
                over_chance=Difference(*significance.interval(values[name] - chance, owed[name], of)),
            )
            for name in names
        }
    return found


def _said_by(name: str, text: str) -> str:
    """Put a message on one line, without the method's name before it."""
    return " ".join(text.split()).removeprefix(f"{name}: ")


def _labels(embeddings: Mapping[str, Any]) -> np.ndarray:
    """Classes of the rows; without labels every item is its own."""
    return np.asarray(embeddings["label" if "label" in embeddings else "id"])


def write(comparison: Comparison, out: Path) -> None:
    """Write ``comparison.csv`` (columns are `COLUMNS`) and ``comparison.md``.

    Parameters
    ----------
    comparison : Comparison
    out : Path
        Folder.

    Raises
    ------
    DataError
        It cannot be written.
    """
    rows = (
        _row(comparison, direction, method, scores[method])
        for direction, scores in comparison.scores.items()
        for method in comparison.methods
    )
    write_csv(out / "comparison.csv", COLUMNS, rows)
    with replacing(out / "comparison.md") as temporary:
        temporary.write_text(to_markdown(comparison), encoding="utf-8")


def _row(comparison: Comparison, direction: str, method: str, score: Score) -> list[Any]:
    cells: list[Any] = [direction, method, comparison.measure, comparison.n_queries]
    cells += [f"{score.value:.6f}", f"{score.chance:.6f}"]
    for difference in (score.to_best, score.over_chance):
        if difference is None:
            cells += ["", "", "", ""]
        else:
            cells += [*(f"{value:.6f}" for value in difference), int(difference.real)]
    return cells


def to_text(comparison: Comparison) -> str:
    """Lay a comparison out for a terminal.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    rows = _cells(comparison)
    lines = plain(rows, _alignment(rows))
    left_out = [f"not run: {name}: {reason}" for name, reason in comparison.skipped.items()]
    notes = [f"note: {name}: {note}" for name, own in comparison.notes.items() for note in own]
    chosen = [f"tuned: {name}: {text}" for name, text in comparison.tuned.items()]
    return "\n".join([_head(comparison), *lines, _legend(), *_easy(comparison), *chosen, *notes, *left_out])


def _alignment(rows: Sequence[Sequence[str]]) -> str:
    """Numbers stand between the method's name and the last two columns."""
    return "l" + "r" * (len(rows[0]) - 3) + "ll"


def to_markdown(comparison: Comparison) -> str:
    """Lay a comparison out as a Markdown page.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    rows = _cells(comparison)
    table = markdown(rows, _alignment(rows))
    page = ["# Comparison of methods", "", f"{_head(comparison)}.", "", table, "", _legend().replace("*", "\\*") + "."]
    page += [line for remark in _easy(comparison) for line in ("", f"{remark}.")]
    page += [
        "",
        "The interval says what other items of this kind, as queries and in the gallery, would change in the spaces "
        "that were learned; it does not say what another seed or other training items would change. The best method "
        "was chosen by the same queries, and nothing corrects for the number of comparisons.",
    ]
    if comparison.tuned:
        page += ["", "Chosen on the training rows of each fold:", ""]
        page += [f"- {name}: {text}" for name, text in comparison.tuned.items()]
    if comparison.notes:
        page += ["", "Notes:", ""]
        page += [f"- {name}: {note}" for name, own in comparison.notes.items() for note in own]
    if comparison.skipped:
        page += ["", "Not run:", "", *(f"- {name}: {reason}" for name, reason in comparison.skipped.items())]
    return "\n".join(page) + "\n"


def _head(comparison: Comparison) -> str:
    name = {"map": "mean average precision", "mrr": "mean reciprocal rank of the own pair"}[comparison.measure]
    folds = f"{comparison.n_folds} folds" if comparison.n_folds > 1 else "one division"
    return (
        f"{len(comparison.methods)} methods on {comparison.source}: {name} of {comparison.n_queries} queries, {folds}"
    )


def _easy(comparison: Comparison) -> list[str]:
    """Say why scores mean little, where they do."""
    scores = next(iter(comparison.scores.values()))
    remark = metrics.too_easy(comparison.measure, scores[comparison.methods[0]].chance)
    return [f"† {remark}"] if remark else []


def _legend() -> str:
    return f"* the {100 * significance.LEVEL:g} % interval, over queries and gallery, leaves out 0"


def _cells(comparison: Comparison) -> list[list[str]]:
    """Lay out a row per method, the best first, and one for a random order; differences are of the last direction."""
    directions = list(comparison.scores)
    overall = comparison.scores[directions[-1]]
    rows = [["method", *directions, "to the best", "over chance"]]
    mark = "†" if _easy(comparison) else ""
    for name in comparison.methods:
        to_best = overall[name].to_best
        rows.append([
            name,
            *(f"{comparison.scores[direction][name].value:.4f}{mark}" for direction in directions),
            "best" if to_best is None else _interval(to_best),
            _interval(overall[name].over_chance),
        ])  # fmt: skip
    first = comparison.methods[0]
    rows.append(["(chance)", *(f"{comparison.scores[each][first].chance:.4f}" for each in directions), "", ""])
    return rows


def _interval(difference: Difference) -> str:
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]" + (" *" if difference.real else "")
