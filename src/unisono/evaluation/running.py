"""All fits of an experiment, over settings, seeds, parts and spaces, and what comes of them."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unisono import models
from unisono.config.compute import Compute
from unisono.datasets.loading import Dataset
from unisono.errors import UnisonoError, require
from unisono.evaluation import trying, tuning
from unisono.evaluation.fitting import Job, Outcome, kept, work
from unisono.evaluation.planning import Plan, Setting, Shared, make_plan
from unisono.evaluation.results import Result, result_of
from unisono.evaluation.trying import Trial
from unisono.io.files import temporary_folder
from unisono.store import fits, jobs
from unisono.store.jobs import SharedArrays


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
    outcomes: dict[Path, Outcome] = {}
    failed: dict[Path, BaseException] = {}
    new: set[Path] = set()
    for number, request in enumerate(requests):
        try:
            plans[number] = _plan(request, compute, folder, shared)
        except Exception as error:
            yield Ended(request, None, error)

    def ended() -> Iterator[Ended]:
        """Yield the experiments of which nothing more is to be done."""
        for number, plan in list(plans.items()):
            folders = [job.folder for job in plan.all_jobs]
            error = next((failed[each] for each in folders if each in failed), None)
            if error is None and (plan.drafts or not all(each in outcomes for each in folders)):
                continue
            del plans[number]
            result = None if error else result_of(plan, outcomes, time.perf_counter() - started)
            names = tuple(dict.fromkeys(each.name for each in folders))
            n_kept = sum(each not in new for each in folders)
            yield Ended(requests[number], result, error, names, n_kept)

    arrays = {name: array for plan in plans.values() for name, array in plan.arrays.items()}
    with _place_for_arrays(compute.scratch) as place:
        memory = SharedArrays(arrays, place)
        # First what can be done at once; then the fits that trials have settled.
        for settled in (False, True):
            for number, plan in list(plans.items()) if settled else ():
                try:
                    tuning.settle(plan, outcomes)
                except UnisonoError as error:
                    del plans[number]
                    yield Ended(requests[number], None, error, tuple(each.folder.name for each in plan.all_jobs))
            waiting = _waiting(plans.values(), outcomes)
            yield from ended()
            for job, done in _done(waiting, memory, compute, description):
                new.add(job.folder)
                if done.error is None:
                    outcomes[job.folder] = done.value
                else:
                    failed[job.folder] = done.error
                yield from ended()


def _waiting(plans: Iterable[Plan], outcomes: dict[Path, Outcome]) -> list[Job]:
    """List the jobs that are to be done, each once, networks first, so that short fits fill the end.

    Outcomes that an earlier run has kept are added to `outcomes`.
    """
    todo: dict[Path, Job] = {}
    for plan in plans:
        for job in plan.all_jobs:
            if job.folder not in outcomes or (job.keeps_model and not (job.folder / "model").is_dir()):
                before = todo.get(job.folder, job)
                todo[job.folder] = replace(job, keeps_model=job.keeps_model or before.keeps_model)
    for job in list(todo.values()):
        found = kept(job)
        if found is not None:
            outcomes[job.folder] = found
            del todo[job.folder]
    return sorted(todo.values(), key=lambda job: not models.method(job.model).trains_networks)


def _done(
    waiting: Sequence[Job], memory: SharedArrays, compute: Compute, description: str
) -> Iterator[tuple[Job, jobs.Done]]:
    deep = bool(waiting) and models.method(waiting[0].model).trains_networks
    if deep:
        # The first optimiser imports torch._dynamo.
        method = models.method(waiting[0].model).__module__
        jobs.start_workers(["torch", "torch._dynamo", __name__, method], compute)
    do = functools.partial(_work, memory)
    for done in jobs.map_jobs(do, waiting, compute=compute, description=description, at_once=deep):
        yield waiting[done.number], done


def _work(memory: SharedArrays, job: Job) -> Outcome:
    return trying.work(memory, job) if isinstance(job, Trial) else work(memory, job)


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
    tune: tuning.Tune = False,
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
    tune : bool or mapping of str to sequence
        Whether some are chosen on the training rows of each part, from the method's own grid (but for those of
        `params`) or from this one.
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
    given = params or {}
    settings = [tuning.applied(Setting("", dataset, given), model, tune, fixed=given)]
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
