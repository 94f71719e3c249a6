"""The list of all fits of an experiment, the name of each, and the arrays that they need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unisono import arithmetic, models
from unisono.config.compute import Compute
from unisono.config.experiments import Ranking
from unisono.config.keys import check_views
from unisono.datasets.loading import Dataset
from unisono.evaluation import fitting, trying
from unisono.evaluation.divisions import Part, divide, spaces
from unisono.evaluation.fitting import Job
from unisono.evaluation.trying import Trial
from unisono.store import fits
from unisono.store.code import code_version

#: Place of the fit on all rows among the parts.
ALL = -1


@dataclass(frozen=True)
class Setting:
    """One setting of a sweep.

    Attributes
    ----------
    label : str
        Its name in tables; empty where there is only one.
    dataset : Dataset
    params : mapping of str to object
        Hyper-parameters of the method.
    notes : tuple of str
        What the result says of them.
    ranking : {"cosine", "csls"}
        How scores become a ranking; see `unisono.config.experiments`.
    candidates : tuple of mapping of str to object
        What is tried in place of some of `params`, chosen for every part by its training rows alone
        (`unisono.evaluation.tuning`); none where nothing is to be chosen.
    """

    label: str
    dataset: Dataset
    params: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    ranking: Ranking = "cosine"
    candidates: tuple[Mapping[str, Any], ...] = ()


class Place(NamedTuple):
    """Where a fit stands: number of the setting, seed, number of the part (or `ALL`), space."""

    setting: int
    seed: int
    part: int
    space: str


@dataclass(frozen=True)
class Draft:
    """A fit whose hyper-parameters are still to be chosen.

    Attributes
    ----------
    job : Job
        Its folder is that of the store.
    before, after : tuple
        What the fit depends on, but for the hyper-parameters between them.
    """

    job: Job
    before: tuple[Any, ...]
    after: tuple[Any, ...]

    def with_params(self, params: Mapping[str, Any]) -> Job:
        """Give the fit with its hyper-parameters, named after all that it depends on."""
        name = fits.key(*self.before, dict(params), *self.after)
        return replace(self.job, params=dict(params), folder=self.job.folder / name)


@dataclass(frozen=True)
class Plan:
    """All that is to be done.

    Attributes
    ----------
    model : str
    settings : sequence of Setting
    seeds : sequence of int
    parts : dict of (int, int) to list of Part
        Per number of a setting and seed.
    jobs : dict of Place to Job
        The longest first.
    drafts : dict of Place to Draft
        Fits that become jobs when their trials have chosen (`unisono.evaluation.tuning.settle`).
    trials : dict of Place to tuple of Trial
        One for each candidate of the setting.
    choices : dict of Place to Choice
        What was chosen, and why.
    arrays : dict of str to np.ndarray
        For `unisono.evaluation.fitting.work`; settings, and experiments, with the same data share theirs.
    """

    model: str
    settings: Sequence[Setting]
    seeds: Sequence[int]
    parts: dict[tuple[int, int], list[Part]] = field(default_factory=dict)
    jobs: dict[Place, Job] = field(default_factory=dict)
    drafts: dict[Place, Draft] = field(default_factory=dict)
    trials: dict[Place, tuple[Trial, ...]] = field(default_factory=dict)
    choices: dict[Place, Choice] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def all_jobs(self) -> list[Job]:
        """What is to be done, trials first."""
        return [*(trial for own in self.trials.values() for trial in own), *self.jobs.values()]


@dataclass(frozen=True)
class Choice:
    """What the trials of a fit have shown.

    Attributes
    ----------
    number : int
        Of the candidate that was taken.
    merits : tuple of float
        The criterion of every candidate, higher is better; minus infinity for one that cannot be trained.
    reasons : tuple of str
        Why, or empty.
    """

    number: int
    merits: tuple[float, ...]
    reasons: tuple[str, ...]


@dataclass
class Shared:
    """What the experiments of a run have in common and is found once.

    Attributes
    ----------
    data : dict of (int, bool) to (str, dict of str to np.ndarray)
        Name and arrays of a `Dataset` object, by its identity and whether sequences are kept.
    versions : dict of (str or Path) to str
        Fingerprint of a module.
    """

    data: dict[tuple[int, bool], tuple[str, dict[str, np.ndarray]]] = field(default_factory=dict)
    versions: dict[str | Path, str] = field(default_factory=dict)

    def version(self, module: str | Path) -> str:
        """Give the fingerprint of a module."""
        if module not in self.versions:
            self.versions[module] = code_version(module)
        return self.versions[module]


def make_plan(
    settings: Sequence[Setting],
    model: str,
    *,
    seeds: Sequence[int],
    n_folds: int | None,
    compute: Compute,
    folder: Path,
    shared: Shared | None = None,
) -> Plan:
    """List the fits of an experiment.

    Parameters
    ----------
    settings : sequence of Setting
    model : str
    seeds : sequence of int
    n_folds : int or None
        See `unisono.evaluation.divide`.
    compute : Compute
        Device, arithmetic and threads are part of what a fit depends on.
    folder : Path
        The store of kept fits: holds the jobs' folders.
    shared : Shared, optional
        What experiments of the same run have found already.

    Returns
    -------
    Plan
        A fit per setting, seed, part and space; and for each space of the first setting one on all rows, which is
        the model to keep since each row is tested in some fold. Where the data set has a split of its own, or nothing
        is learned, the first part's model is kept; so it is of items of one view each, whose tags are the deal's.

    Raises
    ------
    ConfigError, DataError
        As `unisono.evaluation.divide`.
    """
    cls = models.method(model)
    for setting in settings:
        check_views(setting.dataset.views, setting.dataset.source)
    shared = shared or Shared()
    code = [shared.version(fitting.__name__), shared.version(models.source_of(cls))]
    tried = [shared.version(trying.__name__), *code]
    rounding = [*arithmetic.facts(), compute.device, compute.threads_per_worker]
    plan = Plan(model, settings, seeds)

    def share(digest: str, arrays: Mapping[str, np.ndarray]) -> str:
        plan.arrays.update({f"{digest}/{name}": array for name, array in arrays.items()})
        return digest

    def add(number: int, seed: int, index: int, data: str, rows: str | None, *, keeps_model: bool) -> None:
        setting = settings[number]
        for space, views in spaces(cls, list(setting.dataset.views)):
            place = Place(number, seed, index, space)
            deal = [index] if setting.dataset.by_deal or setting.dataset.tags is not None else []
            ranking = [] if setting.ranking == "cosine" else [setting.ranking]
            job = Job(
                model=model,
                params={},
                seed=seed,
                views=views,
                data=data,
                part=rows,
                deal=max(index, 0),
                ranking=setting.ranking,
                folder=folder,
                device=compute.device,
                where=", ".join(
                    filter(None, (setting.label, space, f"seed {seed}", f"part {index}" if rows else "all rows"))
                ),
                keeps_model=keeps_model,
            )
            draft = Draft(job, (code, rounding, model), (seed, views, data, rows, *deal, *ranking))
            if setting.candidates:
                plan.drafts[place] = draft
            else:
                plan.jobs[place] = draft.with_params(setting.params)
            if setting.candidates and rows:
                plan.trials[place] = tuple(trials(draft, setting, plan.parts[number, seed][index]))

    def trials(draft: Draft, setting: Setting, part: Part) -> Iterator[Trial]:
        dataset = setting.dataset
        folds = trying.inner_folds(dataset, part.train)
        n_held_out = 1 if cls.trains_networks else int(folds.max()) + 1
        rows = share(_digest(divided := {"train": part.train, "inner": folds}), divided)
        # One seed, so that parts of several seeds with the same training rows have the same trials.
        job = replace(draft.job, seed=seeds[0], part=rows, keeps_model=False)
        _, views, data, _, *deal = draft.after
        own = Draft(job, (tried, rounding, model), (seeds[0], views, data, rows, n_held_out, *deal))
        for candidate in setting.candidates:
            job = own.with_params({**setting.params, **candidate})
            yield Trial(**{**vars(job), "where": f"{job.where}, {trying.said(candidate)}"}, n_held_out=n_held_out)

    first_data = settings[0].dataset
    on_all_rows = cls.trained and first_data.splits is None and first_data.tags is None
    for number, setting in enumerate(settings):
        dataset = setting.dataset
        at = id(dataset), cls.sequential
        if at not in shared.data:
            arrays = fitting.arrays_of(dataset, sequential=cls.sequential)
            shared.data[at] = _digest(arrays), arrays
        data = share(*shared.data[at])
        if number == 0 and on_all_rows:
            add(0, seeds[0], ALL, data, None, keeps_model=True)
        for seed in seeds:
            parts = divide(dataset, seed=seed, n_folds=n_folds, trained=cls.trained)
            plan.parts[number, seed] = parts
            for index, part in enumerate(parts):
                divided = {"train": part.train if cls.trained else part.test, "test": part.test}
                rows = share(_digest(divided), divided)
                first = (number, seed, index) == (0, seeds[0], 0)
                add(number, seed, index, data, rows, keeps_model=first and not on_all_rows)
    return plan


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Name arrays after what they hold."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
