"""The stages of ``dvc.yaml`` with every ``foreach`` unrolled, and which of them a change touches."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from unisono.errors import DataError, ProgramError

#: Longest that `dvc status` may take, in s; it waits for no other run of DVC.
TIMEOUT_S = 600


class Stage(NamedTuple):
    """A stage as DVC would run it.

    Attributes
    ----------
    name : str
        ``extract_video@audio``.
    deps, outs : tuple of str
    params : tuple of str
        Dotted keys of params.yaml.
    """

    name: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]


def read(path: Path, params: Mapping[str, Any]) -> dict[str, Stage]:
    """Read ``dvc.yaml``.

    Parameters
    ----------
    path : Path
    params : mapping
        params.yaml as plain data, for ``${...}``.

    Returns
    -------
    dict of str to Stage
        In the file's order.

    Raises
    ------
    DataError
        There is no such file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise DataError(f"{path}: no such file; run from the project's folder") from None
    stages = {}
    for name, entry in content["stages"].items():
        if "foreach" not in entry:
            stages[name] = _stage(name, entry, params, {})
            continue
        items = entry["foreach"]
        items = items if isinstance(items, dict) else _lookup(params, items[2:-1])
        for key, item in items.items():
            fields = {f"item.{field}": value for field, value in item.items()} if isinstance(item, dict) else {}
            stages[f"{name}@{key}"] = _stage(f"{name}@{key}", entry["do"], params, {"key": key, "item": item, **fields})
    return stages


def _lookup(params: Mapping[str, Any], key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        value = value[part]
    return value


def _stage(name: str, entry: Mapping[str, Any], params: Mapping[str, Any], context: Mapping[str, Any]) -> Stage:
    def filled(entries: Iterable[Any]) -> tuple[str, ...]:
        plain = [next(iter(each)) if isinstance(each, dict) else each for each in entries]
        return tuple(
            re.sub(r"\$\{([^}]+)\}", lambda m: str(context[m[1]] if m[1] in context else _lookup(params, m[1])), text)
            for text in plain
        )

    outs = [each for kind in ("outs", "metrics", "plots") for each in entry.get(kind, [])]
    return Stage(name, filled(entry.get("deps", [])), filled(outs), filled(entry.get("params", [])))


def touched(stages: Mapping[str, Stage], keys: Iterable[str]) -> set[str]:
    """Name the stages that read one of these parameters.

    Parameters
    ----------
    stages : mapping of str to Stage
    keys : iterable of str
        Dotted; a stage that reads ``mtm.songs`` reads ``mtm.songs.lmd.rule``, and the other way round.
    """
    wanted = [key.split(".") for key in keys]

    def overlap(a: list[str], b: list[str]) -> bool:
        return all(x == y for x, y in zip(a, b, strict=False))

    return {
        stage.name
        for stage in stages.values()
        for own in stage.params
        if any(overlap(own.split("."), k) for k in wanted)
    }


def downstream(stages: Mapping[str, Stage], start: Iterable[str]) -> list[str]:
    """Add every stage that uses, directly or not, what these make; in the order of ``dvc.yaml``.

    Parameters
    ----------
    stages : mapping of str to Stage
    start : iterable of str
    """
    found = set(start) & set(stages)
    while True:
        made = [PurePosixPath(out) for name in found for out in stages[name].outs]
        more = {
            stage.name
            for stage in stages.values()
            if stage.name not in found
            and any(
                out == dep or out in dep.parents or dep in out.parents
                for dep in map(PurePosixPath, stage.deps)
                for out in made
            )
        }
        if not more:
            return [name for name in stages if name in found]
        found |= more


def stale(root: Path) -> set[str]:
    """Ask DVC which stages are out of date.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    set of str

    Raises
    ------
    ProgramError
        ``dvc status`` fails, as while another run of DVC holds its lock.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ProgramError(f"dvc status: no answer in {TIMEOUT_S} s; is another run of DVC at work?") from None
    try:
        return set(json.loads(done.stdout))
    except ValueError:
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise ProgramError(f"dvc status: {reason[0]}; wait for other runs of DVC, or try it by hand") from None
