"""Tables as text: for a terminal, as Markdown, and as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unisono.errors import printable
from unisono.io.files import replacing

#: What a spreadsheet takes for a formula: all that begins so and is no number.
_FORMULA = re.compile(r"[=+@\t\r-](?!\d*\.?\d+(e[+-]?\d+)?$)")


def plain(lines: Sequence[Sequence[str]], align: str) -> list[str]:
    """Lay cells out for a terminal.

    Parameters
    ----------
    lines : sequence of sequence of str
        The header, then the rows.
    align : str
        A letter per column: ``l`` left, ``r`` right.

    Returns
    -------
    list of str
        The lines, without spaces at their ends.

    Examples
    --------
    >>> plain([["rank", "id"], ["1", "a"]], "rl")
    ['rank  id', '   1  a']
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if letter == "r" else cell.ljust(width)
            for cell, width, letter in zip(line, widths, align, strict=True)
        ).rstrip()
        for line in lines
    ]


def markdown(lines: Sequence[Sequence[str]], align: str) -> str:
    """Lay cells out as a Markdown table.

    Parameters
    ----------
    lines, align
        As for `plain`.

    Returns
    -------
    str
        Without a newline at its end.

    Examples
    --------
    >>> print(markdown([["rank", "id"], ["1", "a"]], "rl"))
    | rank | id |
    | --: | :-- |
    | 1 | a |
    """
    rule = [":--" if letter == "l" else "--:" for _, letter in zip(lines[0], align, strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file; it appears complete or not at all.

    Parameters
    ----------
    path : Path
    header : sequence of str
    rows : iterable of sequence
        Cells, of which texts may come from outside: what no terminal prints becomes U+FFFD, and what a spreadsheet
        would take for a formula gets an apostrophe before it.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_safe(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


def _safe(text: str) -> str:
    text = printable(text)
    return f"'{text}" if _FORMULA.match(text) else text
