"""Tables as CSV: what comes from outside stays text."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from unisono.io import text_tables


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("+1+2", "'+1+2"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-aYouTubeId", "'-aYouTubeId"),
        ("-0.25", "-0.25"),
        ("+1e-05", "+1e-05"),
        ("-.5", "-.5"),
        ("audio->sheet", "audio->sheet"),
        ("a\x1b[2Jb\udcff", "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}"),
        ('a "b", c\nd', 'a "b", c\nd'),
        (-3, "-3"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula_or_a_command(tmp_path: Path, cell: object, written: str) -> None:
    path = tmp_path / "folder" / "t.csv"
    text_tables.write_csv(path, ["a", "b"], [["x", cell]])
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["x", written]]


@pytest.mark.parametrize("align", ["l", "lrl"])
def test_a_letter_for_every_column(align: str) -> None:
    with pytest.raises(ValueError, match="argument 2"):
        text_tables.markdown([["a", "b"], ["1", "2"]], align)
    with pytest.raises(ValueError, match="argument"):
        text_tables.plain([["a", "b"], ["1", "2"]], align)
