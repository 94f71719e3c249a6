"""Tables as text: for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


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
    rule = [":--" if letter == "l" else "--:" for letter in align]
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))
