"""Files and folders that appear complete, and what a kill leaves of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from unisono.errors import DataError
from unisono.io import files


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the system that is the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_a_folder_is_replaced_as_a_whole_or_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with files.replacing_folder(out) as fresh:
        (fresh / "a").touch()
        assert not out.exists()
    with pytest.raises(DataError, match="cannot be written"), files.replacing_folder(out) as fresh:
        (fresh / "nowhere" / "b").touch()
    assert [path.name for path in out.iterdir()] == ["a"]
    with files.replacing_folder(out) as fresh:
        (fresh / "c").touch()
    assert [path.name for path in out.iterdir()] == ["c"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"), files.replacing_folder(tmp_path / "file" / "x"):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from unisono.io import files
with files.replacing(Path("data/x/table.csv")) as one, files.replacing_folder(Path("results/all")) as two:
    with files.temporary_folder() as three:
        for path in (one, two / "a", three / "b"):
            path.touch()
        print(three, flush=True)
        if len(sys.argv) > 1:
            sys.stdin.read()
        else:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_kill_leaves_is_swept_and_nobody_elses_work(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(files.__file__).parents[2]))
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    alive = subprocess.Popen(
        [sys.executable, "-c", KILLED, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert alive.stdout is not None
    theirs = Path(alive.stdout.readline().strip())
    unlocked = place / ".unisono-work-new"
    unlocked.mkdir()
    # A user's own, of names that look alike.
    (place / "unisono-1").mkdir()
    Path("data/raw").mkdir()
    Path("data/raw/.own.1-1.tmp").touch()
    left = {path for folder in ("data/x", "results", "tmp") for path in Path(folder).iterdir()}
    assert len(left) == 8
    old = time.time() - 100
    for path in place.iterdir():
        if path != unlocked:
            os.utime(path, (old, old))
    files.sweep(Path("data"), Path("results"))
    kept = {path for folder in ("data/x", "results", "tmp") for path in Path(folder).iterdir()}
    own = {Path("tmp") / name for name in ("unisono-1", unlocked.name, theirs.name)}
    assert own < kept
    assert Path("data/raw/.own.1-1.tmp").is_file()
    assert {path.name.split(".")[1] for path in kept - own} == {"table", "all"}
    assert len(kept) == 5
    alive.communicate()
    assert alive.returncode == 0
    assert Path("data/x/table.csv").is_file()
    assert Path("results/all/a").is_file()
