"""A trial: one candidate of a grid on parts of a fit's training rows, each held out once; in any process, once.

**Conventions.** A trial knows the training rows of its fit alone. Rows of one group (windows of one song) lie in one
inner fold, and classes are spread evenly. Its *merit* is the mean over inner folds of the mean average precision by
class, over all directions; where there are no labels, or items are of kinds so that their pairs are what counts, of
minus the mean natural logarithm of the own pair's rank; of items of one view each, of the mean average precision of the
relation. Higher is better.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from unisono import metrics, models
from unisono.datasets.folds import assign_folds
from unisono.datasets.loading import Dataset
from unisono.errors import ConfigError, DataError, TrainingError, pass_machine
from unisono.evaluation import relation
from unisono.evaluation.fitting import Job, Outcome, is_relation, items_of, keep, pairs_of, scored
from unisono.models.parts import tuning
from unisono.store import fits
from unisono.store.jobs import SharedArrays

#: Inner folds, where there are as many groups of rows.
N_FOLDS = 4
#: Fewest rows of a fold: one alone would rank nothing.
FEWEST = 2
#: Under which name an `Outcome` has the merits of inner folds.
MERIT = "merit"


@dataclass(frozen=True)
class Trial(Job):
    """A candidate on the training rows of a fit.

    Attributes
    ----------
    n_held_out : int
        How many inner folds, the first ones, are held out in turn. The rows of the fit are ``<part>/train``, the inner
        fold of each is ``<part>/inner``.
    """

    n_held_out: int


def inner_folds(dataset: Dataset, train: np.ndarray) -> np.ndarray:
    """Deal training rows into inner folds.

    Parameters
    ----------
    dataset : Dataset
    train : np.ndarray [shape=(n_train,), dtype=int64]
        Rows.

    Returns
    -------
    np.ndarray [shape=(n_train,), dtype=int64]
        From 0; `N_FOLDS` of them or, where rows or groups do not give so many of two rows, fewer down to two.

    Raises
    ------
    DataError
        They do not give two.
    """
    labels = None if dataset.labels is None else dataset.labels[train]
    groups = None if dataset.groups is None else dataset.groups[train]
    most = len(train) // FEWEST if groups is None else len(np.unique(groups))
    for n_folds in range(min(N_FOLDS, most), 1, -1):
        folds = assign_folds(len(train), labels, n_folds=n_folds, groups=groups)
        if np.bincount(folds, minlength=n_folds).min() >= FEWEST:
            return folds
    of = "" if groups is None else f" of {most} songs or groups"
    raise DataError(
        f"{dataset.name}: nothing can be tuned on {len(train)} training rows{of}: two parts of two rows or more are "
        "needed, and a song or group is not divided; add items, or leave tune out"
    )


def said(candidate: Mapping[str, Any]) -> str:
    """Write a candidate on one line.

    Examples
    --------
    >>> said({"ridge": 0.1, "scale": "none"})
    'ridge=0.1;scale=none'
    """
    return ";".join(f"{name}={value}" for name, value in candidate.items())


def work(shared: SharedArrays, job: Trial) -> Outcome:
    """Do a trial and keep its outcome.

    Parameters
    ----------
    shared : SharedArrays
        As for `unisono.evaluation.fitting.work`.
    job : Trial

    Returns
    -------
    Outcome
        ``scores[MERIT]`` has the merit by inner fold; of a candidate that cannot be trained it is empty, and the note
        says why.
    """
    started = time.perf_counter()
    outcome = Outcome(scores={MERIT: {}})
    train, folds = shared[f"{job.part}/train"], shared[f"{job.part}/inner"]
    found: dict[str, float | None] = {}
    try:
        # What there is to say, the fit to all training rows says.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for fold in range(job.n_held_out):
                found[str(fold)] = _merit(shared, job, train[folds != fold], train[folds == fold])
        outcome.scores[MERIT] = {fold: merit for fold, merit in found.items() if merit is not None}
        if not outcome.scores[MERIT]:
            raise DataError("no two held-out items belong together; add items, or leave tune out")
    except (ConfigError, DataError, TrainingError) as error:
        pass_machine(error)
        outcome.notes = [" ".join(str(error).split())]
    outcome.times["fit_s"] = time.perf_counter() - started
    keep(outcome, job.folder)
    return outcome


def _merit(shared: SharedArrays, job: Trial, rows: np.ndarray, held_out: np.ndarray) -> float | None:
    """Judge a candidate by held-out rows; None where none of them belong together."""
    take = items_of if is_relation(shared, job) else pairs_of
    data = take(shared, job, held_out)
    if is_relation(shared, job) and not data["relevance"].nnz:
        return None
    model = models.create(job.model, seed=job.seed, **job.params)
    model.device = job.device
    model.progress = False
    # Only a network goes on from a checkpoint, and holds out one part.
    model.fit(**take(shared, job, rows), checkpoint=job.folder / fits.CHECKPOINT if job.n_held_out == 1 else None)
    directions = list(permutations(job.views, 2))
    if is_relation(shared, job):
        relevant = {
            pair: data["relevance"] if pair[0] < pair[1] else data["relevance"].T.tocsr() for pair in directions
        }
        measured = [relation.measure(scored(model, data, *pair), relevant[pair])[0]["map"] for pair in directions]
        return float(np.mean(measured))
    labels = None if f"{job.data}/kinds" in shared else data["labels"]
    if not model.scores_jointly():
        embedded = model.transform(data["views"], lengths=data["lengths"])
        return tuning.merit(list(embedded.values()), labels)
    same = np.eye(len(held_out), dtype=bool) if labels is None else labels[:, None] == labels
    of = [metrics.relevance.measure(scored(model, data, *pair), same, ks=()) for pair in directions]
    if labels is None:
        return -float(np.mean([np.log(each.ranks) for each in of]))
    return float(np.mean([each.mean_average_precision for each in of]))
