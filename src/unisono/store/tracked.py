"""What DVC tracks: its lock files after a kill, and whether outputs and cache hold what ``dvc.lock`` says.

**Conventions.** DVC writes ``dvc.lock`` and ``.dvc/tmp/rwlock`` in place: a process killed in that moment leaves them
cut off, and every later command fails or runs everything again. `keep_lock` puts a copy aside before a stage works,
`mend` restores it. A digest is DVC's: MD5 of a file, of a folder MD5 of the list of its files, ending in
``.dir``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from unisono.errors import DataError, pass_machine

LOCK = Path("dvc.lock")
RWLOCK = Path(".dvc/tmp/rwlock")
CACHE = Path(".dvc/cache/files/md5")
COPY = Path(".unisono/dvc.lock")


class Output(NamedTuple):
    """An output of a stage as ``dvc.lock`` has it.

    Attributes
    ----------
    path : Path
    digest : str
    cached : bool
        Whether DVC's cache is to hold it.
    """

    path: Path
    digest: str
    cached: bool


def keep_lock(root: Path = Path()) -> None:
    """Put a copy of a whole ``dvc.lock`` aside; nothing happens where there is none, or no room."""
    lock, copy = root / LOCK, root / COPY
    with contextlib.suppress(OSError, yaml.YAMLError, UnicodeDecodeError):
        if not copy.exists() or copy.stat().st_mtime < lock.stat().st_mtime:
            text = lock.read_text(encoding="utf-8")
            if _whole(text):
                copy.parent.mkdir(parents=True, exist_ok=True)
                part = copy.with_suffix(f".{os.getpid()}")
                part.write_text(text, encoding="utf-8")
                part.replace(copy)


def mend(root: Path = Path()) -> list[str]:
    """Repair what a kill left of DVC's own files.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    list of str
        What was done, a line each.

    Raises
    ------
    DataError
        ``dvc.lock`` is damaged and there is neither a copy nor one in Git.
    """
    said = []
    rwlock = root / RWLOCK
    if rwlock.is_file():
        try:
            whole = isinstance(json.loads(rwlock.read_text(encoding="utf-8")), dict)
        except (ValueError, UnicodeDecodeError):
            whole = False
        if not whole:
            rwlock.unlink()
            said.append(f"removed {RWLOCK}, which a killed run left cut off")
    lock = root / LOCK
    if lock.is_file() and not _whole(_text(lock)):
        source = str(COPY)
        text = _text(root / COPY)
        if not _whole(text):
            source = "Git"
            shown = subprocess.run(
                ["git", "show", f"HEAD:./{LOCK}"], cwd=root, capture_output=True, text=True, check=False
            )
            text = shown.stdout
        if not _whole(text):
            raise DataError(f"{LOCK} is damaged and no copy of it is left; remove it: `dvc repro` then makes it anew")
        part = lock.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(lock)
        said.append(f"restored {LOCK}, which a killed run left cut off, from {source}")
    return said


def outputs(root: Path = Path()) -> list[Output]:
    """List what the stages of ``dvc.yaml`` have made, by ``dvc.lock``; nothing of stages that are no more.

    Raises
    ------
    DataError
        ``dvc.lock`` is missing or damaged.
    """
    text = _text(root / LOCK)
    if not text:
        raise DataError(f"{LOCK}: no such file, or empty; run `make repro`")
    if not _whole(text):
        raise DataError(f"{LOCK} is damaged; `make repro` restores it")
    declared = yaml.safe_load(_text(root / "dvc.yaml"))["stages"]
    found = []
    for name, stage in _parsed(text)["stages"].items():
        entry = declared.get(name.partition("@")[0])
        if entry is None:
            continue
        uncached = {key for each in _outs(entry) for key, options in each.items() if options.get("cache") is False}
        for out in stage.get("outs", ()):
            found.append(Output(Path(out["path"]), out["md5"], not any(_fits(out["path"], key) for key in uncached)))
    return found


def faults(root: Path = Path(), *, bytes_too: bool = True) -> Iterator[str]:
    """Say what of the outputs, and of DVC's cache of them, is missing or other than ``dvc.lock`` says.

    Parameters
    ----------
    root : Path
    bytes_too : bool
        Whether to read every byte; else only names and sizes are looked at.

    Yields
    ------
    str
        A line per fault.
    """
    for output in outputs(root):
        path = root / output.path
        if not path.exists():
            yield f"{output.path} is missing; `dvc checkout` brings it back, or `make repro`"
        elif bytes_too and digest(path) != output.digest:
            yield f"{output.path} is not what dvc.lock says: edited, or damaged; delete it and run `make repro`"
        if output.cached:
            yield from _cache_faults(root, output, path, bytes_too=bytes_too)


def digest(path: Path) -> str:
    """Compute DVC's digest of a file or folder."""
    if path.is_file():
        return _md5(path)
    files = sorted((each.relative_to(path).as_posix(), each) for each in path.rglob("*") if each.is_file())
    listed = [{"md5": _md5(each), "relpath": name} for name, each in files]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _cache_faults(root: Path, output: Output, path: Path, *, bytes_too: bool) -> Iterator[str]:
    """Say which of an output's objects in DVC's cache are missing or damaged."""
    cure = f"remove it, then `dvc commit -f {output.path}`"
    objects = {output.digest: path}
    if output.digest.endswith(".dir"):
        listing = _object(root, output.digest)
        try:
            objects |= {each["md5"]: path / each["relpath"] for each in json.loads(_text(listing))}
        except (ValueError, TypeError, KeyError):
            yield f"{listing} (of {output.path}) is missing or damaged in DVC's cache: disk full? {cure}"
            return
    for name, file in objects.items():
        held = _object(root, name)
        if not held.is_file():
            yield f"{held} (of {output.path}) is missing in DVC's cache: disk full? {cure}"
        elif file.is_file() and not name.endswith(".dir") and held.stat().st_size != file.stat().st_size:
            yield f"{held} (of {output.path}) has another size in DVC's cache; {cure}"
        elif bytes_too and _md5(held) != name.removesuffix(".dir"):
            yield f"{held} (of {output.path}) is damaged in DVC's cache; {cure}"


def _object(root: Path, name: str) -> Path:
    return root / CACHE / name[:2] / name[2:]


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _text(path: Path) -> str:
    """Read a text, empty where there is none or it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        pass_machine(error)
        return ""


def _whole(text: str) -> bool:
    """Whether a text is that of a ``dvc.lock`` from beginning to end: DVC writes a stage's outputs last."""
    try:
        stages = _parsed(text)["stages"].values() if text.endswith("\n") else None
        return stages is not None and all(out["md5"] for stage in stages for out in stage["outs"])
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False


def _parsed(text: str) -> Any:
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _outs(entry: dict[str, Any]) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield the outputs of a stage of dvc.yaml that have options."""
    stage = entry.get("do", entry)
    for kind in ("outs", "metrics", "plots"):
        yield from (each for each in stage.get(kind, ()) if isinstance(each, dict))


def _fits(path: str, pattern: str) -> bool:
    """Whether a path is that of an output of dvc.yaml, whose name may hold ``${item}``."""
    head, mark, _ = pattern.partition("${")
    return path.startswith(head) if mark else path == pattern
