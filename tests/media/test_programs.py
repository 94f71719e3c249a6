"""External programs: found or named, limited in time and memory, never given more than they need."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unisono.errors import MachineError, ProgramError
from unisono.media import programs

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc and prlimit")


def script(path: Path, text: str) -> str:
    """An executable Python script."""
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return str(path)


def ends(pid: int) -> bool:
    """Whether a process is gone within a few seconds (or dead, and only not yet reaped by its new parent)."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_missing_program_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match=r"lilypond: program not found.*apt-get install.*lilypond"):
        programs.find("lilypond", "lilypond")


def test_find_gives_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = script(tmp_path / "tool", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.find("tool", "tool") == expected


def test_version_is_the_first_line(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "print('Tool 1.2.3\\n\\nCopyright')")
    assert programs.version(tool) == "Tool 1.2.3"


@pytest.mark.parametrize("text", ["", "raise SystemExit(1)"], ids=["silent", "fails"])
def test_version_needs_a_line(tmp_path: Path, text: str) -> None:
    tool = script(tmp_path / "tool", text)
    with pytest.raises(ProgramError, match="expected one line"):
        programs.version(tool)


def test_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "import sys; print(sys.argv[1:])")
    hostile = ["; touch pwned", "$(touch pwned)", "a b", "*"]
    done = programs.run([tool, *hostile], cwd=tmp_path, timeout_s=30)
    assert done.output.strip() == str(hostile)
    assert not (tmp_path / "pwned").exists()


def test_environment_is_bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    tool = script(tmp_path / "tool", "import os; print(sorted(os.environ), os.environ['HOME'], os.getcwd())")
    done = programs.run([tool], cwd=tmp_path, timeout_s=30, env={"EXTRA": "1"})
    assert "SECRET_TOKEN" not in done.output
    assert "EXTRA" in done.output
    assert done.output.split()[-2:] == [str(tmp_path), str(tmp_path)]


def test_status_and_both_outputs_are_reported(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "import sys; print('out', flush=True); sys.exit('err')")
    done = programs.run([tool], cwd=tmp_path, timeout_s=30)
    assert done == programs.Completed(1, "out\nerr\n", timed_out=False)
    assert programs.describe(done) == "exit status 1, 'err'"


def test_only_the_end_of_much_output_is_kept(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "print('x' * 1_000_000 + 'end')")
    done = programs.run([tool], cwd=tmp_path, timeout_s=30)
    assert len(done.output) == programs.OUTPUT_BYTES
    assert done.output.endswith("end\n")


def test_output_that_is_not_text_is_kept_readable(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "import os; os.write(1, b'\\xff\\x00ok')")
    assert programs.run([tool], cwd=tmp_path, timeout_s=30).output.endswith("ok")


@LINUX
def test_time_limit_kills_the_whole_group(tmp_path: Path) -> None:
    tool = script(
        tmp_path / "tool",
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "time.sleep(600)",
    )
    start = time.monotonic()
    done = programs.run([tool], cwd=tmp_path, timeout_s=2)
    assert done.timed_out
    assert done.returncode == -9
    assert "time limit" in programs.describe(done)
    assert time.monotonic() - start < 30
    assert ends(int((tmp_path / "child").read_text()))


@LINUX
def test_child_left_behind_neither_blocks_nor_survives(tmp_path: Path) -> None:
    tool = script(
        tmp_path / "tool",
        "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)",
    )
    start = time.monotonic()
    done = programs.run([tool], cwd=tmp_path, timeout_s=60)
    assert not done.timed_out
    assert time.monotonic() - start < 30
    assert ends(int(done.output))


@LINUX
def test_memory_limit_is_enforced(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "import time; time.sleep(0.3); print(len(bytearray(2 << 30)))")
    done = programs.run([tool], cwd=tmp_path, timeout_s=60, memory_bytes=512 << 20)
    assert done.returncode != 0
    assert "MemoryError" in done.output


@LINUX
def test_a_lower_hard_limit_stays(tmp_path: Path) -> None:
    tool = script(
        tmp_path / "tool", "import resource, time; time.sleep(0.5); print(resource.getrlimit(resource.RLIMIT_AS))"
    )
    inner = (
        "import resource, sys; from pathlib import Path; from unisono.media import programs\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        f"print(programs.run([{tool!r}], cwd=Path({str(tmp_path)!r}), timeout_s=60, memory_bytes=2**33).output)"
    )
    done = subprocess.run([sys.executable, "-c", inner], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str((2**31, 2**31))


@LINUX
def test_the_processors_time_is_limited_and_the_clocks_is_not_as_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PATIENCE", 60)
    spins = programs.run([script(tmp_path / "spins", "while True: pass")], cwd=tmp_path, timeout_s=1)
    assert (spins.returncode, spins.timed_out, spins.fault) == (-signal.SIGXCPU, False, "")
    monkeypatch.setattr(programs, "PATIENCE", 1)
    waits = programs.run([script(tmp_path / "waits", "import time; time.sleep(60)")], cwd=tmp_path, timeout_s=0.5)
    assert waits.timed_out
    assert "time limit" in waits.fault


def test_no_process_left_is_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none_left)
    with pytest.raises(MachineError, match="cannot be started"):
        programs.run(["tool"], cwd=tmp_path, timeout_s=30)


def test_killed_program_is_told_from_a_failed_one(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    done = programs.run([tool], cwd=tmp_path, timeout_s=30)
    assert "killed by signal 11" in programs.describe(done)


def test_program_that_cannot_start(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(os.urandom(64))
    tool.chmod(0o755)
    with pytest.raises(ProgramError, match="cannot be started"):
        programs.run([str(tool)], cwd=tmp_path, timeout_s=30)
