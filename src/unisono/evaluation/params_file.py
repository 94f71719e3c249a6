"""``params.yaml`` held against the methods and data sets that there are, and its sections against each other.

**Conventions.** `unisono.config` knows the file's form alone, so that no stage depends on every method's code, or on
every other section's form, by reading its own section. The pipeline's first stage asks here, for all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unisono import models
from unisono.config import PARAMS_FILE, nearest, read_yaml
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.config.models import load_models
from unisono.config.report import Report
from unisono.datasets.base import dataset_of, names
from unisono.errors import ConfigError
from unisono.evaluation.checks import check_experiment


def readers() -> dict[str, Callable[[Path], Any]]:
    """Say what reads each section: those of the data sets are theirs."""
    own = {"compute": Compute.load, "experiments": load_experiments, "models": load_models, "report": Report.load}
    return dict(sorted({**own, **{name: dataset_of(name).settings.load for name in names()}}.items()))


def load_all(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Read and validate every section.

    Parameters
    ----------
    path : Path
        The file, ``params.yaml`` in the current folder by default.

    Returns
    -------
    dict of str to object
        By name of the section.

    Raises
    ------
    ConfigError
        The file is missing or not YAML; a key is unknown (with the nearest legal one), missing or out of range.
    """
    sections = readers()
    for key in read_yaml(path):
        if key not in sections:
            raise ConfigError(f"{key}: unknown section of {path}; {nearest(str(key), sections)}")
    return {name: load(path) for name, load in sections.items()}


def check_params_file(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Validate the whole of ``params.yaml``.

    Parameters
    ----------
    path : Path
        The file, ``params.yaml`` in the current folder by default.

    Returns
    -------
    dict of str to object
        By name of the section, as `load_all`.

    Raises
    ------
    ConfigError
        As `load_all` and `check_experiment`; section ``models`` or a title names no method, a
        parameter is not one of its method's, or a table or figure names no experiment.
    """
    found = load_all(path)
    for name, params in found["models"].items():
        if name not in models.available():
            raise ConfigError(f"models.{name}: unknown method; {nearest(name, models.available())}")
        models.check_params(name, params, where=f"models.{name}")
    for key, entry in found["experiments"].items():
        check_experiment(key, entry)
    for kind in ("tables", "figures", "leaderboards"):
        for number, keys in getattr(found["report"], kind).items():
            for key in keys:
                if key not in found["experiments"]:
                    where = f"report.{kind}.{number}"
                    raise ConfigError(f"{where}: no experiment {key!r}; {nearest(key, found['experiments'])}")
                if keys.count(key) > 1:
                    raise ConfigError(f"report.{kind}.{number}: {key!r} stands there twice; name it once")
    for dataset, key in found["report"].recommended.items():
        where = f"report.recommended.{dataset}"
        if key not in found["experiments"]:
            raise ConfigError(f"{where}: no experiment {key!r}; {nearest(key, found['experiments'])}")
        if found["experiments"][key].dataset != dataset:
            raise ConfigError(f"{where}: {key} is on {found['experiments'][key].dataset}; name one on {dataset}")
    for key, mark in found["report"].above.items():
        for each in (key, *mark.over):
            if each not in found["experiments"]:
                raise ConfigError(f"report.above.{key}: no experiment {each!r}; {nearest(each, found['experiments'])}")
    named = [*found["experiments"], *models.available()]
    for name in found["report"].titles:
        if name not in named:
            raise ConfigError(f"report.titles.{name}: no such experiment or method; {nearest(name, named)}")
    return found
