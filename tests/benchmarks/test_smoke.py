"""Benchmarks run to their end at tiny sizes; nothing is timed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
#: What must be given besides ``--smoke``.
GIVEN = {
    "adversarial": ["acmr", "--param", "epochs=1", "min_steps=0"],
}
#: Other people's packages that benchmarks compare with and nothing else needs.
PEERS = {"pytorch_metric_learning"}
#: They drive the pipeline, the tests or an emulator, so that no size of theirs is tiny; or have tests of their own.
WHOLE = {"arithmetic", "frame", "fuzz", "kills", "limits", "mutation", "walk"}
SCRIPTS = sorted({path.stem for path in FOLDER.glob("[a-z]*.py")} - WHOLE)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_runs(name: str, tmp_path: Path) -> None:
    arguments = GIVEN.get(name, [])
    if name == "lmd_samples":
        pytest.skip("needs an archive of songs: its parts are tested in tests/datasets/test_mtm_lmd.py")
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", *arguments, "--smoke"],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    absent = re.search(r"ModuleNotFoundError: No module named '(\w+)'", done.stderr)
    if absent and absent[1] in PEERS:
        pytest.skip(f"the peer {absent[1]} is not installed; benchmarks/{name}.py says how")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
def test_every_item_of_the_comparison_of_processors_can_run(tmp_path: Path) -> None:
    """One side alone, without the emulator: a method in closed form, an extractor, and parameters of params.yaml."""
    names = ["cca", "logmel", "skipgram", "whitening"]
    command = [sys.executable, str(FOLDER / "arithmetic.py"), "--side", "native", "--only", *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    made = sorted(path.name.partition("-")[0] for path in (tmp_path / ".unisono/arithmetic/native").glob("*.npz"))
    assert made == names, done.stdout
