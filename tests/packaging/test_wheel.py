"""The wheel, used from an environment that holds nothing of the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from what Git would hand out, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    [found] = folder.glob("unisono-*.whl")
    return found


@pytest.mark.slow
def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = ROOT / "src" / "unisono"
    files = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in files if "__pycache__" not in name} <= names
    assert not [name for name in names if name.startswith(("tests/", "stages/"))]


@pytest.mark.slow
def test_the_wheel_alone_evaluates(wheel: Path, blocker: str, features: Path, tmp_path: Path) -> None:
    """Its dependencies come from this environment, where the packages of the extras are hidden."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(tmp_path / "env")}))
    zipfile.ZipFile(wheel).extractall(site)
    # After its own packages, so that unisono is the wheel's; `.pth` files of other environments are not followed.
    (site / "others.pth").write_text(str(Path(numpy.__file__).parents[1]) + "\n")
    (site / "sitecustomize.py").write_text(blocker)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import unisono; from unisono.cli import main; print(unisono.__file__); main()"
    done = subprocess.run(
        [python, "-c", code, "evaluate", features, "--model", "cca,c_cca,dcca", "--out", tmp_path / "out"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_relative_to(site)
    assert "not run: dcca: needs unisono[deep]" in done.stdout
    assert json.loads((tmp_path / "out" / "c_cca" / "metrics.json").read_text())["n_items"] == 80
