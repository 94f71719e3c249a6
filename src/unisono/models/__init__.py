"""Retrieval methods: arrays of paired items in, one shared space out.

**Conventions.** A method is the module of its name: ``unisono.models.cca`` holds one `Aligner` subclass and
names it ``MODEL``. Methods are listed from the package's files and imported when asked for, so that adding
one changes nothing for the others. `unisono.models.base` and ``unisono.models.parts`` hold what they share.
A method may live anywhere else, too: it is named by its dotted path, ``package.module`` (which holds ``MODEL``)
or ``package.module:Class``, or by the name of an entry point of the group ``unisono.models``.
Hyper-parameters are annotated class attributes, inherited within a family of methods; the annotations say what is
legal, and there is no second list of them.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisono.config import nearest
from unisono.errors import ConfigError, pass_machine
from unisono.models.base import Aligner, name_of
from unisono.models.parts.saved import read_header

#: Modules that hold no method.
_NOT_METHODS = {"base", "parts"}

__all__ = ["Aligner", "available", "check_params", "create", "load", "method", "source_of"]


def available() -> list[str]:
    """Names of all methods, sorted.

    Returns
    -------
    list of str
        The package's modules but `base` and ``parts``, and the entry points of the group ``unisono.models`` that
        installed packages have; none is imported.

    Examples
    --------
    >>> "cca" in available()
    True
    """
    return sorted(_built_in() | _entry_points().keys())


def _built_in() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)} - _NOT_METHODS


@functools.cache
def _entry_points() -> dict[str, str]:
    """Return dotted names by the names of entry points; a built-in method keeps its name."""
    return {point.name: point.value for point in importlib.metadata.entry_points(group=__name__)}


def method(name: str, *, where: str = "model") -> type[Aligner]:
    """Import the class of a method.

    Parameters
    ----------
    name : str
        One of `available`, or a dotted name, which is looked for as Python does and in the current folder.
    where : str
        What stands before messages.

    Returns
    -------
    type of Aligner

    Raises
    ------
    ConfigError
        There is no such method (the message has the nearest name), its module does not import, or what is named is
        no method.

    Examples
    --------
    >>> method("unisono.models.cca:CCA") is method("cca")
    True
    """
    if name in _built_in():
        model: type[Aligner] = importlib.import_module(f"{__name__}.{name}").MODEL
        return model
    dotted = _entry_points().get(name, name)
    if not _is_dotted(dotted):
        raise ConfigError(
            f"{where}: unknown method {name!r}; {nearest(name, available())} (a method of your own is named by its "
            "module, as package.module or package.module:Class)"
        )
    return _imported(dotted, where=f"{where}: method {name!r}")


def _is_dotted(name: str) -> bool:
    """Say whether a name can be that of a method outside of the package: it has a dot, or there is such a module."""
    module, colon, attribute = name.partition(":")
    parts = [*module.split("."), *(attribute.split(".") if colon else [])]
    if not all(part.isidentifier() for part in parts):
        return False
    # As other programs that are given dotted names have it: a console script's path lacks the current folder.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    return len(parts) > 1 or module in sys.modules or importlib.util.find_spec(module) is not None


def _imported(dotted: str, *, where: str) -> type[Aligner]:
    name, _, attribute = dotted.partition(":")
    try:
        found: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{where}: no module named {error.name!r}; modules are looked for where Python does (PYTHONPATH, installed "
            "packages) and in the current folder"
        ) from None
    # Whatever the user's code raises.
    except Exception as error:
        pass_machine(error)
        raise ConfigError(f"{where}: {name} does not import: {type(error).__name__}: {error}") from error
    own = [
        key
        for key, value in vars(found).items()
        if _is_method(value) and value.__module__ == name and not inspect.isabstract(value)
    ]
    for part in (attribute or "MODEL").split("."):
        if not hasattr(found, part):
            hint = f"name one of its classes, as {name}:{own[0]}" if own else "it holds no subclass of Aligner"
            raise ConfigError(f"{where}: {name} has no {part}; {hint}")
        found = getattr(found, part)
    if not _is_method(found):
        raise ConfigError(f"{where}: {dotted} is no subclass of unisono.models.Aligner")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise ConfigError(f"{where}: {found.__name__} does not define {missing}")
    return found


def _is_method(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Aligner)


def source_of(cls: type[Aligner]) -> str | Path:
    """Say where a method's code is, as `unisono.store.code.code_version` takes it.

    Returns
    -------
    str or Path
        The dotted name of a module of ``unisono``; the file of a method that lives elsewhere.

    Raises
    ------
    ConfigError
        The method was defined in no file (at a prompt, say), so that no result of it could be kept.
    """
    if cls.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return cls.__module__
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None:
        raise ConfigError(f"model: {cls.__name__} was not defined in a file; put it into a module of its own")
    return Path(file)


def check_params(name: str, params: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
    """Validate the hyper-parameters of a method.

    Parameters
    ----------
    name : str
        As for `method`.
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
        As for `method`.
    seed : int
        Seed of everything random in it.
    **params : object
        Its hyper-parameters; those left out have their defaults.

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


def load(path: Path | str, *, method: type[Aligner] | None = None) -> Aligner:
    """Read a fitted method that `Aligner.save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : Path or str
        The folder given to `Aligner.save`.
    method : type of Aligner, optional
        The class of a method that is not built in. Without it, one is taken that was imported before or is the value
        of an entry point: no module is imported because a file names it.

    Returns
    -------
    Aligner
        Transforms as the saved one did, bit for bit.

    Raises
    ------
    DataError
        No model there, or a damaged one.
    ConfigError
        It names a method or parameter that this version does not know, or a method that was not imported.
    """
    header = read_header(Path(path))
    cls = method or _known(str(header["name"]), path)
    if name_of(cls) != header["name"]:
        raise ConfigError(f"{path}: a model of {header['name']!r}, not of {name_of(cls)!r}; give its own class")
    model = cls(seed=header["seed"], **header["params"])
    model.restore(Path(path))
    return model


def _known(name: str, path: Path | str) -> type[Aligner]:
    """Return the class that a saved model names, without importing what nobody asked for."""
    module = name.partition(":")[0]
    values = {value.replace(" ", "").partition(":")[0] for value in _entry_points().values()}
    if name in _built_in() or not _is_dotted(name) or module in sys.modules or module in values:
        return method(name, where=str(path))
    raise ConfigError(
        f"{path}: a model of {name!r}, which is not built in and was not imported; if you trust that module, import it "
        "first, or give its class: load(path, method=...)"
    )
