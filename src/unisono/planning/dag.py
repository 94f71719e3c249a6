"""The stages of ``dvc.yaml`` as DVC reads them, and which of them a change touches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from unisono.errors import DataError, ProgramError
from unisono.io.files import temporary

#: Longest that `dvc status` may take, in s; it waits for no other run of DVC.
TIMEOUT_S = 600


class Stage(NamedTuple):
    """A stage as DVC would run it.

    Attributes
    ----------
    name, command : str
        ``extract_video@audio``; script and arguments, ``extract_video --samples ...``.
    deps, outs, params : tuple of str
        Paths, and dotted keys of params.yaml.
    later : frozenset of str
        The stages that use, directly or not, what it makes.
    """

    name: str
    command: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]
    later: frozenset[str]


def read(path: Path, params: str) -> dict[str, Stage]:
    """Read ``dvc.yaml`` with the text of a ``params.yaml``; a `DataError` says that there is none.

    Parameters
    ----------
    path : Path
    params : str

    Returns
    -------
    dict of str to Stage
    """
    from dvc.repo import Repo  # type: ignore[import-untyped]
    from networkx import ancestors  # type: ignore[import-untyped]

    if not path.is_file():
        raise DataError(f"{path}: no such file; run from the project's folder")
    with temporary() as name:
        folder = Path(name)
        (folder / ".dvc").mkdir()
        (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
        (folder / "dvc.yaml").write_bytes(path.read_bytes())
        (folder / "params.yaml").write_text(params, encoding="utf-8")
        index = Repo(name).index
        found = {}
        for stage in sorted(index.stages, key=lambda stage: str(stage.name)):
            settings = [dep for dep in stage.deps if hasattr(dep, "params")]
            found[stage.name] = Stage(
                stage.name,
                " ".join(stage.cmd.partition("-m stages.")[2].split()),
                tuple(dep.def_path for dep in stage.deps if dep not in settings),
                tuple(out.def_path for out in stage.outs),
                tuple(key for dep in settings for key in dep.params),
                frozenset(later.name for later in ancestors(index.graph, stage)),
            )
    return found


def touched(stages: Mapping[str, Stage], keys: Iterable[str]) -> set[str]:
    """Name the stages that read one of these parameters.

    A stage that reads ``mtm.songs`` reads ``mtm.songs.lmd.rule``, and the other way round.
    """
    wanted = list(keys)
    return {
        stage.name
        for stage in stages.values()
        for own in stage.params
        if any(f"{own}.".startswith(f"{key}.") or f"{key}.".startswith(f"{own}.") for key in wanted)
    }


def downstream(stages: Mapping[str, Stage], start: Iterable[str]) -> list[str]:
    """Add every stage that uses, directly or not, what these make."""
    found = set(start) & set(stages)
    return sorted(found.union(*(stages[name].later for name in found)))


def stale(root: Path) -> set[str]:
    """Ask DVC which stages of the project in `root` are out of date; a `ProgramError` says why it does not tell."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        return set(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        raise ProgramError(f"dvc status: no answer in {TIMEOUT_S} s; is another run of DVC at work?") from None
    except ValueError:
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise ProgramError(f"dvc status: {reason[0]}; wait for other runs of DVC, or try it by hand") from None
