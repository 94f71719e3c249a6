"""Fixtures of the tables' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.fabricated import Fabricated


@pytest.fixture
def fabricated(tmp_path: Path) -> Fabricated:
    """An empty folder of experiments, to add to."""
    return Fabricated(tmp_path / "experiments")
