"""The server that workers are forked from serves whatever fails in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unisono.store import executors, preloading


def test_modules_that_cannot_be_loaded_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "short_of_memory.py").write_text("raise MemoryError('no more')\n")
    (tmp_path / "good.py").write_text("")
    code = (
        "import os, sys\nfrom unisono.store import preloading\n"
        "print('good' in sys.modules, 'short_of_memory' in sys.modules, preloading.VARIABLE in os.environ)"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(preloading.__file__).parents[2])])
    env = {**os.environ, "PYTHONPATH": path, preloading.VARIABLE: "short_of_memory good missing"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True False False\n", "")


def test_a_pool_whose_own_thread_has_died_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = executors.Processes(1, n_threads=1, method="spawn")
    pool.check()

    class Dead:
        def is_alive(self) -> bool:
            return False

    monkeypatch.setattr(pool._pool, "_executor_manager_thread", Dead())
    with pytest.raises(executors.MachineError, match="can't start new thread for a pool of workers"):
        pool.check()
