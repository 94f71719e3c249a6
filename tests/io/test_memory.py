"""Memory that is short: one line rather than a process that never ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unisono.io import memory

#: Leaves so many bytes, as arguments say, then loads what has a BLAS of its own.
LOADS = """
import resource, sys
from unisono import arithmetic, errors
from unisono.io import memory

def main():
    if sys.argv[2] == "scipy":
        import numpy
    import importlib
    import psutil
    limit = psutil.Process().memory_info().vms + int(sys.argv[1]) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    memory.guard()
    importlib.import_module({"scipy": "scipy.linalg", "numpy": "numpy"}[sys.argv[2]])

arithmetic.pin()
errors.run(main)
"""


def load(megabytes: int, package: str) -> subprocess.CompletedProcess[str]:
    """Load a package in a process of its own, with so much memory left."""
    command = [sys.executable, "-c", LOADS, str(megabytes), package]
    env = {**os.environ, "PYTHONPATH": str(Path(memory.__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


@pytest.mark.parametrize("package", memory.LOOPING)
@pytest.mark.parametrize("megabytes", [40, 56, 64, 80, 100, 126])
def test_a_library_that_would_ask_for_memory_for_ever_is_not_loaded(package: str, megabytes: int) -> None:
    done = load(megabytes, package)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: not enough memory (128 MB are needed to load ")
    assert done.stderr.count("\n") == 1


def test_with_room_it_is_loaded() -> None:
    done = load(700, "scipy")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_limit_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = list(sys.meta_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    memory.guard()
    assert sys.meta_path == before
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**40, 2**40))
    memory.guard()
    memory.guard()
    assert sys.meta_path[1:] == before
