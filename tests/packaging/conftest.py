"""An environment as `pip install unisono` makes it: without the packages of any extra."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unisono.errors import EXTRAS

#: Also absent: what the extras bring along, and what only tests use.
OTHERS = ("pandas", "librosa", "keras", "numba", "datasets", "ir_measures")

#: Runs when Python starts: no module of that name can be found, in this process and in its workers.
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def blocker() -> str:
    """Source text of a ``sitecustomize`` that hides the packages of the extras."""
    return BLOCKER.format(absent=sorted({*EXTRAS, *OTHERS}))


@pytest.fixture
def light(blocker: str, tmp_path: Path) -> Run:
    """Give a function that runs Python without the packages of the extras."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(blocker)
    source = Path(__file__).parents[2] / "src"
    path = os.pathsep.join(map(str, (tmp_path / "site", source)))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Write 80 items of two related views in four classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    latent = np.eye(12)[labels] + 0.3 * rng.standard_normal((80, 12))
    views = {name: latent @ rng.standard_normal((12, width)) for name, width in (("audio", 12), ("visual", 16))}
    columns = {"id": [f"i{row}" for row in range(80)], "label": [f"c{label}" for label in labels]}
    path = tmp_path / "features.parquet"
    pq.write_table(pa.table(columns | {name: view.tolist() for name, view in views.items()}), path)
    return path
