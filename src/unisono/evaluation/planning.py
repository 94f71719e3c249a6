"""The list of all fits of an experiment, and the arrays that they need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unisono import models
from unisono.datasets.loading import Dataset
from unisono.evaluation import fitting
from unisono.evaluation.divisions import Part, divide, spaces
from unisono.evaluation.fitting import Job
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
    """

    label: str
    dataset: Dataset
    params: Mapping[str, Any]


class Place(NamedTuple):
    """Where a fit stands: number of the setting, seed, number of the part (or `ALL`), space."""

    setting: int
    seed: int
    part: int
    space: str


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
    arrays : dict of str to np.ndarray
        For `unisono.evaluation.fitting.work`; settings of one data set share theirs.
    """

    model: str
    settings: Sequence[Setting]
    seeds: Sequence[int]
    parts: dict[tuple[int, int], list[Part]] = field(default_factory=dict)
    jobs: dict[Place, Job] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def make_plan(
    settings: Sequence[Setting],
    model: str,
    *,
    seeds: Sequence[int],
    n_folds: int | None,
    device: str,
    folder: Path,
) -> Plan:
    """List the fits of an experiment.

    Parameters
    ----------
    settings : sequence of Setting
    model : str
    seeds : sequence of int
    n_folds : int or None
        See `unisono.evaluation.divide`.
    device : str
        Where networks are trained.
    folder : Path
        Holds the jobs' folders.

    Returns
    -------
    Plan
        A fit per setting, seed, part and space; and for each space of the first setting one on all rows, which is
        the model to keep since each row is tested in some fold. Where the data set has a split of its own, or nothing
        is learned, the first part's model is kept.

    Raises
    ------
    ConfigError, DataError
        As `unisono.evaluation.divide`.
    """
    cls = models.method(model)
    code = [code_version(fitting.__name__), code_version(cls.__module__), device]
    plan = Plan(model, settings, seeds)
    digests: dict[str, str] = {}

    def share(prefix: str, arrays: Mapping[str, np.ndarray]) -> str:
        plan.arrays.update({f"{prefix}/{name}": array for name, array in arrays.items()})
        digests[prefix] = _digest(arrays)
        return prefix

    def add(number: int, seed: int, index: int, data: str, keeps_model: bool) -> None:
        setting = settings[number]
        keeps_embeddings = (number, seed) == (0, seeds[0]) and index != ALL
        part = None if index == ALL else f"{data}/{seed}/{index}"
        for space, views in spaces(cls, list(setting.dataset.views)):
            facts = [code, model, dict(setting.params), seed, views, digests[data], digests.get(part or "")]
            name = _hash(json.dumps([*facts, keeps_model, keeps_embeddings], sort_keys=True))
            plan.jobs[Place(number, seed, index, space)] = Job(
                model=model,
                params=dict(setting.params),
                seed=seed,
                views=views,
                data=data,
                part=part,
                folder=folder / name[:24],
                device=device,
                where=", ".join(
                    filter(None, (setting.label, space, f"seed {seed}", f"part {index}" if part else "all rows"))
                ),
                keeps_model=keeps_model,
                keeps_embeddings=keeps_embeddings,
            )

    data_of: dict[int, str] = {}
    for number, setting in enumerate(settings):
        dataset = setting.dataset
        if id(dataset) not in data_of:
            data_of[id(dataset)] = share(str(number), fitting.arrays_of(dataset, sequential=cls.sequential))
        for seed in seeds:
            parts = divide(dataset, seed=seed, n_folds=n_folds, trained=cls.trained)
            plan.parts[number, seed] = parts
            for index, part in enumerate(parts):
                rows = {"train": part.train if cls.trained else part.test, "test": part.test}
                share(f"{data_of[id(dataset)]}/{seed}/{index}", rows)
    on_all_rows = cls.trained and settings[0].dataset.splits is None
    if on_all_rows:
        add(0, seeds[0], ALL, data_of[id(settings[0].dataset)], keeps_model=True)
    for (number, seed), parts in plan.parts.items():
        for index in range(len(parts)):
            first = (number, seed, index) == (0, seeds[0], 0)
            add(number, seed, index, data_of[id(settings[number].dataset)], keeps_model=first and not on_all_rows)
    return plan


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
