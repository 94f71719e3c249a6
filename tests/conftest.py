"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real source files kept beside the repository; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real source files are not here: {SHARED} (see data/README.md)")
    return SHARED
