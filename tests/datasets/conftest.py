"""Fixtures shared by the tests of data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from unisono.config.compute import Compute


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    """Work in this process, with unfinished work under the test's own folder."""
    return Compute(executor="serial", scratch=tmp_path / "scratch")
