"""The list of what a stage left out, and why: one CSV per stage under ``results/data/``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unisono.io.text_tables import write_csv


def write(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write the list; without rows it holds the header alone.

    Parameters
    ----------
    path : Path
        A CSV file with the columns ``item`` and ``reason``.
    rows : iterable of (str, str)
        What was left out (a file, a sample's id) and the reason, in one line.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    write_csv(path, ["item", "reason"], ((item, " ".join(reason.split())) for item, reason in rows))
