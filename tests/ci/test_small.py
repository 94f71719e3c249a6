"""Methods on features that stay the same give the numbers that are committed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci import small

#: Of a MAP; a closed form has no chance in it.
TOLERANCE = 1e-4


@pytest.mark.parametrize("method", small.CLOSED_FORMS)
def test_closed_form(method: str) -> None:
    expected = json.loads(small.NUMBERS.read_text(encoding="utf-8"))[method]
    assert small.numbers(method) == pytest.approx(expected, abs=TOLERANCE)
    assert min(expected.values()) > 0.11


def test_networks() -> None:
    """In a process of their own, where arithmetic is pinned before torch is imported."""
    expected = json.loads(small.NUMBERS.read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "tests.ci.small", "show", *small.NETWORKS]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for method, found in json.loads(done.stdout).items():
        assert found == pytest.approx(expected[method], abs=TOLERANCE), method
