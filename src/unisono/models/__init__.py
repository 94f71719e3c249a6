"""Retrieval methods: arrays of paired items in, one shared space out.

**Conventions.** A method is the module of its name: ``unisono.models.cca`` holds one `Aligner` subclass and
names it ``MODEL``. Methods are listed from the package's files and imported when asked for, so that adding
one changes nothing for the others. `unisono.models.base` and ``unisono.models.parts`` hold what they share.
Hyper-parameters are annotated class attributes, inherited within a family of methods; the annotations say what is
legal, and there is no second list of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisono.config import nearest
from unisono.errors import ConfigError
from unisono.models.base import Aligner, read_header

#: Modules that hold no method.
_NOT_METHODS = {"base", "parts"}

__all__ = ["Aligner", "available", "check_params", "create", "load", "method"]


def available() -> list[str]:
    """Names of all methods, sorted.

    Returns
    -------
    list of str
        The package's modules but `base` and ``parts``; none is imported.

    Examples
    --------
    >>> "cca" in available()
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NOT_METHODS)


def method(name: str) -> type[Aligner]:
    """Import the class of a method.

    Parameters
    ----------
    name : str
        One of `available`.

    Returns
    -------
    type of Aligner

    Raises
    ------
    ConfigError
        There is no such method; the message has the nearest name.
    """
    if name not in available():
        raise ConfigError(f"model {name!r}: unknown method; {nearest(name, available())}")
    model: type[Aligner] = importlib.import_module(f"unisono.models.{name}").MODEL
    return model


def check_params(name: str, params: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
    """Validate the hyper-parameters of a method.

    Parameters
    ----------
    name : str
        One of `available`.
    params : mapping of str to object
        Some of the method's hyper-parameters.
    where : str, optional
        What stands before a parameter's name in messages, ``models.<name>`` by default.

    Returns
    -------
    dict of str to object
        All hyper-parameters of the method, defaults included.

    Raises
    ------
    ConfigError
        Unknown method or parameter (with the nearest legal name), or a value of the wrong type or out of
        range.
    """
    return method(name).check(params, where)


def create(name: str, *, seed: int = 0, **params: Any) -> Aligner:
    """Make an unfitted method.

    Parameters
    ----------
    name : str
        One of `available`.
    seed : int
        Seed of everything random in it.
    **params : object
        Its hyper-parameters; those left out have the constructor's defaults.

    Returns
    -------
    Aligner

    Raises
    ------
    ConfigError
        See `check_params`.

    Examples
    --------
    >>> create("random", n_components=8).params
    {'n_components': 8}
    """
    return method(name)(seed=seed, **params)


def load(path: Path | str) -> Aligner:
    """Read a fitted method that `Aligner.save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : Path or str
        The folder given to `Aligner.save`.

    Returns
    -------
    Aligner
        Transforms as the saved one did, bit for bit.

    Raises
    ------
    DataError
        No model there, or a damaged one.
    ConfigError
        It names a method or parameter that this version does not know.
    """
    header = read_header(Path(path))
    model = create(header["name"], seed=header["seed"], **header["params"])
    model.restore(Path(path))
    return model
