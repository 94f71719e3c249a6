"""What an experiment gives, put together from the outcomes of its fits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from unisono import models
from unisono.datasets.loading import Dataset
from unisono.evaluation import relation, tuning
from unisono.evaluation.divisions import Part
from unisono.evaluation.fitting import Outcome
from unisono.evaluation.measuring import chance, classes_of, cutoffs, mean_curve, summary
from unisono.evaluation.planning import ALL, Place, Plan
from unisono.evaluation.rankings import COLUMNS


@dataclass(frozen=True)
class Table:
    """Rows of a CSV file."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass
class Result:
    """What an experiment gives.

    Attributes
    ----------
    metrics : dict
        Content of ``metrics.json``: that of the one setting, or ``{"variants": [...]}``.
    embeddings : dict of str to object
        Columns of ``embeddings.parquet``: id, label, fold, and one matrix per view (and space), of the first
        setting and seed. Empty where items are of one view each.
    rankings : dict of str to list
        Of such items, columns of ``rankings.parquet`` (`unisono.evaluation.rankings.COLUMNS`), of the first setting,
        seed and part.
    tables : dict of str to Table
        ``parts``, ``recall``, with labels ``precision_recall``, of a training in epochs ``history`` and of a setting
        that was tuned ``tuning``.
    models : dict of str to unisono.models.Aligner
        Per space the fitted model of the first setting.
    times : dict of str to float
        Seconds for fitting, transforming and measuring, over all fits, for all trials of tuned settings, and of the
        whole run.
    """

    metrics: dict[str, Any]
    embeddings: dict[str, Any]
    rankings: dict[str, list[Any]]
    tables: dict[str, Table]
    models: dict[str, models.Aligner]
    times: dict[str, float]


def result_of(plan: Plan, outcomes: Mapping[Path, Outcome], wall_s: float) -> Result:
    """Put the outcomes of an experiment together.

    Parameters
    ----------
    plan : Plan
    outcomes : mapping of Path to Outcome
        By the folder of the job.
    wall_s : float
        Seconds that the run has taken so far.

    Returns
    -------
    Result

    Warns
    -----
    UserWarning
        What fits warned about, each text once.
    """
    found = {place: outcomes[job.folder] for place, job in plan.jobs.items()}
    for text in dict.fromkeys(text for outcome in found.values() for text in outcome.warned):
        warnings.warn(text, stacklevel=2)
    contents = [_content(plan, number, found) for number in range(len(plan.settings))]
    tried = {trial.folder for trials in plan.trials.values() for trial in trials}
    times = {"tune_s": sum(outcomes[folder].times["fit_s"] for folder in tried)} if tried else {}
    times |= {
        name: sum(outcome.times.get(name, 0.0) for outcome in found.values())
        for name in ("fit_s", "transform_s", "measure_s")
    }
    return Result(
        metrics={"variants": contents} if plan.settings[0].label else contents[0],
        embeddings=_embeddings(plan, found) if plan.settings[0].dataset.tags is None else {},
        rankings=_rankings(plan, found) if plan.settings[0].dataset.tags is not None else {},
        tables=_tables(plan, found),
        models={place.space: models.load(job.folder / "model") for place, job in plan.jobs.items() if job.keeps_model},
        times=times | {"wall_s": wall_s},
    )


def _fits(plan: Plan, found: Mapping[Place, Outcome], number: int) -> Iterator[tuple[Place, Part, Outcome]]:
    """Yield the fits of a setting that were scored, in order of seeds, parts and spaces."""
    for place, outcome in found.items():
        if place.setting == number and place.part != ALL:
            yield place, plan.parts[number, place.seed][place.part], outcome


def _directions(dataset: Dataset) -> list[str]:
    return [f"{query}->{target}" for query, target in permutations(dataset.views, 2)]


def _content(plan: Plan, number: int, found: Mapping[Place, Outcome]) -> dict[str, Any]:
    """Fill in what ``metrics.json`` says of a setting."""
    setting = plan.settings[number]
    dataset = setting.dataset
    first = plan.parts[number, plan.seeds[0]]
    n_train = np.mean([len(part.train) if models.method(plan.model).trained else 0 for part in first])
    tuned = tuning.content(plan, number)
    tried = tuned.get("grid", {})
    content: dict[str, Any] = {"setting": setting.label} if setting.label else {}
    content |= {
        "dataset": dataset.name,
        "source": dataset.source,
        "model": plan.model,
        "params": {name: value for name, value in setting.params.items() if name not in tried},
        **({} if setting.ranking == "cosine" else {"ranking": setting.ranking}),
        "seed": plan.seeds[0],
        "n_seeds": len(plan.seeds),
        "n_items": len(dataset),
        "n_dropped": dict(dataset.dropped),
        "n_train": round(float(n_train)),
        "n_folds": len(first),
        "weights": {view: str(dataset.metadata.get(view, {}).get("weights", "")) for view in dataset.views},
    }
    if tuned:
        content["tuned"] = tuned
    chances = _chances(plan, number)
    for direction in _directions(dataset):
        scores = [fit.scores[direction] for _, _, fit in _fits(plan, found, number) if direction in fit.scores]
        content[direction] = summary(scores, chances[direction])
    adapted = [str(facts["adapted"]) for facts in dataset.metadata.values() if "adapted" in facts]
    said = [note for place, fit in found.items() if place.setting == number for note in fit.notes]
    notes = [*adapted, *setting.notes, *tuning.notes(plan, number), *said]
    if notes:
        content["notes"] = list(dict.fromkeys(notes))
    return content


def _chances(plan: Plan, number: int) -> dict[str, list[dict[str, Any]]]:
    """Compute what a random order scores, by direction for every seed and part."""
    dataset = plan.settings[number].dataset
    parts = [part for seed in plan.seeds for part in plan.parts[number, seed]]
    directions = _directions(dataset)
    if dataset.tags is None:
        found = [chance(len(part.test), classes_of(dataset, part.test)) for part in parts]
        return {direction: list(found) for direction in directions}
    return {direction: [relation.chance_of(dataset, part, direction) for part in parts] for direction in directions}


def _rankings(plan: Plan, found: Mapping[Place, Outcome]) -> dict[str, Any]:
    """Lay out what the queries of the first setting, seed and part find, where items are of one view each."""
    dataset, part = plan.settings[0].dataset, plan.parts[0, plan.seeds[0]][0]
    outcome = found[Place(0, plan.seeds[0], 0, "")]
    of = relation.rows_of(dataset.present, part.test)
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for direction in _directions(dataset):
        query, target = direction.split("->")
        kept, n = outcome.rankings[direction], len(of[query])
        columns["direction"] += [direction] * n
        columns["query"] += dataset.ids[of[query]].tolist()
        columns["found"] += dataset.ids[of[target]][kept["found"]].tolist()
        columns["pool"] += [len(of[target])] * n
        for name in ("score", "right", "precision", "rank"):
            columns[name] += kept[name].tolist()
    return columns


def _embeddings(plan: Plan, found: Mapping[Place, Outcome]) -> dict[str, Any]:
    """Stack the test rows of the first setting and seed."""
    dataset, parts = plan.settings[0].dataset, plan.parts[0, plan.seeds[0]]
    tested = np.concatenate([part.test for part in parts])
    columns: dict[str, Any] = {"id": dataset.ids[tested]}
    if dataset.labels is not None:
        columns["label"] = dataset.labels[tested]
    if dataset.kinds is not None:
        columns["kind"] = dataset.kinds[tested]
        if dataset.groups is not None:
            columns["song"] = dataset.groups[tested]
    columns["fold"] = np.concatenate([np.full(len(part.test), part.fold) for part in parts])
    matrices: dict[str, list[np.ndarray]] = {}
    for place, _, outcome in _fits(plan, found, 0):
        if place.seed != plan.seeds[0]:
            continue
        # Sorted as in the data set; the fit's own order is that of the names.
        for view in filter(outcome.embeddings.__contains__, dataset.views):
            name = f"{view}@{place.space}" if place.space else view
            matrices.setdefault(name, []).append(outcome.embeddings[view])
    return columns | {name: _stacked(rows) for name, rows in matrices.items()}


def _stacked(matrices: list[np.ndarray]) -> np.ndarray:
    """Stack rows of all parts; where tuning has chosen several widths, zeros, which no cosine notices, fill them up."""
    width = max(matrix.shape[1] for matrix in matrices)
    return np.concatenate([np.pad(matrix, ((0, 0), (0, width - matrix.shape[1]))) for matrix in matrices])


def _tables(plan: Plan, found: Mapping[Place, Outcome]) -> dict[str, Table]:
    """Collect what is written as CSV: every part's measures, curves, histories."""
    parts = Table(("setting", "seed", "fold", "direction", "measure", "value"), [])
    history = Table(("setting", "seed", "fold", "space", "epoch", "term", "value"), [])
    recall = Table(("setting", "direction", "k", "recall"), [])
    by_class = Table(("setting", "direction", "k", "precision", "recall"), [])
    for number, setting in enumerate(plan.settings):
        label = setting.label
        fits = list(_fits(plan, found, number))
        for place, part, fit in fits:
            for direction, scores in fit.scores.items():
                parts.rows.extend((label, place.seed, part.fold, direction, name, v) for name, v in scores.items())
            for epoch, terms in enumerate(fit.history, start=1):
                at = (label, place.seed, part.fold, place.space, epoch)
                history.rows.extend((*at, term, value) for term, value in terms.items())
        for direction in _directions(setting.dataset):
            curves = [fit.curves[direction] for _, _, fit in fits if direction in fit.curves]
            means = {name: mean_curve([each[name] for each in curves]) for name in curves[0]}
            for k in cutoffs(len(means["recall"])).tolist():
                recall.rows.append((label, direction, k, f"{means['recall'][k - 1]:.6f}"))
                if "class_recall" in means:
                    values = (f"{means[name][k - 1]:.6f}" for name in ("class_precision", "class_recall"))
                    by_class.rows.append((label, direction, k, *values))
    tried = Table(tuning.COLUMNS, [row for number in range(len(plan.settings)) for row in tuning.rows(plan, number)])
    tables = {"parts": parts, "precision_recall": by_class, "recall": recall, "history": history, "tuning": tried}
    return {name: table for name, table in tables.items() if table.rows}
