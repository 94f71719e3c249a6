"""The doors to engraving: wrong arguments end in one line that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "stage, arguments, message",
    [
        (
            "engrave_sheet",
            ["--engraving", "shet", "--skipped", "x.csv"],
            "did you mean 'sheet'?",
        ),
        (
            "engrave_sheet",
            ["--engraving", "sheet", "--skipped", "x.csv"],
            "no such folder; run the stage",
        ),
        ("engrave_notes", [], "no such folder; run the stage"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, stage: str, arguments: list[str], message: str) -> None:
    folders = ["--samples", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", f"stages.{stage}", *folders]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
