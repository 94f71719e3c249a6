"""An entry of ``experiments`` held against the data sets and methods that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from unisono import models
from unisono.config import nearest
from unisono.config.experiments import Experiment
from unisono.datasets.base import dataset_of
from unisono.errors import ConfigError
from unisono.evaluation import tuning


def check_experiment(key: str, entry: Experiment) -> None:
    """Hold an experiment against its data set and its method.

    Parameters
    ----------
    key : str
        Its key, for messages.
    entry : Experiment

    Raises
    ------
    ConfigError
        There is no such data set, view or method, or a hyper-parameter is not the method's own or out of range; with
        the nearest legal name.
    """
    where = f"experiments.{key}"
    views = dataset_of(entry.dataset, f"{where}.dataset").views
    models.method(entry.model, where=f"{where}.model")
    _check_views(entry.views, views, where=f"{where}.views")
    models.check_params(entry.model, entry.params, where=f"{where}.params")
    if entry.tune is not False:
        for each in entry.settings:
            tuning.candidates(entry.model, entry.tune, fixed=each.params, where=f"{where}.tune")
    for position, variant in enumerate(entry.variants):
        own = f"{where}.variants.{position}"
        _check_views(variant.views, views, where=f"{own}.views")
        models.check_params(entry.model, {**entry.params, **variant.params}, where=f"{own}.params")


def _check_views(views: Mapping[str, str], legal: Iterable[str], *, where: str) -> None:
    for view in views:
        if view not in legal:
            raise ConfigError(f"{where}: the data set has no view {view!r}; {nearest(view, legal)}")
