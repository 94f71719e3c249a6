"""The stages of ``dvc.yaml`` as DVC reads them, and which of them a change touches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from unisono.errors import DataError, ProgramError
from unisono.io.files import temporary_folder
from unisono.store import digests
from unisono.store.tracked import RWLOCK

#: Longest that `dvc status` may take, in s: files that DVC does not know yet are read whole.
TIMEOUT_S = 600
#: The first stage, and where it writes what all others depend on.
FIRST, CODE = "fingerprint", Path("data/code")
#: What DVC holds between stages, and for short commands.
LOCK = Path(".dvc/tmp/lock")


class Stage(NamedTuple):
    """A stage as DVC would run it.

    Attributes
    ----------
    name, command : str
        ``extract_video@audio``; script and arguments, ``extract_video --samples ...``.
    deps, outs, params : tuple of str
        Paths, and dotted keys of params.yaml: those of digests among `deps` too.
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
    with temporary_folder() as folder:
        (folder / ".dvc").mkdir()
        (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
        (folder / "dvc.yaml").write_bytes(path.read_bytes())
        (folder / "params.yaml").write_text(params, encoding="utf-8")
        index = Repo(str(folder)).index
        found = {}
        for stage in sorted(index.stages, key=lambda stage: str(stage.name)):
            settings = [dep for dep in stage.deps if hasattr(dep, "params")]
            deps = tuple(dep.def_path for dep in stage.deps if dep not in settings)
            found[stage.name] = Stage(
                stage.name,
                " ".join(stage.cmd.partition("-m stages.")[2].split()),
                deps,
                tuple(out.def_path for out in stage.outs),
                tuple(chain(*(dep.params for dep in settings), *map(digests.keys_of, deps))),
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


def edited(root: Path, stages: Mapping[str, Stage], now: Mapping[str, str]) -> set[str]:
    """Name the stages whose code or parameters are no longer those that the first stage wrote down.

    Parameters
    ----------
    root : Path
    stages : mapping of str to Stage
    now : mapping of str to str
        From `unisono.store.code.current`.

    Returns
    -------
    set of str
    """
    files = [path for path in (root / CODE).rglob("*") if path.is_file()]
    before = {path.relative_to(root / CODE).as_posix(): path.read_text(encoding="utf-8").strip() for path in files}
    differ = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    places = {(CODE / name).as_posix() for name in differ}
    return {
        stage.name
        for stage in stages.values()
        if any(f"{place}/".startswith(f"{dep}/") for place in places for dep in stage.deps)
    }


def downstream(stages: Mapping[str, Stage], start: Iterable[str]) -> list[str]:
    """Add every stage that uses, directly or not, what these make."""
    found = set(start) & set(stages)
    return sorted(found.union(*(stages[name].later for name in found)))


def under_way(root: Path, stages: Mapping[str, Stage]) -> str:
    """Say which living process works on the project in `root`, and on which stage; empty where none does.

    DVC keeps the paths of the stage that runs in `RWLOCK`, and locks `LOCK` between stages and for short commands.
    What a dead process left in either does not count: DVC takes it over.

    Parameters
    ----------
    root : Path
    stages : mapping of str to Stage

    Returns
    -------
    str
    """
    try:
        writers = json.loads((root / RWLOCK).read_text(encoding="utf-8")).get("write", {})
        alive = {path: info for path, info in writers.items() if _lives(info["pid"], info["cmd"])}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # Not there, or being written.
        alive = {}
    for path, info in alive.items():
        made = next(
            (stage.name for stage in stages.values() if any(Path(path) == root / out for out in stage.outs)), ""
        )
        command = f"dvc {' '.join(info['cmd'].split()[1:])}"
        return f"process {info['pid']} (`{command}`){f', stage {made}' if made else ''}"
    return _holder(root / LOCK)


def _lives(pid: int, command: str) -> bool:
    """Say whether a process is the one that had this command, and no later one of its number."""
    import psutil  # type: ignore[import-untyped]

    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    own = command.split()[1:]
    return bool(words) and " ".join(words).endswith(" ".join(own))


def _holder(lock: Path) -> str:
    """Name the process that holds DVC's lock; empty where none does, whatever the file says."""
    try:
        import fcntl

        with lock.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return f"process {file.read().strip() or 'unknown'}"
    except (ImportError, OSError):  # on Windows; or no lock
        return ""
    return ""


def stale(root: Path, stages: Mapping[str, Stage]) -> set[str]:
    """Ask DVC which stages of the project in `root` are out of date.

    Parameters
    ----------
    root : Path
    stages : mapping of str to Stage

    Returns
    -------
    set of str

    Raises
    ------
    ProgramError
        A run is under way, or DVC does not tell for another reason.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        return set(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        raise ProgramError(f"dvc status: no answer in {TIMEOUT_S} s; try it by hand") from None
    except ValueError:
        refuse_under_way(root, stages)
        reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no output"]
        raise ProgramError(f"dvc status: {reason[-1].removeprefix('ERROR: ')}; try it by hand") from None


def refuse_under_way(root: Path, stages: Mapping[str, Stage]) -> None:
    """Raise a `ProgramError` where `under_way` names a process: what it makes, nobody can know before."""
    holder = under_way(root, stages)
    if holder:
        raise ProgramError(f"a run is under way: {holder}; plan again when it has ended, its results count then")
