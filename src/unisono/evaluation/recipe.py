"""A recipe: values for ``params.yaml`` that go together, as one YAML file (``full.yaml``).

**Conventions.** A recipe is a mapping like ``params.yaml`` that names only what it changes. Every key must be there
already, but the optional ones of an experiment. Only values are replaced: comments, order and layout stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from unisono import config
from unisono.errors import ConfigError
from unisono.evaluation.params_file import check_params_file
from unisono.io.files import replacing, temporary_folder

#: Keys that an entry of `experiments` may lack.
OPTIONAL = ("params", "tune", "views", "ranking", "seeds", "seed", "deals")


def merge(text: str, changes: Mapping[str, Any], *, where: str = "recipe") -> str:
    r"""Put the values of a recipe into the text of a parameter file.

    Parameters
    ----------
    text : str
        The file, with its comments.
    changes : mapping
        The recipe.
    where : str
        Name of the recipe, for messages.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        A key is not in the file, or the value to replace is a block of several lines.

    Examples
    --------
    >>> print(merge("cca:\n  # Width.\n  k: 10  # D: 10\n", {"cca": {"k": 30}}), end="")
    cca:
      # Width.
      k: 30  # D: 10
    """
    edits = sorted(_edits(yaml.compose(text), changes, (), where), reverse=True)
    for start, end, new in edits:
        text = text[:start] + new + text[end:]
    return text


def _edits(node: Any, changes: Mapping[str, Any], path: tuple[str, ...], where: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and new text of every value to replace."""
    values = {key.value: (key, value) for key, value in node.value}
    for name, new in changes.items():
        full = ".".join((*path, str(name)))
        if str(name) not in values:
            if path[:1] != ("experiments",) or len(path) != 2 or name not in OPTIONAL:
                raise ConfigError(f"{where}: {full}: no such parameter; {config.nearest(str(name), values)}")
            first = node.value[0][0].start_mark
            yield first.index, first.index, f"{name}: {_flow(new)}\n{' ' * first.column}"
            continue
        value = values[str(name)][1]
        if isinstance(new, dict) and isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _edits(value, new, (*path, str(name)), where)
        elif isinstance(value, yaml.ScalarNode) or value.flow_style:
            if isinstance(new, dict) and isinstance(value, yaml.MappingNode):
                new = {**yaml.safe_load(yaml.serialize(value)), **new}
            yield value.start_mark.index, value.end_mark.index, _flow(new)
        else:
            raise ConfigError(f"{where}: {full}: is a block of several lines; edit it in params.yaml by hand")


def _flow(value: Any) -> str:
    """Write a value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def merged(recipe: Path, params: Path = config.PARAMS_FILE) -> tuple[str, dict[str, Any]]:
    """Merge a recipe into a parameter file, and validate the whole.

    Parameters
    ----------
    recipe : Path
    params : Path

    Returns
    -------
    text : str
        The new one of `params`, which is not changed.
    sections : dict of str to object
        The same, validated.

    Raises
    ------
    ConfigError
        A file is missing or not YAML, a key is unknown, or a value is out of range.
    """
    changes = config.read_yaml(recipe)
    config.read_yaml(params)
    text = merge(params.read_text(encoding="utf-8"), changes, where=str(recipe))
    with temporary_folder() as folder:
        trial = folder / "params.yaml"
        trial.write_text(text, encoding="utf-8")
        return text, check_params_file(trial)


def apply(recipe: Path, params: Path = config.PARAMS_FILE) -> list[str]:
    """Write a recipe's values into a parameter file, all or none.

    Parameters
    ----------
    recipe, params
        As for `merged`.

    Returns
    -------
    list of str
        What changed, as ``key: old -> new``.

    Raises
    ------
    ConfigError
        As `merged`.
    """
    before = config.read_yaml(params)
    text, _ = merged(recipe, params)
    with replacing(params) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [f"{key}: {_flow(old)} -> {_flow(new)}" for key, old, new in differences(before, yaml.safe_load(text))]


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield dotted key, old and new value of every leaf that differs (None where there is none).

    Examples
    --------
    >>> list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}))
    [('a.c', 2, 3)]
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif before != after:
        yield path, before, after
