"""All fits of an experiment, over settings, seeds, parts and spaces, and what comes of them."""

from __future__ import annotations

import functools
import os
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from unisono import models
from unisono.config.compute import Compute
from unisono.datasets.loading import Dataset
from unisono.errors import require
from unisono.evaluation.divisions import Part
from unisono.evaluation.fitting import Job, Outcome, kept, work
from unisono.evaluation.measuring import chance, classes_of, cutoffs, mean_curve, summary
from unisono.evaluation.planning import ALL, Place, Plan, Setting, Shared, make_plan
from unisono.io.files import temporary_folder
from unisono.store import fits, jobs
from unisono.store.jobs import SharedArrays


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
        setting and seed.
    tables : dict of str to Table
        ``parts``, ``recall``, with labels ``precision_recall`` and, of a training in epochs, ``history``.
    models : dict of str to unisono.models.Aligner
        Per space the fitted model of the first setting.
    times : dict of str to float
        Seconds for fitting, transforming and measuring, over all fits, and of the whole run.
    """

    metrics: dict[str, Any]
    embeddings: dict[str, Any]
    tables: dict[str, Table]
    models: dict[str, models.Aligner]
    times: dict[str, float]


@dataclass(frozen=True)
class Request:
    """An experiment that is wanted.

    Attributes
    ----------
    key : str
        Its name, for messages.
    model : str
        One of `unisono.models.available`.
    settings : sequence of Setting
        At least one. Each gives what it would give alone; settings that share a `Dataset` object share its memory.
    seed : int
        The first of `n_seeds` seeds. It seeds the model and the division (see `unisono.evaluation.divide`).
    n_seeds : int
    n_folds : int, optional
        See `unisono.evaluation.divide`.
    """

    key: str
    model: str
    settings: Sequence[Setting]
    seed: int = 0
    n_seeds: int = 1
    n_folds: int | None = None


@dataclass(frozen=True)
class Ended:
    """An experiment that has ended.

    Attributes
    ----------
    request : Request
    result : Result or None
        None if it failed.
    error : Exception or None
    fits : tuple of str
        Names of its kept fits.
    n_kept : int
        How many of them an earlier run had done.
    """

    request: Request
    result: Result | None
    error: BaseException | None
    fits: tuple[str, ...] = ()
    n_kept: int = 0


def run_requests(
    requests: Sequence[Request], *, compute: Compute, folder: Path, description: str = "fits"
) -> Iterator[Ended]:
    """Fit and score methods, all fits of all experiments in parallel, those that are kept excepted.

    Parameters
    ----------
    requests : sequence of Request
    compute : Compute
        Executor, workers, threads, device; the numbers do not depend on executor and workers.
    folder : Path
        The store of kept fits.
    description : str
        Title of the progress bar.

    Yields
    ------
    Ended
        Each experiment as soon as its fits are there. One that fails leaves the others as they are.
    """
    started = time.perf_counter()
    plans: dict[int, Plan] = {}
    shared = Shared()
    todo: dict[Path, Job] = {}
    outcomes: dict[Path, Outcome] = {}
    for number, request in enumerate(requests):
        try:
            plan = plans[number] = _plan(request, compute, folder, shared)
        except Exception as error:
            yield Ended(request, None, error)
            continue
        for job in plan.jobs.values():
            before = todo.get(job.folder, job)
            todo[job.folder] = replace(job, keeps_model=job.keeps_model or before.keeps_model)
    for job in list(todo.values()):
        found = kept(job)
        if found is not None:
            outcomes[job.folder] = found
            del todo[job.folder]
    n_kept = {number: sum(job.folder in outcomes for job in plan.jobs.values()) for number, plan in plans.items()}
    failed: dict[Path, BaseException] = {}

    def ended() -> Iterator[Ended]:
        """Yield the experiments of which nothing more is to be done."""
        for number, plan in list(plans.items()):
            folders = [job.folder for job in plan.jobs.values()]
            error = next((failed[each] for each in folders if each in failed), None)
            if error is None and not all(each in outcomes for each in folders):
                continue
            del plans[number]
            result = None if error else _result(plan, outcomes, time.perf_counter() - started)
            names = tuple(dict.fromkeys(each.name for each in folders))
            yield Ended(requests[number], result, error, names, n_kept[number])

    yield from ended()
    # Networks first, so that short fits fill the end.
    waiting = sorted(todo.values(), key=lambda job: not models.method(job.model).trains_networks)
    arrays = {name: array for plan in plans.values() for name, array in plan.arrays.items()}
    deep = bool(waiting) and models.method(waiting[0].model).trains_networks
    if deep:
        # The first optimiser imports torch._dynamo.
        method = models.method(waiting[0].model).__module__
        jobs.start_workers(["torch", "torch._dynamo", __name__, method], compute)
    with _place_for_arrays(compute.scratch) as place:
        for done in jobs.map_jobs(
            functools.partial(work, SharedArrays(arrays, place)),
            waiting,
            compute=compute,
            description=description,
            at_once=deep,
        ):
            at = waiting[done.number].folder
            if done.error is None:
                outcomes[at] = done.value
            else:
                failed[at] = done.error
            yield from ended()


def _plan(request: Request, compute: Compute, folder: Path, shared: Shared) -> Plan:
    if models.method(request.model).trains_networks:
        require("torch")
    return make_plan(
        [replace(s, params=models.check_params(request.model, s.params)) for s in request.settings],
        request.model,
        seeds=range(request.seed, request.seed + request.n_seeds),
        n_folds=request.n_folds,
        compute=compute,
        folder=folder,
        shared=shared,
    )


def _result(plan: Plan, outcomes: Mapping[Path, Outcome], wall_s: float) -> Result:
    """Put the outcomes of an experiment together."""
    found = {place: outcomes[job.folder] for place, job in plan.jobs.items()}
    for text in dict.fromkeys(text for outcome in found.values() for text in outcome.warned):
        warnings.warn(text, stacklevel=2)
    contents = [_content(plan, number, found) for number in range(len(plan.settings))]
    times = {
        name: sum(outcome.times.get(name, 0.0) for outcome in found.values())
        for name in ("fit_s", "transform_s", "measure_s")
    }
    return Result(
        metrics={"variants": contents} if plan.settings[0].label else contents[0],
        embeddings=_embeddings(plan, found),
        tables=_tables(plan, found),
        models={place.space: models.load(job.folder / "model") for place, job in plan.jobs.items() if job.keeps_model},
        times=times | {"wall_s": wall_s},
    )


@contextmanager
def _place_for_arrays(scratch: Path) -> Iterator[Path]:
    """Give a folder for what workers share; remove it, and those of runs that were killed."""
    for path in scratch.glob("arrays-*"):
        with suppress(ValueError, PermissionError):
            try:
                os.kill(int(path.name.rpartition("-")[2]), 0)
            except ProcessLookupError:
                shutil.rmtree(path, ignore_errors=True)
    place = scratch / f"arrays-{os.getpid()}"
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run(
    dataset: Dataset,
    model: str,
    params: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    n_seeds: int = 1,
    n_folds: int | None = None,
    compute: Compute | None = None,
    scratch: Path | None = None,
) -> Result:
    """Fit and score a method on every part and seed.

    Parameters
    ----------
    dataset : Dataset
    model : str
        One of `unisono.models.available`.
    params : mapping of str to object, optional
        Hyper-parameters.
    seed, n_seeds, n_folds, compute, scratch
        As in `run_settings`.

    Returns
    -------
    Result

    Raises
    ------
    ConfigError, DataError, TrainingError, ProgramError
        As `run_settings`.
    """
    settings = [Setting("", dataset, params or {})]
    return run_settings(settings, model, seed=seed, n_seeds=n_seeds, n_folds=n_folds, compute=compute, scratch=scratch)


def run_settings(
    settings: Sequence[Setting],
    model: str,
    *,
    seed: int = 0,
    n_seeds: int = 1,
    n_folds: int | None = None,
    compute: Compute | None = None,
    scratch: Path | None = None,
) -> Result:
    """Fit and score a method in every setting, on every part and seed, in parallel.

    Parameters
    ----------
    settings : sequence of Setting
        At least one. Each gives what it would give alone; settings that share a `Dataset` object share its memory.
    model : str
        One of `unisono.models.available`.
    seed : int
        The first of `n_seeds` seeds. It seeds the model and the division (see `divide`).
    n_seeds : int
    n_folds : int, optional
        See `divide`.
    compute : Compute, optional
        Executor, workers, threads, device; the numbers do not depend on executor and workers.
    scratch : Path, optional
        Folder for unfinished work, of this experiment alone: a run that was interrupted goes on from there. It is
        removed at the end. By default a temporary one, so that a later run starts anew.

    Returns
    -------
    Result

    Raises
    ------
    ConfigError, DataError
        See `divide`, `unisono.models.check_params` and `unisono.models.Aligner.fit`.
    TrainingError
        A training diverged.
    ProgramError
        A worker process was killed.

    Warns
    -----
    UserWarning
        What fits warned about, each text once.
    """
    compute = compute or Compute()
    request = Request(f"{model} on {settings[0].dataset.name}", model, settings, seed, n_seeds, n_folds)
    with _folder(scratch) as folder:
        for ended in run_requests([request], compute=compute, folder=folder, description=request.key):
            if ended.error is not None:
                raise ended.error
            result = ended.result
    assert result is not None
    return result


@contextmanager
def _folder(scratch: Path | None) -> Iterator[Path]:
    """Give a folder for unfinished work; leave nothing of it but what an interrupted run can go on from."""
    if scratch is None:
        with temporary_folder() as folder:
            yield folder
        return
    try:
        yield scratch
    except BaseException:
        for folder in scratch.glob("*"):
            if not any((folder / name).exists() for name in (fits.RECORD, fits.CHECKPOINT)):
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            scratch.rmdir()
        raise
    shutil.rmtree(scratch, ignore_errors=True)


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
    content: dict[str, Any] = {"setting": setting.label} if setting.label else {}
    content |= {
        "dataset": dataset.name,
        "source": dataset.source,
        "model": plan.model,
        "params": dict(setting.params),
        "seed": plan.seeds[0],
        "n_seeds": len(plan.seeds),
        "n_items": len(dataset),
        "n_dropped": dict(dataset.dropped),
        "n_train": round(float(n_train)),
        "n_folds": len(first),
        "weights": {view: str(dataset.metadata.get(view, {}).get("weights", "")) for view in dataset.views},
    }
    chances = []
    for seed in plan.seeds:
        for part in plan.parts[number, seed]:
            chances.append(chance(len(part.test), classes_of(dataset, part.test)))
    for direction in _directions(dataset):
        scores = [fit.scores[direction] for _, _, fit in _fits(plan, found, number) if direction in fit.scores]
        content[direction] = summary(scores, chances)
    adapted = [str(facts["adapted"]) for facts in dataset.metadata.values() if "adapted" in facts]
    said = [note for place, fit in found.items() if place.setting == number for note in fit.notes]
    notes = [*adapted, *setting.notes, *said]
    if notes:
        content["notes"] = list(dict.fromkeys(notes))
    return content


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
    return columns | {name: np.concatenate(rows) for name, rows in matrices.items()}


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
    tables = {"parts": parts, "precision_recall": by_class, "recall": recall, "history": history}
    return {name: table for name, table in tables.items() if table.rows}
