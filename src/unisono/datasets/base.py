"""What a data set is, as one object, and where all of them are registered."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config import TopLevel, nearest
from unisono.errors import ConfigError


class DataSet:
    """A data set: one subclass in a package of `unisono.datasets`, whose instance that package names ``DATASET``.

    Attributes
    ----------
    name : str
        Of its package, its section of params.yaml and its folder in ``data/``.
    settings : type of TopLevel
        Its section of params.yaml, which loads itself.
    dealt_by : tuple of str
        Columns of the samples that decide how items are dealt, where they are there.
    """

    name: str
    settings: type[TopLevel]
    dealt_by: tuple[str, ...] = ("label", "group")

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Deal items into folds, as `unisono.datasets.folds.deal`; a subclass may give a split instead.

        Parameters
        ----------
        table : pa.Table
            id and `dealt_by` of every item.
        section : Section
            Its section of params.yaml.

        Returns
        -------
        parts : np.ndarray [shape=(n,), dtype=int64 or str]
            Folds from 0, -1 outside; or parts of a split.
        facts : dict
            What there is to know about it.
        """
        from unisono.datasets import folds

        settings = section.folds
        share = getattr(settings, "outside", 0.0)
        return folds.deal(self.name, table, n_folds=settings.n, seed=settings.seed, outside=share)


def names() -> list[str]:
    """List the data sets: the packages of `unisono.datasets`."""
    import unisono.datasets

    return sorted(module.name for module in pkgutil.iter_modules(unisono.datasets.__path__) if module.ispkg)


def dataset_of(name: str) -> DataSet:
    """Give the data set of a name; a `ConfigError` names the nearest one where there is none."""
    if name not in names():
        raise ConfigError(f"dataset: there is no {name!r}; {nearest(name, names())}")
    found: DataSet = importlib.import_module(f"unisono.datasets.{name}").DATASET
    return found
