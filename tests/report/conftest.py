"""Fixtures of the report's tests."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.built import build
from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment
from unisono.report.html.page import Inputs


@pytest.fixture
def fabricated(tmp_path: Path) -> Fabricated:
    """An empty folder of experiments, to add to."""
    return Fabricated(tmp_path / "experiments")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Experiment], Inputs]:
    return build(tmp_path_factory.mktemp("report"))


@pytest.fixture
def inputs(project: tuple[dict[str, Experiment], Inputs], tmp_path: Path) -> Inputs:
    """A small project of one's own, to break."""
    found = project[1]
    root = found.data.parent
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return replace(found, **{name: tmp_path / path.relative_to(root) for name, path in vars(found).items()})


@pytest.fixture
def entries(project: tuple[dict[str, Experiment], Inputs]) -> dict[str, Experiment]:
    """Its experiments."""
    return project[0]
