"""Work over shards: the same bytes however it runs, and nothing finished is lost or done twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import unisono.store.shards as sharding
from unisono.config.compute import Compute
from unisono.errors import DataError, MachineError, ProgramError
from unisono.store.shards import Shard

WORK = '''
import errno, os, signal, time
from pathlib import Path
import numpy as np
from unisono.errors import DataError

FACTOR = {factor}


def log(shard, params):
    with open(params["log"], "a") as stream:
        stream.write(shard.name + "\\n")


def multiply(shard, destination, params):
    """Multiply the numbers of the input, and a matrix product whose last bits depend on the threads."""
    log(shard, params)
    numbers = np.array(shard.inputs[0].read_text().split(), dtype=float) * FACTOR * params.get("gain", 1)
    noise = np.random.default_rng(int(numbers.sum())).standard_normal((300, 300)).astype(np.float32)
    destination.write_bytes(numbers.tobytes() + (noise @ noise).tobytes())
    return {{"sum": float(numbers.sum()), "threads": os.environ["OMP_NUM_THREADS"], "pair": (1, 2)}}


def die(shard, destination, params):
    """Kill the own process: at the first time, or every time, as the shard's extra says."""
    log(shard, params)
    marker = Path(params["log"] + shard.name)
    if shard.extra.get("kill") == "always" or (shard.extra.get("kill") == "once" and not marker.exists()):
        marker.touch()
        destination.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    destination.write_text(shard.name)
    return shard.name


def fail(shard, destination, params):
    """Raise what the shard's extra says, while the marker file is there."""
    log(shard, params)
    if "raise" in shard.extra and Path(params["marker"]).exists():
        destination.write_text("half")
        if shard.extra["raise"] == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if shard.extra["raise"] == "odd":
            raise Odd("a", "b")
        if shard.extra["raise"] == "data":
            raise DataError("row 7: not a note")
        raise ZeroDivisionError("seven")
    destination.write_text(shard.name)
    return shard.name


class Odd(Exception):
    """Does not survive pickling."""

    def __init__(self, a, b):
        super().__init__(a)


def nothing(shard, destination, params):
    """Write no file."""


def opaque(shard, destination, params):
    """Return what JSON cannot hold."""
    destination.write_text("x")
    return object()


def slow(shard, destination, params):
    """Take a while, all but the first."""
    log(shard, params)
    if shard.name != "part-00000.parquet":
        time.sleep(params["seconds"])
    destination.write_text(str(os.getpid()))
'''


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Import a module of functions that worker processes can import as well; `factor` changes its code."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def build(factor: int = 1) -> ModuleType:
        import importlib

        (folder / "shard_work.py").write_text(WORK.format(factor=factor))
        sys.modules.pop("shard_work", None)
        importlib.invalidate_caches()
        return importlib.import_module("shard_work")

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield build
    sys.modules.pop("shard_work", None)


@pytest.fixture
def shards(tmp_path: Path) -> list[Shard]:
    """Five shards with an input file each."""
    inputs = []
    for i in range(5):
        path = tmp_path / f"input-{i}"
        path.write_text(" ".join(str(i + j) for j in range(4)))
        inputs.append(Shard(f"part-{i:05d}.parquet", (path,), n_items=4))
    return inputs


class Caller:
    """Calls `map_shards` in one temporary folder, and counts what was really worked on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.out = folder / "data" / "out"
        self.scratch = folder / "scratch"
        self.params: dict = {"log": str(self.log), "marker": str(folder / "marker")}

    def __call__(self, function: Callable, shards: list[Shard], *, params: dict | None = None, **compute: object):
        settings = Compute(**{"workers": 2, "scratch": self.scratch, **compute})
        return sharding.map_shards(
            function,
            shards,
            self.out,
            params={**self.params, **(params or {})},
            compute=settings,
            description="t",
        )

    def worked(self) -> list[str]:
        """Names of the shards worked on since the last call, sorted."""
        names = sorted(self.log.read_text().split()) if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [name[9:10] for name in names]

    def files(self) -> dict[str, bytes]:
        """All there is in the output folder."""
        return {path.name: path.read_bytes() for path in self.out.iterdir()}


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    """Calls of `map_shards` in a temporary folder."""
    return Caller(tmp_path)


def test_the_same_bytes_for_any_executor(work: Callable, shards: list[Shard], call: Caller) -> None:
    function = work().multiply
    environment = dict(os.environ)
    results = []
    for compute in ({"workers": 1}, {"workers": 2}, {"executor": "serial"}):
        values = call(function, shards, **compute)
        assert call.worked() == ["0", "1", "2", "3", "4"]
        results.append((values, call.files()))
    assert results[0] == results[1] == results[2]
    assert results[0][0][1] == {"sum": 10.0, "threads": "1", "pair": [1, 2]}
    assert sorted(results[0][1]) == [shard.name for shard in shards]
    assert dict(os.environ) == environment
    assert not any(call.scratch.iterdir())


def test_threads_of_a_worker_follow_the_setting(work: Callable, shards: list[Shard], call: Caller) -> None:
    assert call(work().multiply, shards[:1], threads_per_worker=2)[0]["threads"] == "2"


def test_stale_files_go_and_the_rest_of_the_folder_is_new(work: Callable, shards: list[Shard], call: Caller) -> None:
    call.out.mkdir(parents=True)
    (call.out / "part-00009.parquet").write_text("of an earlier run")
    call(work().multiply, shards[:2], executor="serial")
    assert sorted(call.files()) == ["part-00000.parquet", "part-00001.parquet"]
    assert [path.name for path in call.out.parent.iterdir()] == ["out"]


def test_a_worker_killed_once_is_retried(work: Callable, shards: list[Shard], call: Caller) -> None:
    shards[1] = shards[1]._replace(extra={"kill": "once"})
    assert call(work().die, shards) == [shard.name for shard in shards]
    assert {name: data.decode() for name, data in call.files().items()} == {s.name: s.name for s in shards}


def test_an_always_killed_shard_is_set_aside_and_the_rest_is_kept(
    work: Callable, shards: list[Shard], call: Caller
) -> None:
    shards[1] = shards[1]._replace(extra={"kill": "always"})
    call.out.mkdir(parents=True)
    (call.out / "part-00000.parquet").write_text("complete before")
    with pytest.raises(ProgramError, match=r"1 of 5 shards were given up.*: part-00001.parquet; the others are kept"):
        call(work().die, shards, retries=1)
    assert call.files() == {"part-00000.parquet": b"complete before"}
    worked = call.worked()
    assert worked.count("1") == 3  # in the pool, alone, and once more
    shards[1] = shards[1]._replace(extra={})
    assert call(work().die, shards) == [shard.name for shard in shards]
    assert call.worked() == ["1"]


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(
    work: Callable, shards: list[Shard], call: Caller, tmp_path: Path
) -> None:
    shards[3] = shards[3]._replace(extra={"raise": "zero"})
    function = work().fail
    Path(call.params["marker"]).touch()
    with pytest.raises(ZeroDivisionError, match="seven") as caught:
        call(function, shards, workers=1)
    assert caught.value.__notes__ == ["in shard part-00003.parquet of fail"]
    assert not call.out.exists()
    assert "3" in call.worked()
    Path(call.params["marker"]).unlink()
    call(function, shards)
    assert call.worked() in (["3"], ["3", "4"])
    resumed = call.files()
    call(function, shards)
    assert call.worked() == ["0", "1", "2", "3", "4"]
    assert call.files() == resumed


def test_errors_keep_their_type_and_message(work: Callable, shards: list[Shard], call: Caller) -> None:
    Path(call.params["marker"]).touch()
    for executor in ("process", "serial"):
        with pytest.raises(DataError, match=r"^row 7: not a note$"):
            call(work().fail, [shards[0]._replace(extra={"raise": "data"})], executor=executor)
    with pytest.raises(RuntimeError, match=r"^Odd: a\n"):
        call(work().fail, [shards[0]._replace(extra={"raise": "odd"})])


def test_serial_work_stops_at_the_first_error(work: Callable, shards: list[Shard], call: Caller) -> None:
    shards[1] = shards[1]._replace(extra={"raise": "zero"})
    Path(call.params["marker"]).touch()
    with pytest.raises(ZeroDivisionError):
        call(work().fail, shards, executor="serial")
    assert call.worked() == ["0", "1"]


def test_a_full_disk_ends_in_a_line_and_the_next_run_goes_on(work: Callable, shards: list[Shard], call: Caller) -> None:
    shards[4] = shards[4]._replace(extra={"raise": "full"})
    Path(call.params["marker"]).touch()
    with pytest.raises(MachineError, match=r"part-00004.parquet.*No space left.*free space and run again"):
        call(work().fail, shards)
    assert not call.out.exists()
    call.worked()
    Path(call.params["marker"]).unlink()
    call(work().fail, shards)
    assert call.worked() == ["4"]
    assert call.files()["part-00004.parquet"] == b"part-00004.parquet"


def test_a_disk_full_at_the_last_step_loses_nothing(
    work: Callable, shards: list[Shard], call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "hardlink_to", full)  # another file system
        patch.setattr(sharding.shutil, "copyfile", full)
        with pytest.raises(MachineError, match="out: cannot be written: No space left"):
            call(work().multiply, shards, executor="serial")
    assert not list(call.out.parent.iterdir())
    call.worked()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "hardlink_to", full)
        call(work().multiply, shards, executor="serial")
    assert call.worked() == []
    assert len(call.files()) == 5


@pytest.fixture
def unfinished(work: Callable, shards: list[Shard], call: Caller) -> list[Shard]:
    """Shards of which the first four are finished and wait in the scratch folder."""
    missing = shards[4]._replace(inputs=(shards[4].inputs[0], call.folder / "late"))
    (call.folder / "late").write_text("")
    Path(call.params["marker"]).touch()
    with pytest.raises(ZeroDivisionError):
        call(work().fail, [*shards[:4], missing._replace(extra={"raise": "zero"})], executor="serial")
    Path(call.params["marker"]).unlink()
    assert call.worked() == ["0", "1", "2", "3", "4"]
    return [*shards[:4], missing]


def test_what_is_unchanged_is_not_done_again(work: Callable, unfinished: list[Shard], call: Caller) -> None:
    call(work().fail, unfinished, executor="serial", threads_per_worker=1)
    assert call.worked() == ["4"]


def test_a_changed_parameter_invalidates(work: Callable, unfinished: list[Shard], call: Caller) -> None:
    call(work().fail, unfinished, executor="serial", params={"gain": 2})
    assert call.worked() == ["0", "1", "2", "3", "4"]


def test_changed_code_invalidates(work: Callable, unfinished: list[Shard], call: Caller) -> None:
    call(work(factor=2).fail, unfinished, executor="serial")
    assert call.worked() == ["0", "1", "2", "3", "4"]


def test_a_changed_input_invalidates_its_shard(work: Callable, unfinished: list[Shard], call: Caller) -> None:
    unfinished[2].inputs[0].write_text("5 5")
    call(work().fail, unfinished, executor="serial")
    assert call.worked() == ["2", "4"]


def test_a_changed_extra_invalidates_its_shard(work: Callable, unfinished: list[Shard], call: Caller) -> None:
    unfinished[1] = unfinished[1]._replace(extra={"voice": "en"})
    call(work().fail, unfinished, executor="serial")
    assert call.worked() == ["1", "4"]


def test_a_damaged_checkpoint_is_done_again(work: Callable, unfinished: list[Shard], call: Caller) -> None:
    (checkpoint,) = call.scratch.rglob("part-00001.parquet")
    checkpoint.write_bytes(b"")
    (record,) = call.scratch.rglob("part-00002.parquet.json")
    record.write_text('{"size": ')
    call(work().fail, unfinished, executor="serial")
    assert call.worked() == ["1", "2", "4"]


def test_a_missing_input_is_named(work: Callable, shards: list[Shard], call: Caller) -> None:
    shards[0].inputs[0].unlink()
    with pytest.raises(DataError, match="input-0: cannot be read"):
        call(work().multiply, shards)


def test_mistakes_of_the_caller_are_told(work: Callable, shards: list[Shard], call: Caller) -> None:
    with pytest.raises(ValueError, match="two shards of one name"):
        call(work().multiply, [shards[0], shards[0]])
    with pytest.raises(TypeError, match="not JSON-able"):
        call(work().multiply, shards, params={"gain": object()})
    with pytest.raises(FileNotFoundError, match=r"part-00000"):
        call(work().nothing, shards[:1], executor="serial")
    with pytest.raises(TypeError, match="JSON"):
        call(work().opaque, shards[:1])
    assert not call.out.exists()


def test_no_shards_make_an_empty_folder(work: Callable, call: Caller) -> None:
    assert call(work().multiply, []) == []
    assert call.files() == {}


MAIN = """
import sys
from pathlib import Path
import shard_work
from unisono.config.compute import Compute
from unisono.store.shards import Shard, map_shards

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    map_shards(
        shard_work.slow, [Shard(f"part-{i:05d}.parquet") for i in range(3)], folder / "out",
        params={"log": str(folder / "log"), "seconds": float(sys.argv[2])},
        compute=Compute(workers=1, scratch=folder / "scratch"), description="t",
    )
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_no_worker_behind_and_keeps_what_was_finished(
    work: Callable, tmp_path: Path, how: signal.Signals
) -> None:
    work()
    (tmp_path / "code" / "main.py").write_text(MAIN)
    log = tmp_path / "log"

    def start(seconds: float) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "code" / "main.py"), str(tmp_path), str(seconds)],
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

    process = start(60)
    wait_for(lambda: log.exists() and "part-00001" in log.read_text())
    # Only the parent gets the signal; its worker must notice by itself.
    process.send_signal(how)
    process.wait(timeout=120)

    def group_is_gone() -> bool:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_for(group_is_gone)
    assert not (tmp_path / "out").exists()
    (value,) = (tmp_path / "scratch").rglob("part-00000.parquet.json")
    assert json.loads(value.read_text())["value"] is None
    log.unlink()

    # `seconds` is a parameter, so shards finished with another value would not be taken.
    done = next((tmp_path / "scratch").rglob("part-00000.parquet")).read_text()
    process = start(60)
    wait_for(lambda: log.exists() and "part-00001" in log.read_text())
    assert "part-00000" not in log.read_text()
    assert next((tmp_path / "scratch").rglob("part-00000.parquet")).read_text() == done
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=120)
