"""Tables as text: for a terminal, as Markdown, and as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unisono.errors import printable
from unisono.io.files import replacing

#: What Markdown takes for more than a letter, wherever it stands; and only in certain places: the end of a link's text,
#: an underscore that is not within a word, an entity.
_MARKS = re.compile(r"[\\\\`*|~]|(?<=\])\(|(?<!\w)_|_(?!\w)")
_ENTITY = re.compile(r"&(?=#?\w+;)")
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


class Markup(str):
    """A cell that is Markdown itself: a link, say. All other cells are read as they are written."""

    __slots__ = ()


def slanted(text: str) -> Markup:
    """Mark a text that is none of ours, or no method's."""
    return Markup(f"*{literal(text)}*")


def bold(text: str) -> Markup:
    """Mark a text that stands out."""
    return Markup(f"**{literal(text)}**")


def literal(text: str) -> str:
    r"""Write a text so that Markdown shows it as it is, in one line.

    Parameters
    ----------
    text : str
        What no terminal prints becomes U+FFFD.

    Returns
    -------
    str

    Examples
    --------
    >>> print(literal("a|b <b> *c* d_e"))
    a\|b &lt;b> \*c\* d_e
    """
    text = "".join(
        letter if letter.isprintable() or letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return _MARKS.sub(r"\\\g<0>", _ENTITY.sub("&amp;", _in_one_line(text))).replace("<", "&lt;")


def markdown(lines: Sequence[Sequence[str]], align: str) -> str:
    """Lay cells out as a Markdown table.

    Parameters
    ----------
    lines, align
        As for `plain`. Cells are shown as they are written, but for those that are `Markup`.

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
    rows = [list(map(_cell, line)) for line in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


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


def _cell(text: str) -> str:
    """Write a cell that neither ends its row nor its column."""
    if isinstance(text, Markup):
        return re.sub(r"(?<!\\)\|", r"\|", _in_one_line(text))
    return literal(text)


def _in_one_line(text: str) -> str:
    """Replace what would end a line, and runs of spaces, but leave those that shall not be broken."""
    return re.sub(r"[^\S\u00a0\u202f]+", " ", text).strip(" ")


def _safe(text: str) -> str:
    text = printable(text)
    return f"'{text}" if _FORMULA.match(text) else text
