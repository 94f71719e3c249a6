"""Jobs in memory: the same values wherever they run, errors as themselves, no worker left behind."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from unisono.config.compute import Compute
from unisono.errors import DataError, ProgramError, TrainingError
from unisono.store import jobs

WORK = '''
import functools, os, signal, sys, time
import numpy as np
from unisono.errors import TrainingError


def product(shared, seed):
    """A matrix product whose last bits depend on the threads."""
    noise = np.random.default_rng(seed).standard_normal((300, 300)).astype(np.float32)
    shared["x"][0] = seed  # seen by nobody else
    return (noise @ noise).sum(), shared["names"].tolist(), os.environ["OMP_NUM_THREADS"]


def where(job):
    return os.getpid()


def die(job):
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def fail(job):
    if job == 1:
        raise TrainingError("loss is nan")
    if job == 3:
        raise ZeroDivisionError("seven")
    return job


def kind(shared, job):
    return type(shared["x"]).__name__, shared["x"].sum(), sorted(shared)


def sleep(path, job):
    with open(path, "a") as stream:
        stream.write(f"{os.getpid()}\\n")
    time.sleep(60)


if __name__ == "__main__":
    from unisono.config.compute import Compute
    from unisono.store.jobs import map_jobs

    jobs = map_jobs(
        functools.partial(sleep, sys.argv[1]), range(4), compute=Compute(workers=2), description="t", at_once=True
    )
    list(jobs)
'''


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Functions that worker processes can import as well."""
    import importlib

    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (folder / "job_work.py").write_text(WORK)
    importlib.invalidate_caches()
    yield importlib.import_module("job_work")
    sys.modules.pop("job_work", None)


def call(function: Callable[[Any], Any], n: int = 4, *, at_once: bool = True, **compute: Any) -> list[Any]:
    settings = Compute(**{"workers": 2, **compute})
    values: list[Any] = [None] * n
    for done in jobs.map_jobs(function, range(n), compute=settings, description="t", at_once=at_once):
        if done.error is not None:
            raise done.error
        values[done.number] = done.value
    return values


def test_the_same_values_for_any_executor(work: ModuleType, tmp_path: Path) -> None:
    environment = dict(os.environ)
    found = []
    for number, compute in enumerate(({"workers": 1}, {"workers": 2}, {"executor": "serial"})):
        arrays = {"x": np.zeros(3), "names": np.array(["ä", "b"])}
        shared = jobs.SharedArrays(arrays, tmp_path / str(number))
        found.append(call(functools.partial(work.product, shared), **compute))
        assert (tmp_path / str(number)).exists() == (compute == {"workers": 2})
    assert found[0] == found[1] == found[2]
    assert found[0][0][1:] == (["ä", "b"], "1")
    assert dict(os.environ) == environment
    assert np.load(tmp_path / "1" / "0.npy").tolist() == [0, 0, 0]


def test_workers_see_memory_mapped_arrays(work: ModuleType, tmp_path: Path) -> None:
    shared = jobs.SharedArrays({"x": np.arange(5), "y": np.ones((2, 2))}, tmp_path / "arrays")
    assert call(functools.partial(work.kind, shared), 2) == [("memmap", 10, ["x", "y"])] * 2


def test_small_work_stays_here_and_large_work_does_not(work: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(call(work.where, at_once=False)) == {os.getpid()}
    monkeypatch.setattr(jobs, "POOL_PAYS_S", -1)
    first, *others = call(work.where, at_once=False)
    assert first == os.getpid()
    assert os.getpid() not in others
    assert os.getpid() not in call(work.where)
    assert call(work.where, 0) == []


def test_a_killed_worker_costs_its_job_alone(work: ModuleType) -> None:
    found = {
        done.number: done
        for done in jobs.map_jobs(work.die, range(5), compute=Compute(workers=2), description="t", at_once=True)
    }
    assert {number: done.value for number, done in found.items() if number != 2} == {0: 0, 1: 1, 3: 3, 4: 4}
    assert isinstance(found[2].error, ProgramError)
    assert re.match(r"2: its worker process was killed each time .*lower compute\.workers", str(found[2].error))


@pytest.mark.parametrize("executor", ["process", "serial"])
def test_errors_arrive_as_themselves_and_stop_no_other_job(work: ModuleType, executor: str) -> None:
    compute = Compute(workers=2, executor=executor)
    found = {
        done.number: done for done in jobs.map_jobs(work.fail, range(5), compute=compute, description="t", at_once=True)
    }
    assert [found[number].value for number in (0, 2, 4)] == [0, 2, 4]
    assert isinstance(found[1].error, TrainingError)
    assert str(found[1].error) == "loss is nan"
    assert isinstance(found[3].error, ZeroDivisionError)
    assert found[3].error.__notes__ == ["in 3"]


def test_a_full_disk_ends_in_a_line(work: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shared = jobs.SharedArrays({"x": np.zeros(3)}, tmp_path / "file" / "arrays")
    with pytest.raises(DataError, match="arrays: cannot be written: Not a directory"):
        call(functools.partial(work.kind, shared))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_no_worker_behind(work: ModuleType, tmp_path: Path, how: signal.Signals) -> None:
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "code" / "job_work.py"), str(log)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A test run in the background ignores Ctrl-C, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )

    def wait_for(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, "nothing happened for 120 s"
            time.sleep(0.05)

    wait_for(lambda: log.exists() and len(log.read_text().split()) == 2)
    # Only the parent gets the signal; its workers must notice by themselves.
    process.send_signal(how)
    process.wait(timeout=120)

    def group_is_gone() -> bool:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_for(group_is_gone)


def test_a_killed_fork_server_is_not_the_end(work: ModuleType) -> None:
    from multiprocessing import forkserver

    assert call(work.where, 2)
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGKILL)
    # A worker of the server that is gone may have done some before the others came.
    assert os.getpid() not in call(work.where, 4)
