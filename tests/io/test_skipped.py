"""The list of what was left out."""

from __future__ import annotations

from pathlib import Path

from unisono.io import skipped


def test_names_that_are_no_text_are_printed(tmp_path: Path) -> None:
    skipped.write(tmp_path / "skipped.csv", [("a\udcff\x1b[2J.mxl", "damaged\n\udcfe"), ("Überblick", "no lyrics")])
    lines = (tmp_path / "skipped.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["item,reason", "a\ufffd\ufffd[2J.mxl,damaged \ufffd", "Überblick,no lyrics"]
