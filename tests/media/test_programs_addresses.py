"""Programs whose memory has the same addresses in every run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unisono.media import programs


def stack(command: tuple[str, ...]) -> str:
    """Say where a program's stack lies."""
    told = [*command, sys.executable, "-c", "print(open('/proc/self/maps').read().split('[stack]')[0].split()[-5])"]
    return subprocess.run(told, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_addresses_are_the_same_in_every_run() -> None:
    if not programs.fixed_addresses():
        pytest.skip("no setarch, or the system forbids it")
    assert len({stack(programs.fixed_addresses()) for _ in range(4)}) == 1
    assert len({stack(()) for _ in range(4)}) > 1


@pytest.mark.parametrize("found", [None, "/nowhere/setarch", "/bin/false"])
def test_where_it_cannot_be_had_nothing_is_put_before(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda _: found)
    programs.fixed_addresses.cache_clear()
    assert programs.fixed_addresses() == ()
    programs.fixed_addresses.cache_clear()
