"""``params.yaml`` as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unisono.config import PARAMS_FILE, nearest, read_yaml
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.config.models import load_models
from unisono.config.mtm import Mtm
from unisono.config.mv10k import Mv10k
from unisono.config.report import Report
from unisono.config.vegas import Vegas
from unisono.errors import ConfigError

#: What reads each section.
SECTIONS: Mapping[str, Callable[[Path], Any]] = {
    "compute": Compute.load,
    "experiments": load_experiments,
    "models": load_models,
    "mtm": Mtm.load,
    "mv10k": Mv10k.load,
    "report": Report.load,
    "vegas": Vegas.load,
}


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
    for key in read_yaml(path):
        if key not in SECTIONS:
            raise ConfigError(f"{key}: unknown section of {path}; {nearest(str(key), SECTIONS)}")
    return {name: load(path) for name, load in SECTIONS.items()}
