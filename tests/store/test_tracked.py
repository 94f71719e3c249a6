"""DVC's own files after a kill or damage, against DVC itself in a small project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from unisono import cli
from unisono.errors import DataError
from unisono.store import tracked

PROJECT = """stages:
  make:
    cmd: python make.py
    outs:
      - folder
      - file.txt
      - seen.csv: {cache: false}
"""
MAKE = """from pathlib import Path
for name in ("folder/b.txt", "folder/a/c.txt", "folder/a.txt", "folder/\\u00e9 x.txt", "file.txt", "seen.csv"):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(name)
"""


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only stage has run, in Git."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "dvc.yaml").write_text(PROJECT)
    (folder / "make.py").write_text(MAKE)
    for command in (["init", "-q"], ["config", "user.email", "a@b.c"], ["config", "user.name", "a"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    assert dvc(folder, "init", "-q").returncode == 0
    done = dvc(folder, "repro")
    assert done.returncode == 0, done.stderr
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-qm", "made"], cwd=folder, check=True)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def test_digests_are_those_of_dvc(project: Path) -> None:
    found = {str(output.path): output for output in tracked.outputs(project)}
    assert {name: output.cached for name, output in found.items()} == {
        "folder": True, "file.txt": True, "seen.csv": False,
    }  # fmt: skip
    for output in found.values():
        assert tracked.digest(project / output.path) == output.digest
    assert list(tracked.faults(project)) == []


@pytest.mark.parametrize("left", ["", '{"write": {"data', "[]", "\x00\x00"])
def test_a_lock_that_a_kill_cut_off_is_removed(project: Path, left: str) -> None:
    rwlock = project / tracked.RWLOCK
    rwlock.write_text(left)
    if left != "[]":
        assert "JSON structure is corrupted" in dvc(project, "repro").stderr, "DVC itself goes on now"
    assert tracked.mend(project) == ["removed .dvc/tmp/rwlock, which a killed run left cut off"]
    assert tracked.mend(project) == []
    done = dvc(project, "repro")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("length", [0, 1, 30, -1])
def test_a_lock_file_of_stages_that_a_kill_cut_off_is_restored(project: Path, length: int, copied: bool) -> None:
    lock = project / "dvc.lock"
    whole = lock.read_text()
    if copied:
        tracked.keep_lock(project)
    lock.write_text(whole[:length])
    tracked.keep_lock(project)
    source = ".unisono/dvc.lock" if copied else "Git"
    assert tracked.mend(project) == [f"restored dvc.lock, which a killed run left cut off, from {source}"]
    assert lock.read_text() == whole
    assert "didn't change" in dvc(project, "repro").stdout


def test_a_lock_without_a_copy_is_named(project: Path) -> None:
    (project / "dvc.lock").write_text("")
    shutil.rmtree(project / ".git")
    with pytest.raises(DataError, match=r"dvc\.lock is damaged and no copy of it is left; remove it"):
        tracked.mend(project)


def test_what_is_whole_is_left_alone(project: Path) -> None:
    (project / tracked.RWLOCK).write_text('{"write": {}}')
    before = (project / "dvc.lock").read_bytes()
    assert tracked.mend(project) == []
    assert (project / "dvc.lock").read_bytes() == before
    assert (project / tracked.RWLOCK).exists()


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def cached(project: Path, name: str) -> Path:
    found = {str(output.path): output.digest for output in tracked.outputs(project)}[name]
    return project / tracked.CACHE / found[:2] / found[2:]


def test_a_flipped_byte_of_an_output_is_found(project: Path) -> None:
    flip(project / "folder/a/c.txt")
    assert list(tracked.faults(project)) == [
        "folder is not what dvc.lock says: edited, or damaged; delete it and run `make repro`"
    ]
    assert list(tracked.faults(project, bytes_too=False)) == []


def test_a_flipped_byte_in_the_cache_is_found_and_its_cure_helps(project: Path) -> None:
    held = cached(project, "file.txt")
    flip(held)
    (fault,) = tracked.faults(project)
    assert fault.endswith("(of file.txt) is damaged in DVC's cache; remove it, then `dvc commit -f file.txt`")
    held.unlink()
    assert dvc(project, "commit", "-f", "file.txt").returncode == 0
    assert list(tracked.faults(project)) == []


@pytest.mark.parametrize("name", ["file.txt", "folder"])
def test_a_cache_without_room_is_found_at_the_end_of_a_run(project: Path, name: str) -> None:
    cached(project, name).unlink()
    assert len(list(tracked.faults(project, bytes_too=False))) == 1


def test_a_missing_output_is_found(project: Path) -> None:
    (project / "file.txt").unlink()
    assert list(tracked.faults(project, bytes_too=False)) == [
        "file.txt is missing; `dvc checkout` brings it back, or `make repro`"
    ]


def test_the_commands_say_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["mend"])
    cli.main(["verify"])
    assert capsys.readouterr().out == "3 outputs are as dvc.lock says, and DVC's cache holds them\n"
    (project / "file.txt").unlink()
    with pytest.raises(SystemExit, match="2"):
        cli.main(["verify", "--quick"])
    assert "error: 1 outputs or cached files are not as dvc.lock says" in capsys.readouterr().err
