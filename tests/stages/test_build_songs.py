"""The stage as a command: what it writes, and the one line with which it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def run(folder: Path, location: str) -> subprocess.CompletedProcess[str]:
    """Run the stage in `folder`, on the shipped parameters with another source."""
    text = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("  source: music21\n", "  source: musicxml\n").replace(
        "locations: [data/raw/mtm]\n", f"locations: [{location}]\n"
    )
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    arguments = ["--out", "out", "--skipped", "skipped.csv", "--summary", "summary.json"]
    return subprocess.run(
        [sys.executable, "-m", "stages.build_songs", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_score_becomes_samples(tmp_path: Path) -> None:
    note = (
        "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration>"
        "<lyric><text>la</text></lyric></note>"
    )
    xml = f"<score-partwise><part id='P1'><measure>{note * 60}</measure></part></score-partwise>"
    (tmp_path / "song.xml").write_text(xml, encoding="utf-8")
    done = run(tmp_path, "song.xml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 samples of 1 songs\nnote: song.xml is outside data/raw, where DVC does not look")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".xml" and path.name != ".unisono") == [
        "out",
        "params.yaml",
        "skipped.csv",
        "summary.json",
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["part-00000.parquet"]


def test_a_missing_source_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = run(tmp_path, "nowhere")
    assert done.returncode == 2
    assert done.stderr == "error: nowhere: no such file or folder; correct the path\n"
    assert not (tmp_path / "out").exists()
