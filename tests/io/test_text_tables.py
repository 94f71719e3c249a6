"""Tables as CSV: what comes from outside stays text."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

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


@pytest.mark.parametrize(
    "cell",
    [
        "a | b",
        "a \\| b",
        "ends in \\",
        "two\nlines\r\nand\ttab",
        "<script>alert(1)</script>",
        "&lt;b&gt; &amp; AT&T",
        "*bold* _slanted_ sheet=sheet_plain `code` ~~gone~~",
        "[text](javascript:alert(1)) ![](x.png)",
        "<https://example.org>",
        "\\*",
        "+1.2\u00a0…\u00a0+3.4 [+0.1, +0.2]",
        "",
    ],
)
def test_markdown_shows_a_cell_as_it_is_written(cell: str) -> None:
    text = text_tables.markdown([["a", cell], [cell, "b"], ["c", "d"]], "lr")
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # What stands between tags, and what no renderer leaves as it is: runs of spaces.
    rows = re.findall(r"<tr>(.*?)</tr>", reader.render(text), re.DOTALL)
    shown = [[html.unescape(each) for each in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]
    plain = re.sub(r"[\n\r\t]+", " ", cell)
    assert shown == [["a", plain], [plain, "b"], ["c", "d"]]


def test_markup_is_markdown_but_never_more_than_a_cell() -> None:
    cell = text_tables.Markup("[a|b](c.md)\n`d\\|e`")
    text = text_tables.markdown([["x"], [cell]], "l")
    assert text == "| x |\n| :-- |\n| [a\\|b](c.md) `d\\|e` |"


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    assert text_tables.literal("a\x1b[2J\u202eb") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"
